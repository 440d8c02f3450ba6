"""What a worker of a batch job has done, stored among the objects of the job: `workers/<id>.json`."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Final

from dequeuer.core.errors import StoreDeniedError, StoreUnavailableError
from dequeuer.core.events import BatchEnded, BatchFailed, Event, ItemsFailed, Settled
from dequeuer.jobs.layout import JobKeys
from dequeuer.jobs.worker_counts import WorkerCounts, dump_counts
from dequeuer.sinks.base import Sink

INTERVAL_S: Final = 5.0
"""A worker that is killed loses the counts of this time. The controller allows for that. What failed for good
decides how the job ends, and is written at once."""
LAST_WRITE_TIMEOUT_S: Final = 5.0
"""The longest time that the last write may take."""
MIN_LAST_WRITE_S: Final = 0.5
"""The time that the last write may take in every case, also when the worker has used up the time of the drain."""
_STORE_ERRORS = (StoreUnavailableError, StoreDeniedError)


class BatchCounter:
    """An observer that counts batches.

    Attributes:
        counts: so far.
        has_failed: set when something has failed for good; whoever stores the counts clears it.
    """

    def __init__(self) -> None:
        self.counts = WorkerCounts()
        self.has_failed = asyncio.Event()

    def __call__(self, event: Event) -> None:
        """Count one event."""
        if isinstance(event, BatchEnded):
            if event.succeeded:
                done = WorkerCounts(succeeded=1, seconds=event.duration_s)
            else:
                done = WorkerCounts(failed_attempts=1)
            self.counts += done
        elif isinstance(event, ItemsFailed):
            self.counts += WorkerCounts(failed_items=event.items)
            self.has_failed.set()
        elif isinstance(event, BatchFailed):
            self.counts += WorkerCounts(failed_batches=1)
            self.has_failed.set()
        elif isinstance(event, Settled) and event.settlement == "failed":  # in a batch job: the completion
            self.counts += WorkerCounts(failed_completions=1)
            self.has_failed.set()


class StoredCounts:
    """Writes the counts while they change, and once more at the end.

    Args:
        counter: has them.
        sink: the bucket of the job.
        keys: of the job.
        worker_id: of this run of the worker.
    """

    def __init__(self, counter: BatchCounter, sink: Sink, keys: JobKeys, worker_id: str) -> None:
        self._counter = counter
        self._sink = sink
        self._key = keys.worker(worker_id)
        self._written = WorkerCounts()

    async def run(self) -> None:
        """Write until cancelled. A store that fails is asked again with the next change or interval."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(INTERVAL_S):
                    await self._counter.has_failed.wait()
            self._counter.has_failed.clear()
            with suppress(*_STORE_ERRORS):
                await self._write()

    async def finish(self, until: float) -> None:
        """Write what has not been written. Without success the job only takes longer to end.

        `until`: loop time at which the pod may be killed soon. The write then still gets `MIN_LAST_WRITE_S`; it never
        takes longer than `LAST_WRITE_TIMEOUT_S`.
        """
        left_s = until - asyncio.get_running_loop().time()
        with suppress(*_STORE_ERRORS, TimeoutError):
            async with asyncio.timeout(min(LAST_WRITE_TIMEOUT_S, max(MIN_LAST_WRITE_S, left_s))):
                await self._write()

    async def _write(self) -> None:
        counts = self._counter.counts
        if counts != self._written:
            await self._sink.put(self._key, dump_counts(counts), "application/json")
            self._written = counts
