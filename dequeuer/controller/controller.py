"""Finds the jobs that have not ended, and runs those that nobody else runs."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from dequeuer.controller.admission import WaitingJob, admitted
from dequeuer.controller.objects import ObjectTooLargeError
from dequeuer.controller.runner import PASS_ERRORS, JobRunner, Services
from dequeuer.core.drain import Drain
from dequeuer.jobs.layout import JOB_KINDS, JobKeys, in_progress_prefix
from dequeuer.jobs.spec import InvalidSpecError, JobSpec, parse_spec

SCAN_INTERVAL_S: Final = 2.0
OWNER_LOOKS: Final = 6
"""At the owner of a job, within the time after which a silent one is followed."""


class Controller:
    """Runs jobs until the drain begins.

    Args:
        services: what all jobs share.
        cluster_uid: the prefix of all keys.
        version: of Cortex, part of all keys.
        serves: tells whether an API is known here, and of this kind; the jobs of others are left to others.
        max_jobs: jobs that are run at the same time.
        drain: ends `run`.
    """

    def __init__(  # noqa: PLR0913 - one parameter for each collaborator
        self,
        services: Services,
        *,
        cluster_uid: str,
        version: str,
        serves: Callable[[JobKeys], bool],
        max_jobs: int,
        drain: Drain,
    ) -> None:
        self._services = services
        self._cluster_uid = cluster_uid
        self._version = version
        self._serves = serves
        self._max_jobs = max_jobs
        self._drain = drain
        self._waiting: dict[JobKeys, JobRunner] = {}
        self._specs: dict[JobKeys, JobSpec | None] = {}
        self._tries_after: dict[JobKeys, float] = {}
        """When to look again at jobs that others run, in the time of the event loop."""
        self._running: dict[JobKeys, tuple[JobRunner, asyncio.Task[None]]] = {}
        self.is_scanning = True
        """Whether the last look at the index of jobs succeeded."""

    async def run(self) -> None:
        """Run jobs. When the drain begins, their processes are drained, and another controller may have the jobs."""
        try:
            while not self._drain.requested:
                try:
                    await self._scan()
                    self.is_scanning = True
                except PASS_ERRORS:
                    self.is_scanning = False
                await self._pause()
        finally:
            await self._release_all()

    async def _scan(self) -> None:
        were_running = frozenset(self._running)
        found = await self._unfinished()
        for keys in self._waiting.keys() - found:
            with suppress(*PASS_ERRORS):  # tried again with the next look: a refusal must not keep other jobs waiting
                await self._waiting[keys].withdraw()
                del self._waiting[keys]
        for known in (self._specs, self._tries_after):
            for keys in known.keys() - found:
                del known[keys]
        now_s = asyncio.get_running_loop().time()
        # A job that was running here may have ended since it was listed. Claiming it would leave an owner behind.
        running = were_running | self._running.keys()
        free = [keys for keys in found if keys not in running and self._tries_after.get(keys, 0.0) <= now_s]
        waiting = [await self._look(keys) for keys in free]
        room = self._max_jobs - len(self._running)
        for job in admitted([job for job in waiting if job is not None], room):
            runner = self._waiting.setdefault(job.keys, JobRunner(job.keys, self._services))
            self._tries_after[job.keys] = now_s + self._services.ownership_timeout_s / OWNER_LOOKS
            if not self._drain.requested and await runner.try_acquire():
                del self._waiting[job.keys], self._tries_after[job.keys]
                task = asyncio.create_task(self._run(job.keys, runner), name=f"job-{job.keys.job_id}")
                self._running[job.keys] = runner, task

    async def _unfinished(self) -> list[JobKeys]:
        objects, found = self._services.objects, []
        for kind in JOB_KINDS:
            prefix = in_progress_prefix(self._cluster_uid, kind)
            for key in await objects.keys(prefix):
                api_name, _, job_id = key.removeprefix(prefix).partition("/")
                try:
                    keys = JobKeys(
                        cluster_uid=self._cluster_uid,
                        kind=kind,
                        version=self._version,
                        api_name=api_name,
                        job_id=job_id,
                    )
                except ValueError:
                    continue  # not written by a gateway
                found.append(keys)
        return found

    async def _look(self, keys: JobKeys) -> WaitingJob | None:
        """Return a job that may be taken on; None when it is for others."""
        is_stopped = await self._is_stopped(keys)
        if not is_stopped and not self._serves(keys):
            return None
        if keys not in self._specs:
            self._specs[keys] = await self._spec(keys)
        spec = self._specs[keys]
        # One that cannot be read ends at once.
        priority, submitted_ns = (spec.priority, spec.start_time_ns) if spec is not None else (0, 0)
        return WaitingJob(
            keys=keys, priority=priority, submitted_ns=submitted_ns, is_stopped=is_stopped or spec is None
        )

    async def _is_stopped(self, keys: JobKeys) -> bool:
        try:
            return await self._services.objects.read(keys.stop) is not None
        except ObjectTooLargeError:
            return True

    async def _spec(self, keys: JobKeys) -> JobSpec | None:
        try:
            return parse_spec(await self._services.objects.read(keys.spec) or b"")
        except (InvalidSpecError, ObjectTooLargeError):
            return None

    async def _run(self, keys: JobKeys, runner: JobRunner) -> None:
        try:
            await runner.run()
        finally:
            del self._running[keys]

    async def _release_all(self) -> None:
        """Stop acting for all jobs, drain their processes together, and hand them over."""
        running = list(self._running.values())
        for _, task in running:
            task.cancel()
        await asyncio.gather(*(task for _, task in running), return_exceptions=True)
        await asyncio.gather(*(runner.release() for runner, _ in running))

    async def _pause(self) -> None:
        # Controllers that were started together must not ask at the same moments.
        try:
            async with asyncio.timeout(SCAN_INTERVAL_S * random.uniform(0.75, 1.25)):  # noqa: S311
                await self._drain.wait_requested()
        except TimeoutError:
            return
