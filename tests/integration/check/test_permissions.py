"""With exactly the policies of a program nothing is missing; each action that is taken away is found, or not known."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from dequeuer.check.loading import load_plan
from dequeuer.check.options import PROGRAMS
from dequeuer.check.permissions import check_id
from dequeuer.policies import filling
from dequeuer.policies.all_needs import needs
from dequeuer.policies.document import Grant
from tests.integration.check.front import ACCOUNT
from tests.integration.check.setup import SetUp
from tests.integration.cloud import CLUSTER, REGION
from tests.integration.refusing import Policy

KINDS = ["sidecar", "batch", "queue", "gateway", "webhooks", "enqueue", "controller"]
KNOWN_WITHOUT_WRITES = {
    "sqs:GetQueueAttributes",
    "sqs:DeleteMessage",
    "sqs:ChangeMessageVisibility",
    "sqs:GetQueueUrl",
    "s3:ListBucket",
    "s3:GetObject",
    "s3:AbortMultipartUpload",
    "s3:GetLifecycleConfiguration",
}
"""Actions that a call without effect shows."""


def program_of(kind: str) -> str:
    return "sidecar" if kind in {"batch", "queue"} else kind


def granted(setup: SetUp, kind: str) -> Sequence[Grant]:
    """Return what the policies of a program grant, with the names of the set-up."""
    plan = load_plan(PROGRAMS[program_of(kind)], [], setup.environ)
    assert plan.policies is not None
    names = filling.Names(
        region=REGION,
        account=ACCOUNT,
        queue_urls=[queue.url for queue in plan.queues],
        bucket=setup.bucket.name,
        cluster_uid=CLUSTER,
        api_name="api",
        keys=["k"],
    )
    return filling.filled(needs(plan.policies.program, plan.policies.cases), names)


def make(setup: SetUp, kind: str) -> None:
    setup.program(kind)
    if kind == "webhooks":
        setup.set_attributes(setup.queue, RedrivePolicy="")
    if kind == "controller":
        setup.flags = []


@pytest.mark.parametrize("kind", KINDS)
def test_with_the_policies_of_a_program_nothing_is_missing(setup: SetUp, kind: str) -> None:
    make(setup, kind)
    setup.front.policy = Policy(tuple((one.action, one.resource) for one in granted(setup, kind)))
    found = setup.run(program_of(kind))
    wrong = [one for one in found if one.verdict.state in {"warning", "fault"}]
    assert wrong == []


@pytest.mark.parametrize("kind", KINDS)
def test_each_action_that_is_taken_away_is_found_or_is_not_known(setup: SetUp, kind: str) -> None:
    make(setup, kind)
    grants = granted(setup, kind)
    for action in sorted({one.action for one in grants} - {"kms:Decrypt", "kms:GenerateDataKey"}):
        setup.front.policy = Policy(tuple((one.action, one.resource) for one in grants if one.action != action))
        states = {one.verdict.state for one in setup.run(program_of(kind)) if one.id == check_id(action)}
        # The queues of jobs are not asked for what needs a queue that exists.
        is_known = action in KNOWN_WITHOUT_WRITES and not (kind == "controller" and action in _OF_A_QUEUE)
        assert states <= ({"warning", "fault"} if is_known else {"not_known"}), action
        assert states or action == "sqs:SendMessage", action


@pytest.mark.parametrize("kind", KINDS)
def test_with_the_simulation_of_iam_every_permission_is_known(setup: SetUp, kind: str) -> None:
    make(setup, kind)
    setup.front.simulates = True
    grants = granted(setup, kind)
    setup.front.policy = Policy(tuple((one.action, one.resource) for one in grants))
    found = setup.run(program_of(kind))
    states = {one.verdict.state for one in found if one.id.startswith("permission.") and one.subject != "cx_*"}
    assert states == {"ok"}


@pytest.mark.parametrize("action", ["sqs:ReceiveMessage", "s3:PutObject", "s3:PutLifecycleConfiguration"])
def test_what_the_simulation_of_iam_does_not_allow_is_a_warning(setup: SetUp, action: str) -> None:
    setup.front.simulates = True
    setup.front.denied.add(action)
    found = {str(one.id): one.verdict for one in setup.run()}
    assert found[check_id(action)].state == "warning"
    assert f"allow {action} on arn:aws:" in found[check_id(action)].action


def test_a_role_that_may_not_simulate_is_asked_once(setup: SetUp) -> None:
    setup.run()
    assert len(setup.front.simulated) == 1


_OF_A_QUEUE = {"sqs:GetQueueAttributes", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility"}
