"""Events: what happens in the layers, for metrics and logs. Observers cannot make work fail."""

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
"""unavailable: an outage. denied: a refusal (permission, KMS key, region, bucket). missing: there is no such queue or
object. refused: the queue does not accept the receipt handle, so the lease is lost. invalid: the response cannot be
read."""
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
"""Why a message was released before its work began. waited: it got no slot in time, or none was expected."""
OwnershipEnd = Literal["", "ended", "lost", "drain"]
WebhookResult = Literal["delivered", "refused", "gone", "no_answer", "not_allowed"]
"""refused: another status than 2xx. gone: 410. not_allowed: the name leads to an address that is not allowed."""
WebhookEnd = Literal["delivered", "given_up", "disabled", "not_allowed"]
"""given_up: too old. disabled: the receiver wants no more. not_allowed: its URL is refused."""
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
class SourceCalled:
    """One request to the queue ended.

    Attributes:
        op: the operation.
        messages: how many were received or sent, or for how many entries it succeeded; 0 for a message sent alone.
        duration_s: until the response.
        error: None after a success.
        detail: for the log.
        code: the queue's error code of a refusal (`denied`).
    """

    op: SourceOp
    messages: int
    duration_s: float
    error: ErrorKind | None
    detail: str = ""
    code: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreCalled:
    """One request to the store ended. The error `missing` (no such object) is not a fault of the store.

    Attributes:
        op: the operation.
        duration_s: until the response.
        error: None after a success.
        detail: for the log.
        code: the store's error code of a refusal (`denied`).
        key: the key or prefix of the request; "" when there are several. Not for logs.
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
        provider: where they come from.
        expires_at: seconds since the epoch; None when they do not expire, or the provider does not say.
        is_first: there were no credentials before.
        reason: why this provider was chosen; may be "".
    """

    provider: CredentialProviderName
    expires_at: float | None
    is_first: bool
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialsRenewalFailed:
    """An attempt to fetch AWS credentials failed; it will be repeated.

    Attributes:
        provider: the provider that failed.
        reason: for the log; quotes nothing of a credential or a response.
        valid_for_s: how long the present credentials stay valid; 0 when there are no valid ones; None when not known.
    """

    provider: CredentialProviderName
    reason: str
    valid_for_s: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreFeatureMissing:
    """The store does not support a feature; a replacement is used from now on. Emitted once for each feature."""

    feature: Feature


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseLost:
    """A lease was lost, and its work is fenced. A `Settled` event follows."""

    message_id: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Probed:
    """A probe ran once.

    Attributes:
        probe: its name.
        ok: the result of this run.
        healthy: the state of the probe after the thresholds.
        changed: whether `healthy` changed, or this is the first run.
        detail: for the log.
        warning: the detail is worth a log line, also when `ok`.
    """

    probe: str
    ok: bool
    healthy: bool
    changed: bool
    detail: str
    warning: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class GateChanged:
    """The readiness of the container changed: all its probes together."""

    is_open: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerProtocolChanged:
    """No messages are received, because the container does not speak HTTP/1; or this is over.

    `looks_like`: the protocol that it seems to speak, one of a fixed set of names; "" when it is over.
    """

    looks_like: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookAttempted:
    """A webhook was sent, or could not be. `duration_s`: of the attempt."""

    result: WebhookResult
    duration_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookEnded:
    """Nothing more is done for a webhook.

    Attributes:
        api_name: of the request that it is about.
        request_id: of the request that it is about.
        end: how it ended; a metric label.
        reason: why it was not delivered; "" when it was.
        age_s: seconds since the request ended.
    """

    api_name: str
    request_id: str
    end: WebhookEnd
    reason: str
    age_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessPhaseChanged:
    """The process entered another phase: for the log."""

    phase: Literal["started", "drain", "release", "drained", "queue_empty"]
    in_flight: int


@dataclass(frozen=True, slots=True, kw_only=True)
class JobObserved:
    """A controller has looked at a job that it owns.

    Attributes:
        kind: of the API: BatchAPI or TaskAPI.
        api_name: of the job.
        job_id: of the job.
        state: its status.
        messages: in its queue.
        age_s: seconds since it was submitted.
    """

    kind: str
    api_name: str
    job_id: str
    state: str
    messages: int
    age_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class JobMeasured:
    """A controller has measured how far a batch job is. What is not known yet counts as 0.

    Attributes:
        kind: of the API: BatchAPI.
        api_name: of the job.
        job_id: of the job.
        batches_total: of the job; 0 while they are being enqueued.
        batches_done: neither in the queue nor with a worker.
        items_total: of the job; 0 while they are being enqueued.
        items_done: of the batches that are done, those that failed included.
        items_failed: for good.
    """

    kind: str
    api_name: str
    job_id: str
    batches_total: int
    batches_done: int
    items_total: int
    items_done: int
    items_failed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class JobChanged:
    """A job has another status.

    Attributes:
        kind: of the API: BatchAPI or TaskAPI.
        api_name: of the job.
        job_id: of the job.
        state: its status.
        error: why it failed; "" when it did not. Clipped.
        duration_s: from its submission to its end; None: it has not ended.
    """

    kind: str
    api_name: str
    job_id: str
    state: str
    error: str = ""
    duration_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobOwnershipChanged:
    """A controller begins to act for a job, or does not act for it any more. `reason`: why not any more."""

    kind: str
    api_name: str
    job_id: str
    is_owned: bool
    reason: OwnershipEnd = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobPassFailed:
    """A controller could not act for a job; it tries again. `error`: clipped."""

    kind: str
    api_name: str
    job_id: str
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class JobProcessStarted:
    """A process of a job was started: `enqueuer`, or `worker-0` and so on."""

    api_name: str
    job_id: str
    process: str


@dataclass(frozen=True, slots=True, kw_only=True)
class JobProcessEnded:
    """A process of a job has ended by itself. `detail`: how; clipped, without its output."""

    api_name: str
    job_id: str
    process: str
    phase: str
    detail: str


Event = (
    Received
    | Posted
    | ResponseStarted
    | BatchEnded
    | ItemsFailed
    | BatchFailed
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
    | WebhookAttempted
    | WebhookEnded
    | ProcessPhaseChanged
    | JobObserved
    | JobMeasured
    | JobChanged
    | JobOwnershipChanged
    | JobPassFailed
    | JobProcessStarted
    | JobProcessEnded
)


class Observer(Protocol):
    """Gets events. It is called on the event loop: it must not block and must not raise."""

    def __call__(self, event: Event, /) -> None:
        """Record one event."""


def ignore(_event: Event, /) -> None:
    """Ignore all events: an observer for tests and tools."""
