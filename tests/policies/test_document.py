from __future__ import annotations

import json

from dequeuer.policies.document import Grant, policy_document, policy_text


def test_actions_on_the_same_resource_are_one_statement() -> None:
    assert policy_document([Grant("a:1", "r"), Grant("a:2", "r"), Grant("a:1", "r")])["Statement"] == [
        {"Effect": "Allow", "Action": ["a:1", "a:2"], "Resource": "r"}
    ]


def test_resources_with_the_same_actions_are_one_statement() -> None:
    assert policy_document([Grant("a:1", "r"), Grant("a:1", "s"), Grant("a:2", "t")])["Statement"] == [
        {"Effect": "Allow", "Action": "a:1", "Resource": ["r", "s"]},
        {"Effect": "Allow", "Action": "a:2", "Resource": "t"},
    ]


def test_no_resource_gets_the_actions_of_another() -> None:
    grants = [Grant("a:1", "r"), Grant("a:2", "r"), Grant("a:1", "s")]
    statements = policy_document(grants)["Statement"]
    assert statements == [
        {"Effect": "Allow", "Action": ["a:1", "a:2"], "Resource": "r"},
        {"Effect": "Allow", "Action": "a:1", "Resource": "s"},
    ]


def test_a_key_alias_is_a_condition_of_its_own_statement() -> None:
    grants = [Grant("kms:Decrypt", "key/*", "alias/mine"), Grant("kms:Decrypt", "key/*")]
    first, second = policy_document(grants)["Statement"]
    assert first == {
        "Effect": "Allow",
        "Action": "kms:Decrypt",
        "Resource": "key/*",
        "Condition": {"ForAnyValue:StringEquals": {"kms:ResourceAliases": "alias/mine"}},
    }
    assert "Condition" not in second


def test_the_text_is_the_document() -> None:
    grants = [Grant("a:1", "r")]
    assert json.loads(policy_text(grants)) == policy_document(grants)
