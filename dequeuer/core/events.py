"""What the core tells the outside. Metrics and logs subscribe; neither can make work fail."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

SourceOp = Literal["receive", "ack", "renew", "release", "depth", "send"]
StoreOp = Literal["get", "put", "list", "delete"]
Feature = Literal[
    "conditional_writes",
    "bulk_deletions",
    "checksums",
    "full_object_checksums",
    "streamed_checksums",
    "checksums_on_reading",
]
ErrorKind = Literal["unavailable", "denied", "missing", "refused", "invalid"]
Settlement = Literal[
    "completed",
    "failed",
    "already_finished",
    "succeeded",
    "job_completed",
    "duplicate",
    "retried",
    "rejected",
    "poison",
    "requeued",
    "released",
    "lease_lost",
    "error",
]


CredentialProviderName = Literal["environment", "web_identity", "container", "imds", "sdk"]
UnstartedReason = Literal["not_ready", "drain", "waited"]
LimitReason = Literal["started", "more", "fewer", "kept", "undone", "refused"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """A message was received and is held. `queued_s`: from its sending until now; None when unknown."""

    message_id: str
    receive_count: int
    queued_s: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Posted:
    """Work on a message begins: it goes to the container. `queued_s`: from its sending to the POST."""

    queued_s: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponseStarted:
    """The container answered (its status line and headers; the body may still be under way)."""

    kind: Literal["async", "batch", "completion"]
    status_code: int
    duration_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchEnded:
    """An attempt at a batch ended. `duration_s`: from the POST to the end of the answer."""

    succeeded: bool
    duration_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """A message is no longer held. Exactly one for each `Received`.

    Attributes:
        message_id: the queue's id.
        ref: the request id, or empty (bounded and validated).
        settlement: how.
        reason: for the log; clipped, never a payload or a header value.
        held_s: from receive until now.
        receive_count: receives so far.
    """

    message_id: str
    ref: str
    settlement: Settlement
    reason: str
    held_s: float
    receive_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotsChanged:
    """How many of the worker slots are occupied."""

    busy: int
    total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitChanged:
    """Concurrency that finds itself: a step.

    Attributes:
        limit: messages that may be in the container from now on, a trial included.
        settled: what it has found to be right so far.
        reason: a trial with more or fewer begins; it was kept or undone; the container refused what it was given.
    """

    limit: int
    settled: int
    reason: LimitReason


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleasedUnstarted:
    """Messages were released that no work has begun on. Neither `Received` nor `Settled` tell of them."""

    messages: int
    reason: UnstartedReason


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceCalled:
    """One request to the queue ended.

    Attributes:
        op: what was asked.
        messages: how many it carried or brought.
        duration_s: until its answer.
        error: None = fine.
        detail: for the log.
        code: the queue's name for a refusal (`denied`).
    """

    op: SourceOp
    messages: int
    duration_s: float
    error: ErrorKind | None
    detail: str = ""
    code: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreCalled:
    """One request to the store ended. A missing object is `missing`, which is no fault of the store.

    Attributes:
        op: what was asked.
        duration_s: until its answer.
        error: None = fine.
        detail: for the log.
        code: the store's name for a refusal (`denied`).
        key: what the request was about: a key, or a prefix; empty when it was about several. Not for logs.
    """

    op: StoreOp
    duration_s: float
    error: ErrorKind | None
    detail: str = ""
    code: str = ""
    key: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialsRenewed:
    """AWS credentials were fetched.

    Attributes:
        provider: who gave them out.
        expires_at: seconds since the epoch; None: they do not end, or their provider does not tell.
        is_first: there were none before.
        reason: why that provider was chosen; may be empty.
    """

    provider: CredentialProviderName
    expires_at: float | None
    is_first: bool
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialsRenewalFailed:
    """An attempt to fetch AWS credentials failed; it is repeated.

    Attributes:
        provider: who was asked.
        reason: for the log; no part of a credential or an answer.
        valid_for_s: what the present ones have left; 0: there are none that are valid; None: not known.
    """

    provider: CredentialProviderName
    reason: str
    valid_for_s: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreFeatureMissing:
    """The store does not support something; the next best is used from now on. Once for each feature."""

    feature: Feature


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseLost:
    """A lease was lost and its work is fenced off. Counted apart from `Settled`, which follows."""

    message_id: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Probed:
    """A probe ran once. `changed`: its state changed with this result (or this is its first result)."""

    probe: str
    ok: bool
    healthy: bool
    changed: bool
    detail: str
    warning: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class GateChanged:
    """Readiness of the container as a whole changed."""

    is_open: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerProtocolChanged:
    """Nothing is received because the container does not speak HTTP/1, or that is over.

    `looks_like`: what it seems to speak, one of a fixed set of names; "": it is over.
    """

    looks_like: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessPhaseChanged:
    """A step of the life of the process: for the log."""

    phase: Literal["started", "drain", "release", "drained", "queue_empty"]
    in_flight: int


Event = (
    Received
    | Posted
    | ResponseStarted
    | BatchEnded
    | Settled
    | SlotsChanged
    | LimitChanged
    | ReleasedUnstarted
    | SourceCalled
    | StoreCalled
    | CredentialsRenewed
    | CredentialsRenewalFailed
    | StoreFeatureMissing
    | LeaseLost
    | Probed
    | GateChanged
    | ContainerProtocolChanged
    | ProcessPhaseChanged
)


class Observer(Protocol):
    """Listens. Called on the event loop: it must return at once, and must not raise."""

    def __call__(self, event: Event, /) -> None:
        """Take note of one event."""


def ignore(_event: Event, /) -> None:
    """Be an observer that takes no note."""
