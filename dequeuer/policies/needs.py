"""What a program needs of AWS: actions, on what, in which case, and what happens without."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from dequeuer.core.errors import quoted

Program = Literal["async", "queue", "batch", "enqueuer", "gateway", "controller", "webhooks", "provision"]
"""async, queue and batch: the sidecar of an API of that kind."""

Case = Literal[
    "always",
    "own_key",
    "expiry",
    "redrive",
    "webhooks",
    "events_queue",
    "events_topic",
    "events_bus",
    "payloads",
    "payload_deletion",
    "job_objects",
    "results",
    "files",
    "jobs",
    "dead_letters",
    "queues",
    "buckets",
    "tls_only",
]
"""When something is needed; see `CASES`."""

CASES: Final[Mapping[Case, str]] = {
    "always": "always",
    "own_key": "the bucket or the queue is encrypted with a KMS key of your own",
    "expiry": "DEQUEUER_RESULT_RETENTION_DAYS is not 0",
    "redrive": "the queue has a redrive policy",
    "webhooks": "DEQUEUER_WEBHOOK_QUEUE is set",
    "events_queue": "DEQUEUER_EVENTS_TARGET is a queue",
    "events_topic": "DEQUEUER_EVENTS_TARGET is a topic",
    "events_bus": "DEQUEUER_EVENTS_TARGET is a bus",
    "payloads": "DEQUEUER_QUEUE_PAYLOAD_BUCKETS names a bucket",
    "payload_deletion": "DEQUEUER_QUEUE_DELETE_PAYLOADS is true",
    "job_objects": "DEQUEUER_WORKER_ID or DEQUEUER_OUTPUT is set",
    "results": "results are kept: DEQUEUER_QUEUE_RESULTS, DEQUEUER_OUTPUT, or output of a job",
    "files": "jobs read files in S3",
    "jobs": "DEQUEUER_APIS names a file with batch or task APIs",
    "dead_letters": "dead letters are shown and redriven",
    "queues": "queues are created",
    "buckets": "a bucket is created",
    "tls_only": "the bucket refuses requests without TLS",
}
"""Each case in words."""

CASES_OF_EVENTS: Final[Mapping[str, Case]] = {"sqs": "events_queue", "sns": "events_topic", "events": "events_bus"}
"""By the service of `DEQUEUER_EVENTS_TARGET`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """One action that a program needs.

    Attributes:
        action: as IAM names it, such as `sqs:SendMessage`.
        resource: an ARN in which `<queue>`, `<bucket>` and other names in angle brackets stand for real ones.
        case: when it is needed.
        without: what happens without it, in words.
        is_optional: whether the program goes on with its work without it.
    """

    action: str
    resource: str
    case: Case
    without: str
    is_optional: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class NeedsOfProgram:
    """The needs that one policy of docs/permissions.md grants.

    Attributes:
        name: of the policy.
        program: that needs it.
        needs: in the order of the policy.
    """

    name: str
    program: Program
    needs: Sequence[Need]


@dataclass(frozen=True, slots=True, kw_only=True)
class Actions:
    """Actions on the same resources, in the same case, as the tables of this room are written."""

    actions: Sequence[str]
    resources: Sequence[str]
    case: Case = "always"


def needs_of(  # noqa: PLR0913 - the parts of one table
    name: str,
    program: Program,
    groups: Sequence[Actions],
    without: Mapping[str, str],
    otherwise: str = "",
    *,
    optional: Collection[str] = (),
) -> NeedsOfProgram:
    """Return the needs of a program.

    Args:
        name: of the policy.
        program: that needs it.
        groups: the actions, in the order of the policy.
        without: what happens without an action.
        otherwise: the same, for actions that are not in `without`.
        optional: actions without which the program goes on with its work.

    Raises:
        ValueError: an action has no text, or a text or an optional action belongs to no action.
    """
    needs = tuple(
        Need(
            action=action,
            resource=resource,
            case=group.case,
            without=without.get(action, otherwise),
            is_optional=action in optional,
        )
        for group in groups
        for resource in group.resources
        for action in group.actions
    )
    if silent := [need.action for need in needs if not need.without]:
        raise ValueError(f"{name}: {quoted(silent[0])} does not say what happens without it; add it to `without`")
    if unused := {*without, *optional} - {need.action for need in needs}:
        raise ValueError(
            f"{name}: {quoted(min(unused))} is no action of this policy; remove it from `without` or `optional`"
        )
    return NeedsOfProgram(name=name, program=program, needs=needs)


def selected(of_programs: Sequence[NeedsOfProgram], program: Program, cases: Collection[Case]) -> Sequence[Need]:
    """Return what a program needs in some cases; `always` needs no mention."""
    return tuple(
        need
        for one in of_programs
        if one.program == program
        for need in one.needs
        if need.case == "always" or need.case in cases
    )
