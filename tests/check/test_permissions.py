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


@pytest.mark.parametrize(
    ("result", "is_optional", "state"),
    [
        (Allowed(), False, "ok"),
        (NotAsked(reason="not asked"), False, "not_known"),
        (NotAsked(reason="not asked"), True, "not_known"),
        (Refused(text="S3 answered 403"), False, "fault"),
        (Refused(text="S3 answered 403"), True, "warning"),
    ],
)
def test_a_missing_permission_is_a_fault_unless_work_goes_on_without_it(
    result: PermissionResult, state: State, *, is_optional: bool
) -> None:
    without = "the payloads stay"
    need = Need(
        action="s3:DeleteObject", resource="arn", case=get_args(Case)[0], without=without, is_optional=is_optional
    )
    verdict = judge(result, need, "arn:aws:s3:::b/*")
    assert verdict.state == state
    assert (without in verdict.action) is (state != "ok")


def test_the_needs_that_are_no_fault_are_few() -> None:
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
