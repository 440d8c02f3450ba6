"""The end of a job: it is decided once, and what follows can be done again after a crash at any point."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from dequeuer.controller.launchers.base import Launcher
from dequeuer.controller.objects import JobObjects
from dequeuer.controller.output import JobOutput
from dequeuer.controller.ownership import Ownership
from dequeuer.core import clock
from dequeuer.core.errors import clip
from dequeuer.jobs.documents import MAX_ERROR_CHARS, JobEnd, JobError, dump_end
from dequeuer.jobs.layout import JobKeys
from dequeuer.jobs.queue import queue_name
from dequeuer.jobs.spec import JobSpec
from dequeuer.jobs.state import JobState
from dequeuer.jobs.worker_counts import WorkerCounts, dump_metrics
from dequeuer.sources.sqs.management import Queues


class JobEnding:
    """Ends one job.

    Args:
        keys: of the job.
        objects: of jobs.
        queues: of jobs.
        launcher: runs the job's processes.
        output: its results.
        cluster_name: part of the queue's name.
        ownership: of the job; checked directly before each action.
    """

    def __init__(  # noqa: PLR0913 - one parameter for each collaborator
        self,
        keys: JobKeys,
        objects: JobObjects,
        queues: Queues,
        launcher: Launcher,
        output: JobOutput,
        *,
        cluster_name: str,
        ownership: Ownership,
    ) -> None:
        self._keys = keys
        self._objects = objects
        self._queues = queues
        self._launcher = launcher
        self._output = output
        self._cluster_name = cluster_name
        self._ownership, self._check = ownership, ownership.check

    async def decide(self, state: JobState, error: JobError | None) -> bool:
        """Store how the job ends; return False when that is stored already, perhaps by another controller."""
        if error is not None:
            error = JobError(message=_clip_lines(error.message), source=error.source, offset=error.offset)
        end = JobEnd(state=state, end_time_ns=int(clock.wall() * 1e9), error=error)
        self._check()
        return await self._objects.create(self._keys.end, dump_end(end))

    async def finish(
        self, end: JobEnd, spec: JobSpec, count: Callable[[], Awaitable[WorkerCounts]], *, is_stopped: bool
    ) -> JobEnd:
        """Do what follows the end; return how the job ended in view of its results.

        The order lets every crash be followed by another call. First nothing is delivered any more, then the workers
        are drained and counted, then results are counted, then the end is shown, then queue and input are deleted. The
        index comes last: from then on no controller looks at the job.
        """
        is_batch = spec.kind == "BatchAPI"
        queue_url = await self._queue_url(spec) if is_batch else None
        if queue_url is not None:
            self._check()
            await self._queues.purge(queue_url)
        found = await self._launcher.observe(self._keys)
        self._check()
        await self._launcher.stop(self._keys, tuple(found))
        if is_batch:
            counts = await count()
            self._check()
            await self._objects.put(self._keys.metrics, dump_metrics(counts))
            end = await self._output.finish(end, spec, is_stopped=is_stopped)
        self._check()
        await self._objects.put(self._keys.marker(end.state))
        if queue_url is not None:
            self._check()
            await self._queues.delete(queue_url)
        self._check()
        await self.delete_input()
        await self._ownership.forget()
        self._check()
        await self._objects.delete([self._keys.in_progress])
        return end

    async def delete_input(self) -> None:
        """Delete what only an enqueuer reads. For a job that has ended."""
        await self._objects.delete([self._keys.payload, self._keys.checkpoint])

    async def _queue_url(self, spec: JobSpec) -> str | None:
        # By name, too: a controller may have been killed between the creation and the note of its URL.
        return spec.sqs_url or await self._queues.find(queue_name(self._cluster_name, spec))


def _clip_lines(text: str) -> str:
    return "\n".join(clip(line) for line in text.split("\n"))[:MAX_ERROR_CHARS]
