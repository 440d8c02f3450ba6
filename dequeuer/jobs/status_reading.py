"""Finds out the status of a job from its objects in S3 and the counts of its queue; nothing is kept in memory."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection
from typing import Protocol, TypeVar

from dequeuer.core.errors import StoreMissingError
from dequeuer.jobs.documents import InvalidDocumentError, parse_end, parse_metrics, parse_progress
from dequeuer.jobs.errors import UnknownJobError
from dequeuer.jobs.layout import JobKeys
from dequeuer.jobs.object_names import object_names
from dequeuer.jobs.spec import InvalidSpecError, JobSpec, parse_spec
from dequeuer.jobs.state import JobState, has_ended, state_of
from dequeuer.jobs.status import JobStatus
from dequeuer.sinks.base import Fetch, Listing

T = TypeVar("T")

MAX_DOCUMENT_BYTES = 8 << 20
"""Of one object of a job; the largest is a specification with a config of 1 MiB, all of it escaped."""


class QueueCounts(Protocol):
    """Counts messages."""

    async def count(self, queue_url: str) -> int | None:
        """Return how many messages are visible or in flight; None when the queue does not exist.

        Raises `SourceUnavailableError`, `SourceDeniedError`.
        """


class JobObjects(Fetch, Listing, Protocol):
    """The bucket of the jobs."""


class StatusReader:
    """Reads the status of jobs.

    Raises:
        UnknownJobError: there is no such job.
        InvalidSpecError: its specification cannot be read.
        StoreUnavailableError, StoreDeniedError, SourceUnavailableError, SourceDeniedError: as the store and the queue.
    """

    def __init__(self, fetch: JobObjects, queues: QueueCounts) -> None:
        self._fetch = fetch
        self._queues = queues

    async def read(self, keys: JobKeys) -> JobStatus:
        """Return the status of one job."""
        names = await object_names(self._fetch, keys.prefix)
        if not names:
            raise UnknownJobError(keys.kind, keys.api_name, keys.job_id)
        return await self.read_listed(keys, names)

    async def read_listed(self, keys: JobKeys, names: Collection[str]) -> JobStatus:
        """Return the status of a job whose objects have been listed. `names`: of those below its prefix."""
        spec = await self._spec(keys)
        end = await self._document(keys.end, names, parse_end)
        progress = await self._document(keys.progress, names, parse_progress)
        metrics = await self._document(keys.metrics, names, parse_metrics)
        state, end_time_ns = await self._marked(keys, names)
        if end is not None and not has_ended(state):
            if spec.output_s3_path is None:
                # It has ended; the marker that says so is about to be written.
                state, end_time_ns = end.state, end.end_time_ns
            else:
                end = None  # its results are still being counted, and may change how it ends
        status = JobStatus(
            spec=spec,
            state=state,
            end_time_ns=end_time_ns,
            progress=progress,
            metrics=metrics,
            error=None if end is None else end.error,
            is_paused="pause" in names and not has_ended(state),
            is_stopping="stop" in names and not has_ended(state),
        )
        return status if status.has_ended else await self._with_counts(status)

    async def _with_counts(self, status: JobStatus) -> JobStatus:
        spec = status.spec
        if not spec.sqs_url:
            return status
        count = await self._queues.count(spec.sqs_url)
        if count is None:
            return dataclasses.replace(status, spec=dataclasses.replace(spec, total_batch_count=0))
        batches = max(0, count - 1)  # the completion message is no batch
        if status.state == "enqueuing":
            spec = dataclasses.replace(spec, total_batch_count=batches)
        return dataclasses.replace(status, spec=spec, batches_in_queue=batches)

    async def _spec(self, keys: JobKeys) -> JobSpec:
        try:
            text, _ = await self._read(keys.spec)
        except StoreMissingError:
            raise UnknownJobError(keys.kind, keys.api_name, keys.job_id) from None
        except InvalidDocumentError as error:
            raise InvalidSpecError(f"spec.json is {error}") from error
        return parse_spec(text)

    async def _document(self, key: str, names: Collection[str], parse: Callable[[bytes], T]) -> T | None:
        if key.rpartition("/")[2] not in names:
            return None
        try:
            text, _ = await self._read(key)
            return parse(text)
        except (StoreMissingError, InvalidDocumentError):
            return None

    async def _marked(self, keys: JobKeys, names: Collection[str]) -> tuple[JobState, int | None]:
        """Return what the markers say, and when the deciding one was written if it ended the job."""
        state = state_of(names, keys.kind)
        if state == "unknown" and keys.in_progress in await self._fetch.list(keys.in_progress):
            # Accepted, and nobody has begun with it. A submission that was broken off is not in the index: unknown.
            return "pending", None
        if not has_ended(state):
            return state, None
        try:
            _, modified_at_s = await self._read(keys.marker(state))
        except StoreMissingError:
            return state, None
        return state, int(modified_at_s) * 1_000_000_000  # S3 stores whole seconds

    async def _read(self, key: str) -> tuple[bytes, float]:
        found = await self._fetch.get(key)
        content = await found.read(MAX_DOCUMENT_BYTES)
        if content is None:
            raise InvalidDocumentError("too large")
        return content, found.modified_at
