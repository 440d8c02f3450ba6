"""IAM policy documents: one statement for the actions on the same resources."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, TypeAlias, TypedDict

from dequeuer.policies.needs import Need

Statement: TypeAlias = Mapping[str, object]


class Document(TypedDict):
    """A policy document of IAM."""

    Version: str
    Statement: Sequence[Statement]


class Grant(NamedTuple):
    """An allowed action.

    Attributes:
        action: as IAM names it.
        resource: the ARN of what it is allowed on.
        key_alias: `alias/...`, which a key must have: IAM finds no key by the ARN of an alias. "": any.
    """

    action: str
    resource: str
    key_alias: str = ""


def unfilled(needs: Iterable[Need]) -> Sequence[Grant]:
    """Return grants with the names in angle brackets in their ARNs, as docs/permissions.md has them."""
    return [Grant(need.action, need.resource) for need in needs]


def policy_document(grants: Iterable[Grant]) -> Document:
    """Return the policy that allows these grants and nothing else. Each grant is in it once, in their order."""
    actions: dict[tuple[str, str], list[str]] = {}
    for grant in dict.fromkeys(grants):
        actions.setdefault((grant.resource, grant.key_alias), []).append(grant.action)
    resources: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for (resource, alias), of_resource in actions.items():
        resources.setdefault((alias, tuple(of_resource)), []).append(resource)
    return {
        "Version": "2012-10-17",
        "Statement": [_statement(allowed, on, alias) for (alias, allowed), on in resources.items()],
    }


def _statement(actions: Sequence[str], resources: Sequence[str], alias: str) -> Statement:
    statement = {"Effect": "Allow", "Action": _one_or_all(actions), "Resource": _one_or_all(resources)}
    if not alias:
        return statement
    return statement | {"Condition": {"ForAnyValue:StringEquals": {"kms:ResourceAliases": alias}}}


def _one_or_all(values: Sequence[str]) -> str | list[str]:
    return values[0] if len(values) == 1 else list(values)


def policy_text(grants: Iterable[Grant]) -> str:
    """Return the policy as JSON, for `aws iam put-role-policy` and for reading."""
    return json.dumps(policy_document(grants), indent=2)
