"""What a check says: its id, what it looked at, the state, what was found, and what to do."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias, get_args

State: TypeAlias = Literal["ok", "warning", "fault", "not_known"]
"""fault: the program does not start, or loses or delays work. warning: it works, and something is worse than it could
be. not_known: this could not be looked at; the reason is in `found`."""

CheckId: TypeAlias = Literal[
    "identity.credentials",
    "identity.caller",
    "identity.account",
    "network.proxy",
    "network.dns",
    "network.connection",
    "network.clock",
    "queue.exists",
    "queue.region",
    "queue.type",
    "queue.retention",
    "queue.delay",
    "queue.message_size",
    "queue.encryption",
    "queue.depth",
    "queue.redrive",
    "dead_letters.exists",
    "dead_letters.type",
    "dead_letters.retention",
    "dead_letters.allowed",
    "bucket.exists",
    "bucket.owner",
    "bucket.region",
    "bucket.encryption",
    "bucket.versioning",
    "bucket.lifecycle",
    "bucket.object_lock",
    "bucket.public_access",
    "permission.sqs.get_queue_attributes",
    "permission.sqs.receive_message",
    "permission.sqs.delete_message",
    "permission.sqs.change_message_visibility",
    "permission.sqs.send_message",
    "permission.sqs.get_queue_url",
    "permission.sqs.create_queue",
    "permission.sqs.tag_queue",
    "permission.sqs.purge_queue",
    "permission.sqs.delete_queue",
    "permission.sns.publish",
    "permission.events.put_events",
    "permission.s3.list_bucket",
    "permission.s3.get_object",
    "permission.s3.put_object",
    "permission.s3.delete_object",
    "permission.s3.abort_multipart_upload",
    "permission.s3.get_lifecycle_configuration",
    "permission.s3.put_lifecycle_configuration",
    "permission.kms.decrypt",
    "permission.kms.generate_data_key",
    "container.probe",
    "container.http",
    "pod.memory",
    "pod.cpu",
    "pod.open_files",
    "pod.port",
    "pod.grace",
    "pod.order",
    "kubernetes.version",
    "gateway.apis",
    "gateway.tokens",
    "webhooks.keys",
]
"""The ids are an interface: they do not change. In the order of the report."""

CHECK_IDS: Final[Sequence[CheckId]] = get_args(CheckId)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The result of one check.

    Attributes:
        state: see `State`.
        found: what is there, in words; with `not_known` why it could not be looked at.
        action: what to do; "" when there is nothing to do.
    """

    state: State
    found: str
    action: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A verdict of one check about one thing.

    Attributes:
        id: of the check.
        subject: what it is about, such as the name of a queue; "" where there is only one.
        verdict: see `Verdict`.
    """

    id: CheckId
    subject: str
    verdict: Verdict


def ok(found: str) -> Verdict:
    """Return the verdict that nothing is wrong."""
    return Verdict(state="ok", found=found)


def warning(found: str, action: str) -> Verdict:
    """Return the verdict that something is worse than it could be."""
    return Verdict(state="warning", found=found, action=action)


def fault(found: str, action: str) -> Verdict:
    """Return the verdict that something is wrong."""
    return Verdict(state="fault", found=found, action=action)


def not_known(reason: str, action: str = "") -> Verdict:
    """Return the verdict that this could not be looked at."""
    return Verdict(state="not_known", found=reason, action=action)


def all_unknown(ids: Iterable[CheckId], subject: str, reason: str) -> list[Finding]:
    """Return a finding for each of several checks that depend on something which failed."""
    return [Finding(id=one, subject=subject, verdict=not_known(reason)) for one in ids]


def in_order(findings: Iterable[Finding]) -> list[Finding]:
    """Return findings in the order of the report: by id, then by subject."""
    return sorted(findings, key=lambda one: (CHECK_IDS.index(one.id), one.subject))
