"""Looks at a job: its objects, its queue, its processes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, TypeVar

from dequeuer.controller.launchers.base import Launcher
from dequeuer.controller.memory import QueueLooks, Runs
from dequeuer.controller.objects import JobObjects, ObjectTooLargeError
from dequeuer.controller.observed import Observed
from dequeuer.core import clock
from dequeuer.jobs.checkpoint import Checkpoint, InvalidCheckpointError, parse_checkpoint
from dequeuer.jobs.documents import InvalidDocumentError, JobEnd, JobError, parse_end
from dequeuer.jobs.enqueue_error import parse_error
from dequeuer.jobs.layout import JobKeys
from dequeuer.jobs.spec import InvalidSpecError, JobSpec, parse_spec
from dequeuer.jobs.worker_counts import InvalidCountsError, WorkerCounts, parse_counts, total
from dequeuer.sources.sqs.management import Queues

T = TypeVar("T")

UNREADABLE_END: Final = "end.json cannot be read"
UNACCOUNTED_FACTOR: Final = 6.0
"""The queue must be found empty for so much longer when the workers have not counted every batch: one was killed, or
the counts of the queue are wrong for once."""
COUNTS_INTERVAL_S: Final = 5.0
"""Between two readings of the counts of the workers, while there is work."""
_WORKERS: Final = "workers/"
_FAILURES: Final = "failures/"
"""Written before a batch is gone from the queue, so unlike the counts it is never missing."""


class NoSpecError(InvalidSpecError):
    """The job has no specification: it was deleted by hand."""


class Observation:
    """Looks at one job again and again.

    Args:
        keys: of the job.
        objects: of jobs.
        queues: of jobs.
        launcher: runs the job's processes.
        delay_s: how far the counts of a queue may lag behind.
    """

    def __init__(
        self, keys: JobKeys, objects: JobObjects, queues: Queues, launcher: Launcher, *, delay_s: float
    ) -> None:
        self._keys = keys
        self._objects = objects
        self._queues = queues
        self._launcher = launcher
        self._looks = QueueLooks(delay_s)
        self._counts_read_at = -COUNTS_INTERVAL_S
        self.runs = Runs()
        self.counts = WorkerCounts()
        """Of the workers, as of the last look."""

    async def look(self, spec: JobSpec | None = None) -> Observed:
        """Return what is found now. `spec`: stands for a stored specification that cannot be read.

        Raises:
            InvalidSpecError: the specification cannot be read, or is missing (`NoSpecError`).
            StoreUnavailableError, StoreDeniedError, SourceUnavailableError, SourceDeniedError,
            LauncherUnavailableError: look again later.
        """
        keys, now_s = self._keys, asyncio.get_running_loop().time()
        names = await self._objects.names(keys.prefix)
        spec = spec or await self._spec()
        if "end.json" in names:
            return Observed(names=names, spec=spec, now_ns=_now_ns(), end=await self._end())
        # The count is written before the completion message is sent, and the submission is deleted after it.
        is_sent = _name(keys.payload) not in names
        batches = await self._parsed(keys.max_batch_count, names, int) if is_sent else None
        checkpoint = await self._checkpoint(names)
        error = await self._parsed(keys.enqueue_error, names, parse_error)
        depth = await self._queues.depth(spec.sqs_url) if spec.sqs_url else None
        processes = await self._launcher.observe(keys)
        is_empty = depth is not None and depth.total == 0
        if _WORKERS in names and (is_empty or now_s - self._counts_read_at >= COUNTS_INTERVAL_S):
            self.counts, self._counts_read_at = await self.read_counts(), now_s
        self._looks.update(depth.total if depth is not None else None, now_s, is_sent=batches is not None)
        self.runs.update(processes, checkpoint.batches if checkpoint is not None else 0, now_s)
        is_accounted = batches is not None and self.counts.succeeded + self.counts.failed_batches >= batches
        return Observed(
            names=names,
            spec=spec,
            now_ns=_now_ns(),
            total_batches=batches,
            checkpoint=checkpoint,
            enqueue_error=error,
            depth=depth,
            processes=processes,
            has_failures=self.counts.has_failures or _FAILURES in names,
            is_empty_for_long=self._looks.is_empty_for_long(now_s, factor=1.0 if is_accounted else UNACCOUNTED_FACTOR),
            is_gone_for_long=self._looks.is_gone_for_long,
            enqueuer_failures=self.runs.enqueuer_failures,
            worker_failures=self.runs.worker_failures,
            waits=self.runs.waiting(now_s),
        )

    async def read_counts(self) -> WorkerCounts:
        """Return what all workers of the job have done so far."""
        found = [await self._read(key, parse_counts) for key in await self._objects.keys(self._keys.workers)]
        return total(counts for counts in found if counts is not None)

    async def _spec(self) -> JobSpec:
        try:
            text = await self._objects.read(self._keys.spec)
        except ObjectTooLargeError as error:
            raise InvalidSpecError(str(error)) from error
        if text is None:
            raise NoSpecError("spec.json is missing")
        return parse_spec(text)

    async def _end(self) -> JobEnd:
        try:
            return parse_end(await self._objects.read(self._keys.end) or b"")
        except (InvalidDocumentError, ObjectTooLargeError):
            return JobEnd(state="unexpected_error", end_time_ns=_now_ns(), error=JobError(message=UNREADABLE_END))

    async def _checkpoint(self, names: frozenset[str]) -> Checkpoint | None:
        return await self._parsed(self._keys.checkpoint, names, parse_checkpoint)

    async def _parsed(self, key: str, names: frozenset[str], parse: Callable[[bytes], T]) -> T | None:
        return await self._read(key, parse) if _name(key) in names else None

    async def _read(self, key: str, parse: Callable[[bytes], T]) -> T | None:
        """Return what an object says; None when there is none, or when it cannot be read."""
        try:
            text = await self._objects.read(key)
            return None if text is None else parse(text)
        except (InvalidCheckpointError, InvalidCountsError, ObjectTooLargeError, ValueError):
            return None


def _name(key: str) -> str:
    return key.rpartition("/")[2]


def _now_ns() -> int:
    return int(clock.wall() * 1e9)
