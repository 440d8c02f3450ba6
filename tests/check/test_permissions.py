from __future__ import annotations

from typing import get_args

import pytest

from dequeuer.check.finding import CHECK_IDS, Finding, State, Verdict, fault, not_known, ok, warning
from dequeuer.check.permission_result import Allowed, NotAsked, PermissionResult, Refused
from dequeuer.check.permissions import check_id, judge, worst_of_each
from dequeuer.policies.all_needs import ALL
from dequeuer.policies.needs import Case, Need

ACTIONS = sorted({need.action for one in ALL for need in one.needs})


@pytest.mark.parametrize("action", ACTIONS)
def test_every_action_of_the_policies_has_a_check(action: str) -> None:
    assert check_id(action) in CHECK_IDS


def test_there_is_no_check_of_an_action_that_nobody_needs() -> None:
    ids = {one for one in CHECK_IDS if one.startswith("permission.")}
    assert ids == {check_id(action) for action in ACTIONS}


def need(without: str) -> Need:
    return Need(action="s3:DeleteObject", resource="arn", case=get_args(Case)[0], without=without)


@pytest.mark.parametrize(
    ("result", "without", "state"),
    [
        (Allowed(), "exit 1 at start-up", "ok"),
        (NotAsked(reason="not asked"), "exit 1 at start-up", "not_known"),
        (Refused(text="S3 answered 403"), "exit 1 at start-up", "fault"),
        (Refused(text="S3 answered 403"), "work continues; the payloads stay", "warning"),
        (Refused(text="S3 answered 403"), "objects stay until the lifecycle rule deletes them", "warning"),
    ],
)
def test_a_missing_permission_is_as_bad_as_what_happens_without_it(
    result: PermissionResult, without: str, state: State
) -> None:
    verdict = judge(result, need(without), "arn:aws:s3:::b/*")
    assert verdict.state == state
    assert (without in verdict.action) is (state != "ok")


def test_the_needs_that_are_no_fault_are_few() -> None:
    """The texts of the policies decide; this says which, so that a text that is reworded is noticed."""
    mild = {
        (one.program, need.action)
        for one in ALL
        for need in one.needs
        if judge(Refused(text=""), need, "").state == "warning"
    }
    assert mild == {
        ("async", "s3:AbortMultipartUpload"),
        ("async", "s3:DeleteObject"),
        ("async", "s3:GetLifecycleConfiguration"),
        ("async", "s3:PutLifecycleConfiguration"),
        ("async", "sqs:SendMessage"),
        ("batch", "s3:AbortMultipartUpload"),
        ("controller", "s3:AbortMultipartUpload"),
        ("gateway", "s3:AbortMultipartUpload"),
        ("gateway", "s3:DeleteObject"),
        ("gateway", "sqs:ChangeMessageVisibility"),
        ("queue", "s3:AbortMultipartUpload"),
        ("queue", "s3:DeleteObject"),
        ("queue", "sqs:SendMessage"),
    }


@pytest.mark.parametrize(
    ("better", "worse"),
    [
        (ok("allowed"), not_known("not asked")),
        (not_known("not asked"), warning("403", "allow it")),
        (warning("403", "allow it"), fault("403", "allow it")),
        (ok("allowed"), fault("403", "allow it")),
    ],
)
def test_an_action_that_is_allowed_below_one_prefix_alone_is_not_ok(better: Verdict, worse: Verdict) -> None:
    for order in ((better, worse), (worse, better)):
        found = [Finding(id="permission.s3.put_object", subject="store", verdict=verdict) for verdict in order]
        assert [finding.verdict for finding in worst_of_each(found)] == [worse]
