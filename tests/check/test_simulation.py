from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import cast

import pytest

from dequeuer.check.aws_access import AwsAccess
from dequeuer.check.finding import State
from dequeuer.check.permissions import judge_simulated
from dequeuer.check.simulation import QUESTIONS_TIMEOUT_S, Decision, Simulation, principal_of, read_decision
from dequeuer.policies.needs import Need


@pytest.mark.parametrize(
    ("caller", "principal"),
    [
        ("arn:aws:sts::111122223333:assumed-role/api/pod-1", "arn:aws:iam::111122223333:role/api"),
        ("arn:aws-cn:sts::111122223333:assumed-role/api/x", "arn:aws-cn:iam::111122223333:role/api"),
        ("arn:aws:iam::111122223333:user/team/me", "arn:aws:iam::111122223333:user/team/me"),
        ("arn:aws:iam::111122223333:root", None),
        ("arn:aws:sts::111122223333:federated-user/me", None),
        ("", None),
    ],
)
def test_the_principal_of_a_caller(caller: str, principal: str | None) -> None:
    assert principal_of(caller) == principal


def response(*decisions: str) -> bytes:
    members = "".join(f"<member><EvalDecision>{decision}</EvalDecision></member>" for decision in decisions)
    result = f"<EvaluationResults>{members}</EvaluationResults><IsTruncated>false</IsTruncated>"
    begin = '<SimulatePrincipalPolicyResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/">'
    return (
        f"{begin}<SimulatePrincipalPolicyResult>{result}</SimulatePrincipalPolicyResult>"
        "</SimulatePrincipalPolicyResponse>"
    ).encode()


@pytest.mark.parametrize("decision", ["allowed", "explicitDeny", "implicitDeny"])
def test_a_decision_is_read(decision: str) -> None:
    assert read_decision(response(decision)) == decision


@pytest.mark.parametrize("body", [b"", b"{}", response(), response("perhaps"), response("allowed", "allowed")])
def test_another_response_decides_nothing(body: bytes) -> None:
    assert read_decision(body) is None


def test_a_denial_that_work_goes_on_with_is_no_fault() -> None:
    need = Need(action="s3:DeleteObject", resource="b", case="always", without="the payloads stay", is_optional=True)
    assert judge_simulated("explicitDeny", need, "arn:aws:s3:::b/*").state == "warning"


@pytest.mark.parametrize(
    ("decision", "state"), [("allowed", "ok"), ("explicitDeny", "fault"), ("implicitDeny", "warning")]
)
def test_of_what_work_needs_only_a_denial_is_a_fault(decision: Decision, state: State) -> None:
    need = Need(action="sqs:ReceiveMessage", resource="q", case="always", without="nothing is received")
    verdict = judge_simulated(decision, need, "arn:aws:sqs:us-west-2:111122223333:q")
    assert verdict.state == state
    assert bool(verdict.action) is (state != "ok")


@dataclass
class Access:
    slim: object


class SlowSimulation(Simulation):
    async def _ask(self, action: str, resource: str) -> Decision | None:
        await asyncio.sleep(4)
        return "allowed"


@pytest.mark.looptime
async def test_slow_answers_end_the_questions(looptime: float) -> None:
    simulation = SlowSimulation(cast("AwsAccess", Access(slim=object())), "arn:aws:iam::111122223333:user/me", {})
    queues = [f"arn:aws:sqs:us-west-2:111122223333:q{number}" for number in range(30)]
    found = await asyncio.gather(*(simulation.decision("sqs:SendMessage", queue) for queue in queues))
    assert found == ["allowed"] * 3 + [None] * 27
    assert looptime == 12 < QUESTIONS_TIMEOUT_S + 4
