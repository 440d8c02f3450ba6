from __future__ import annotations

import pytest

from dequeuer.policies.all_needs import needs
from dequeuer.policies.needs import Actions, needs_of


def test_a_case_that_does_not_apply_asks_for_nothing() -> None:
    bare = {need.action for need in needs("async", ())}
    assert "s3:PutLifecycleConfiguration" not in bare
    assert not any(action.startswith("kms:") for action in bare)
    assert "sqs:SendMessage" not in bare


def test_each_case_adds_its_own_actions_alone() -> None:
    bare = set(needs("async", ()))
    assert {need.action for need in set(needs("async", {"own_key"})) - bare} == {"kms:Decrypt", "kms:GenerateDataKey"}
    assert {need.action for need in set(needs("async", {"events_topic"})) - bare} == {"sns:Publish"}


def test_an_action_without_a_consequence_is_refused() -> None:
    group = Actions(actions=("s3:GetObject",), resources=("arn:aws:s3:::<bucket>/*",))
    with pytest.raises(ValueError, match='"s3:GetObject" does not say what happens without it'):
        needs_of("p", "async", [group], {})


def test_a_consequence_of_no_action_is_refused() -> None:
    group = Actions(actions=("s3:GetObject",), resources=("arn:aws:s3:::<bucket>/*",))
    with pytest.raises(ValueError, match='"s3:PutObject" is no action of this policy'):
        needs_of("p", "async", [group], {"s3:GetObject": "nothing is read", "s3:PutObject": "nothing is written"})


def test_an_optional_action_that_is_not_in_the_policy_is_a_fault() -> None:
    with pytest.raises(ValueError, match='"s3:PutObject" is no action of this policy'):
        needs_of("x", "async", [Actions(actions=["s3:GetObject"], resources=["r"])], {}, "x", optional=["s3:PutObject"])
