"""The results of a job when it ends: `manifest.json`, and what they show of how it ended.

Queue and counts do not tell a batch that succeeded from one whose worker was killed at its last receive. Results do.
"""

from __future__ import annotations

import asyncio
import dataclasses
from typing import Final

from dequeuer.controller.manifest import ManifestWriter
from dequeuer.controller.objects import JobObjects, ObjectTooLargeError
from dequeuer.controller.ownership import Ownership
from dequeuer.core.errors import StoreDeniedError, StoreUnavailableError, clip
from dequeuer.core.plurals import counted
from dequeuer.jobs.checkpoint import InvalidCheckpointError, parse_checkpoint
from dequeuer.jobs.documents import (
    MAX_ERROR_CHARS,
    InvalidDocumentError,
    JobEnd,
    JobError,
    dump_end,
    dump_progress,
    parse_progress,
)
from dequeuer.jobs.layout import JobKeys
from dequeuer.jobs.manifest import ResultSums
from dequeuer.jobs.output_buckets import OutputBuckets
from dequeuer.jobs.s3_path import InvalidS3PathError, parse_s3_path
from dequeuer.jobs.spec import JobSpec
from dequeuer.jobs.state import JobState
from dequeuer.sinks.layout import output_keys

PATIENCE_S: Final = 600.0
"""How long a job that is over waits for a store of results that is away."""
STOPPED_PATIENCE_S: Final = 30.0
"""The same when a stop is requested."""
MAX_SHOWN_RANGES: Final = 20
_ALL_DONE: Final[frozenset[JobState]] = frozenset({"succeeded", "completed_with_failures"})
_NEEDS: Final = "the controller needs s3:ListBucket, s3:GetObject and s3:PutObject there"


class JobOutput:
    """The results of one job.

    Args:
        keys: of the job.
        objects: of jobs.
        buckets: of results.
        ownership: of the job; checked directly before each write.
    """

    def __init__(self, keys: JobKeys, objects: JobObjects, buckets: OutputBuckets, ownership: Ownership) -> None:
        self._keys = keys
        self._objects = objects
        self._buckets = buckets
        self._check = ownership.check
        self._away_since: float | None = None

    async def finish(self, end: JobEnd, spec: JobSpec, *, is_stopped: bool) -> JobEnd:
        """Write the manifest, unless it is there; return how the job ended in view of its results.

        That is stored before the manifest is whole, so a crash between any two calls is followed by the same.

        Args:
            end: how the job ended, as far as its queue and its workers say.
            spec: of the job.
            is_stopped: a stop is requested.

        Raises:
            StoreUnavailableError: try again.
            StoreDeniedError: the bucket of the jobs refuses.
        """
        if spec.output_s3_path is None:
            return end
        try:
            return await self._write(end, spec, spec.output_s3_path)
        except InvalidS3PathError as error:
            reason = clip(str(error))
        except StoreDeniedError as error:
            reason = f"{clip(str(error))}; {_NEEDS}"
        except StoreUnavailableError as error:
            now_s = asyncio.get_running_loop().time()
            self._away_since = now_s if self._away_since is None else self._away_since
            patience_s = STOPPED_PATIENCE_S if is_stopped else PATIENCE_S
            if now_s - self._away_since < patience_s:
                raise
            reason = f"{clip(str(error))}, for {patience_s:g} s"
        return await self._settle(end, _without_manifest(end, spec.output_s3_path, reason))

    async def _write(self, end: JobEnd, spec: JobSpec, s3_path: str) -> JobEnd:
        path = parse_s3_path(s3_path)
        settled = end

        async def settle(sums: ResultSums) -> JobEnd:
            nonlocal settled
            await self._correct_progress(sums, end)
            settled = await self._settle(end, in_view_of(end, sums, spec))
            return settled

        async with self._buckets.open(path.bucket) as store:
            writer = ManifestWriter(store, output_keys(path.key, spec.job_id), spec, self._check)
            if not await writer.exists():
                await writer.write(await self._totals(), settle)
        return settled

    async def _settle(self, before: JobEnd, end: JobEnd) -> JobEnd:
        if end != before:
            self._check()
            await self._objects.put(self._keys.end, dump_end(end))
        return end

    async def _totals(self) -> ResultSums:
        """Return the numbers of batches and items, as far as they are known: all of them were in the queue."""
        batches = items = None
        try:
            count = await self._objects.read(self._keys.max_batch_count)
            checkpoint = await self._objects.read(self._keys.checkpoint)
            if count is not None:
                batches = int(count)
                items = parse_checkpoint(checkpoint).items if checkpoint is not None else None
        except (ValueError, InvalidCheckpointError, ObjectTooLargeError):
            pass  # what cannot be read is not known
        return ResultSums(total_batches=batches, total_items=items)

    async def _correct_progress(self, sums: ResultSums, end: JobEnd) -> None:
        """Store how many items failed, and of a job that was ended early how many are done.

        The counts of workers that were killed are not whole, and drained ones go on after the last look.
        """
        try:
            text = await self._objects.read(self._keys.progress)
            if text is None:
                return
            progress = parse_progress(text)
        except (InvalidDocumentError, ObjectTooLargeError):
            return
        if end.state in _ALL_DONE:
            counts = {"items_failed": sums.errors + (sums.missing_items or 0)}
        else:  # what is missing was not tried
            done = sums.results + sums.errors
            counts = {"items_failed": sums.errors, "items_done": done, "batches_done": sums.recorded_batches}
        corrected = dump_progress(dataclasses.replace(progress, progress={**progress.progress, **counts}))
        if corrected != text:
            self._check()
            await self._objects.put(self._keys.progress, corrected)


def in_view_of(end: JobEnd, sums: ResultSums, spec: JobSpec) -> JobEnd:
    """Return how a job ended: one that has done everything, but without a record of all of it, has failures."""
    if end.state not in _ALL_DONE:
        return end
    items, batches = sums.missing_items or 0, sums.missing_batches or 0
    if not items and not batches:
        return dataclasses.replace(end, state="completed_with_failures") if sums.errors else end
    missing = f"{items} of {sums.total_items} items have" if items else "some items have"
    text = f"{missing} neither a result nor an error"
    if batches:
        ranges = [str(first) if first == last else f"{first}-{last}" for first, last in sums.missing_ranges]
        shown = ", ".join(ranges[:MAX_SHOWN_RANGES]) + (", ..." if len(ranges) > MAX_SHOWN_RANGES else "")
        text += f"; nothing is recorded of {counted(batches, 'batch')} ({shown})"
    if spec.dead_letter_queue is not None:
        text += f": their workers ended at the last receive; they are in {spec.dead_letter_queue.arn}"
    else:
        text += ": their messages are gone from the queue of the job"
    return dataclasses.replace(end, state="completed_with_failures", error=end.error or JobError(message=text))


def _without_manifest(end: JobEnd, s3_path: str, reason: str) -> JobEnd:
    """Return how a job ended whose results cannot be looked at: nobody knows whether all of them are there."""
    text = f"manifest.json could not be written to {clip(s3_path)}: {reason}"
    if end.error is None:
        error = JobError(message=text)
    elif text in end.error.message:
        error = end.error
    else:
        room = MAX_ERROR_CHARS - len(text) - 1
        error = dataclasses.replace(end.error, message=f"{end.error.message[:room]}\n{text}")
    return dataclasses.replace(
        end, state="completed_with_failures" if end.state == "succeeded" else end.state, error=error
    )
