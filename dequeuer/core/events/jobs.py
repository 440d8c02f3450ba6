"""Events of a controller and its jobs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

OwnershipEnd = Literal["", "ended", "lost", "drain"]


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
