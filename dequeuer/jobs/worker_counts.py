"""What the workers of a batch job have done: `workers/<id>.json`, one for each run; summed up in `metrics.json`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields

from dequeuer.core.errors import DequeuerError
from dequeuer.formats.go_json import decode_object, encode


class InvalidCountsError(DequeuerError):
    """A stored object holds no counts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerCounts:
    """Counts of one run of a worker, or of all of them.

    Attributes:
        succeeded: batches.
        failed_attempts: attempts at batches that failed; Cortex's `failed`.
        failed_batches: batches that failed for good.
        seconds: time that the batches that succeeded took in the container.
        failed_items: that the container named as failed; those of batches that failed are not among them.
        failed_completions: the container did not accept `/on-job-complete`.
    """

    succeeded: int = 0
    failed_attempts: int = 0
    failed_batches: int = 0
    seconds: float = 0.0
    failed_items: int = 0
    failed_completions: int = 0

    @property
    def has_failures(self) -> bool:
        """Whether something failed for good: the job is completed, with failures."""
        return self.failed_batches > 0 or self.failed_items > 0 or self.failed_completions > 0

    def __add__(self, other: WorkerCounts) -> WorkerCounts:
        return WorkerCounts(**{one.name: getattr(self, one.name) + getattr(other, one.name) for one in fields(self)})


def total(counts: Iterable[WorkerCounts]) -> WorkerCounts:
    """Return the sum."""
    return sum(counts, WorkerCounts())


def dump_counts(counts: WorkerCounts) -> bytes:
    """Return the text of `workers/<id>.json`."""
    return encode({one.name: getattr(counts, one.name) for one in fields(counts)}).encode()


def parse_counts(text: bytes) -> WorkerCounts:
    """Return what a worker has done. Raises `InvalidCountsError`."""
    try:
        found = decode_object(text)
        return WorkerCounts(
            succeeded=int(found["succeeded"]),
            failed_attempts=int(found["failed_attempts"]),
            failed_batches=int(found["failed_batches"]),
            seconds=float(found["seconds"]),
            failed_items=int(found["failed_items"]),
            failed_completions=int(found["failed_completions"]),
        )
    except (ValueError, TypeError, KeyError) as error:
        raise InvalidCountsError("the counts of a worker cannot be read") from error


def dump_metrics(counts: WorkerCounts) -> bytes:
    """Return the text of `metrics.json`, with Cortex's fields."""
    average = counts.seconds / counts.succeeded if counts.succeeded else None
    return encode(
        {"succeeded": counts.succeeded, "failed": counts.failed_attempts, "average_time_per_batch": average}
    ).encode()
