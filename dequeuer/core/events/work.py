"""Events of messages and of the process that works on them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

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
UnstartedReason = Literal["not_ready", "drain", "waited", "max_messages"]
"""Why a message was released before its work began. waited: it got no slot in time, or none was expected; max_messages:
the process works on no more."""
LimitReason = Literal["started", "more", "fewer", "kept", "undone", "refused"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """The work on a received message begins. Not emitted for messages that are released before: `ReleasedUnstarted`.

    `queued_s`: time since it was sent; None when not known.
    """

    message_id: str
    receive_count: int
    queued_s: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Posted:
    """A message is sent to the container. `queued_s`: time since it was sent to the queue; None when not known."""

    queued_s: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponseStarted:
    """Status line and headers of the container's response have arrived; the body may still be arriving."""

    kind: Literal["async", "batch", "completion", "queue"]
    status_code: int
    duration_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchEnded:
    """A batch of the job succeeded, or an attempt at a message with items failed. A release emits nothing.

    `duration_s`: from the POST to the end of the response; after a failure, to the decision that it is one.
    """

    succeeded: bool
    duration_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemsFailed:
    """Items of a batch failed for good: as the container says, or when they were tried again by themselves.

    The items of a `BatchFailed` are not counted here.
    """

    items: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchFailed:
    """A batch of the job failed for good, all of it. Recorded already, and reported at most once.

    It is not reported when the response to the write of its record was lost: then the record alone tells of it.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """The lease of a message is no longer held. There is exactly one for each `Received`.

    Attributes:
        message_id: the queue's id.
        ref: the valid request id, or "".
        settlement: how the message was settled; a metric label.
        reason: for the log, which clips it; never a payload or a header value.
        held_s: seconds since its work began.
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
    """How many slots are occupied, of how many."""

    busy: int
    total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitChanged:
    """`DEQUEUER_WORKERS=auto` changed the limit of messages in the container.

    Attributes:
        limit: from now on; may be a trial.
        baseline: the best limit found so far.
        reason: a trial with a higher or lower limit begins (`more`, `fewer`), or it was successful (`kept`) or not
            (`undone`); `refused`: the container refused messages; `started`: the first value.
    """

    limit: int
    baseline: int
    reason: LimitReason


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleasedUnstarted:
    """Messages were released before their work began. There are no `Received` and `Settled` events for them."""

    messages: int
    reason: UnstartedReason


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsumptionPaused:
    """A client paused the API, or resumed it: from now on nothing is received, or messages are again."""

    is_paused: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseLost:
    """A lease was lost, and its work is fenced. A `Settled` event follows."""

    message_id: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessPhaseChanged:
    """The process entered another phase: for the log."""

    phase: Literal["started", "drain", "release", "drained", "queue_empty", "idle", "max_messages"]
    in_flight: int
