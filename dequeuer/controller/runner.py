"""Runs one job: owns it, looks at it, and takes one step after the other until it has ended."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import logging
from dataclasses import dataclass
from typing import Any, Final, assert_never

from dequeuer.controller.decisions import decide
from dequeuer.controller.ending import JobEnding
from dequeuer.controller.launchers.base import Launcher, LauncherUnavailableError
from dequeuer.controller.objects import STORE_ERRORS, JobObjects
from dequeuer.controller.observation import NoSpecError, Observation
from dequeuer.controller.observed import Observed
from dequeuer.controller.output import JobOutput
from dequeuer.controller.ownership import Ownership, OwnershipLostError
from dequeuer.controller.processes import JobProcesses
from dequeuer.controller.progress import ProgressMeter
from dequeuer.controller.reports import JobReports
from dequeuer.controller.steps import End, Finish, MarkRunning, PrepareQueue, RecordTotal, Start, Step, Stop, Wait
from dequeuer.core.errors import SourceDeniedError, SourceUnavailableError, StoreDeniedError, StoreUnavailableError
from dequeuer.core.events import Observer
from dequeuer.core.retry import Backoff, retry_until_available
from dequeuer.jobs.documents import JobError, dump_progress
from dequeuer.jobs.layout import JobKeys
from dequeuer.jobs.output_buckets import OutputBuckets
from dequeuer.jobs.queue import queue_attributes, queue_name, queue_tags
from dequeuer.jobs.spec import InvalidSpecError, JobSpec, dump_spec
from dequeuer.sources.sqs.management import QueueRefusedError, Queues

_LOG = logging.getLogger(__name__)
PASS_ERRORS: Final = (*STORE_ERRORS, SourceUnavailableError, SourceDeniedError, LauncherUnavailableError)
"""The next pass may succeed."""
PASS_BACKOFF: Final = Backoff(initial_s=1.0, max_s=30.0, min_share=0.5)
MIN_PAUSE_S: Final = 1.0
MAX_PAUSE_S: Final = 5.0
"""Between two looks: short after a step, longer while nothing happens. A pause or a stop works within this time."""
PAUSE_GROWTH: Final = 1.5
PROGRESS_INTERVAL_S: Final = 5.0
RELEASE_TIMEOUT_S: Final = 120.0
"""For the end of the processes of a job that is handed over, longer than they may take to drain. The process of a
controller must end, also when its launcher is away."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """What all jobs share.

    Attributes:
        objects: of jobs.
        queues: of jobs.
        launcher: runs their processes.
        outputs: the buckets of their results.
        observer: of what happens to them.
        cluster_name: part of the names of their queues.
        owner_id: of this controller.
        ownership_timeout_s: after which the owner of a job counts as dead.
        queue_delay_s: how far the counts of a queue may lag behind.
    """

    objects: JobObjects
    queues: Queues
    launcher: Launcher
    outputs: OutputBuckets
    observer: Observer
    cluster_name: str
    owner_id: str
    ownership_timeout_s: float
    queue_delay_s: float


class JobRunner:
    """Runs one job that this controller is to act for."""

    def __init__(self, keys: JobKeys, services: Services) -> None:
        self._keys = keys
        self._services = services
        self._objects = services.objects
        self._ownership = Ownership(services.objects, keys.prefix, services.owner_id, services.ownership_timeout_s)
        self._observation = Observation(
            keys, services.objects, services.queues, services.launcher, delay_s=services.queue_delay_s
        )
        self._ending = JobEnding(
            keys,
            services.objects,
            services.queues,
            services.launcher,
            JobOutput(keys, services.objects, services.outputs, self._ownership),
            cluster_name=services.cluster_name,
            ownership=self._ownership,
        )
        self._processes = JobProcesses(keys, services.launcher)
        self._reports = JobReports(keys, services.observer)
        self._meter = ProgressMeter()
        self._progress = b""
        self._progress_at = -PROGRESS_INTERVAL_S
        self._pause_s = MIN_PAUSE_S

    async def try_acquire(self) -> bool:
        """Claim the job if nobody acts for it. Raises the errors of `PASS_ERRORS`."""
        is_acquired = await self._ownership.try_acquire()
        if is_acquired:
            self._reports.acquired()
        return is_acquired

    async def withdraw(self) -> None:
        """Leave no claim to a job that has ended without us. Raises the errors of `PASS_ERRORS`."""
        await self._ownership.withdraw()

    async def run(self) -> None:
        """Act for the job, which must have been acquired, until it has ended, or belongs to somebody else.

        When it is cancelled, the processes of the job still run, and the job is still owned: call `release`.
        """
        keeping = asyncio.create_task(self._ownership.keep(), name=f"own-{self._keys.job_id}")
        running = asyncio.create_task(self._run_to_end(), name=f"run-{self._keys.job_id}")
        has_ended = False
        try:
            await asyncio.wait({keeping, running}, return_when=asyncio.FIRST_COMPLETED)
            if running.done():
                running.result()
                has_ended = True
        finally:
            await _end(keeping, running)
        if has_ended:
            self._reports.given_up("ended")
            return
        # The owner that follows starts its own processes; these would do its work a second time.
        await self._end_processes()
        self._reports.given_up("lost")

    async def release(self) -> None:
        """End the job's processes here, and let another controller act for it."""
        keeping = asyncio.create_task(self._ownership.keep(), name=f"own-{self._keys.job_id}")
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(RELEASE_TIMEOUT_S):
                    await self._end_processes()
        finally:
            await _end(keeping)
        with contextlib.suppress(*PASS_ERRORS):
            await self._ownership.release()
        self._reports.given_up("drain")

    async def _end_processes(self) -> None:
        """Drain the job's processes here. What they wrote after another owner had ended the job is deleted."""
        await self._processes.stop_all()
        if not self._ownership.is_held:
            with contextlib.suppress(StoreDeniedError):
                await retry_until_available(StoreUnavailableError, self._delete_late_input)

    async def _delete_late_input(self) -> None:
        if await self._objects.read(self._keys.in_progress) is None:
            await self._ending.delete_input()

    async def _run_to_end(self) -> None:
        failures = 0
        while True:
            try:
                if await self._pass():
                    return
                failures, pause_s = 0, self._pause_s
            except OwnershipLostError:
                await asyncio.Event().wait()  # until `run` sees that the claim has ended
            except PASS_ERRORS as error:
                pause_s = PASS_BACKOFF.pause_s(failures)
                failures += 1
                self._reports.pass_failed(error)
            except Exception:  # noqa: BLE001 - logged with its traceback
                # A bug that one job meets must not end those of all others. The job can be stopped.
                pause_s = PASS_BACKOFF.pause_s(failures)
                failures += 1
                _LOG.exception("a pass over the job %s failed", self._keys.job_id)
            await asyncio.sleep(pause_s)

    async def _pass(self) -> bool:
        """Look at the job, and take one step; return whether it is over."""
        try:
            seen = await self._observation.look()
        except NoSpecError:
            self._ownership.check()
            await self._ownership.forget()
            await self._objects.delete([self._keys.in_progress])
            return True
        except InvalidSpecError as error:
            seen = await self._without_spec(error)
        self._reports.looked(seen)
        step = decide(seen)
        self._ownership.check()
        await self._write_progress(seen, is_forced=isinstance(step, End))
        await self._take(step, seen)
        self._pause_s = self._pause_after(step)
        return isinstance(step, Finish)

    def _pause_after(self, step: Step) -> float:
        if isinstance(step, Wait):
            return min(MAX_PAUSE_S, max(MIN_PAUSE_S, self._pause_s * PAUSE_GROWTH))
        return MIN_PAUSE_S if isinstance(step, Start) else 0.0

    async def _take(self, step: Step, seen: Observed) -> None:
        keys, spec = self._keys, seen.spec
        self._ownership.check()
        match step:
            case Wait():
                pass
            case PrepareQueue():
                await self._prepare_queue(spec)
            case MarkRunning():
                await self._objects.put(keys.marker("running"))
            case RecordTotal(batches):
                await self._objects.put(keys.spec, dump_spec(dataclasses.replace(spec, total_batch_count=batches)))
            case Start(names):
                for name in names:
                    self._ownership.check()
                    await self._processes.start(spec, name)
                    self._observation.runs.started(name, asyncio.get_running_loop().time())
            case Stop(names):
                await self._processes.stop(names)
            case End(state=state, error=error):
                await self._ending.decide(state, error)
            case Finish(end):
                is_stopped = "stop" in seen.names
                end = await self._ending.finish(end, spec, self._observation.read_counts, is_stopped=is_stopped)
                self._reports.ended(end, spec)
            case _:
                assert_never(step)

    async def _prepare_queue(self, spec: JobSpec) -> None:
        name = queue_name(self._services.cluster_name, spec)
        tags = queue_tags(self._services.cluster_name, spec)
        try:
            url = await self._services.queues.ensure(name, queue_attributes(spec), tags)
        except QueueRefusedError as error:
            message = f"the queue of the job cannot be created: {error}"
            await self._ending.decide("enqueue_failed", JobError(message=message))
            return
        self._ownership.check()
        await self._objects.put(self._keys.spec, dump_spec(dataclasses.replace(spec, sqs_url=url)))
        self._ownership.check()
        await self._objects.put(self._keys.marker("enqueuing"))

    async def _without_spec(self, error: InvalidSpecError) -> Observed:
        """Decide the end of a job whose specification cannot be read; its queue and processes are found by its name."""
        keys = self._keys
        await self._ending.decide("unexpected_error", JobError(message=str(error)))
        spec = JobSpec(job_id=keys.job_id, api_name=keys.api_name, kind=keys.kind, workers=0)
        return await self._observation.look(spec)

    async def _write_progress(self, seen: Observed, *, is_forced: bool) -> None:
        now_s = asyncio.get_running_loop().time()
        if seen.end is not None or (not is_forced and now_s - self._progress_at < PROGRESS_INTERVAL_S):
            return
        progress = self._meter.measure(seen, self._observation.counts, now_s)
        self._reports.measured(progress)
        text = dump_progress(progress)
        if text != self._progress:
            await self._objects.put(self._keys.progress, text)
            self._progress = text
        self._progress_at = now_s


async def _end(*tasks: asyncio.Task[Any]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    for task in tasks:
        if not task.cancelled():
            task.exception()
