"""The processes that a controller starts: an enqueuer, and workers of real parts with simulated servers."""

from __future__ import annotations

import asyncio
import random
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, Final

import structlog

from dequeuer.controller.launchers.base import ENQUEUER, ProcessState
from dequeuer.core.drain import Drain
from dequeuer.core.errors import FatalError, SourceUnavailableError
from dequeuer.core.events import ignore
from dequeuer.core.readiness import AllOf
from dequeuer.core.refusals import HarmlessCall, Refusals
from dequeuer.core.retry import retry_until_available
from dequeuer.enqueuer.app import enqueue_until_stopped
from dequeuer.enqueuer.progress import Progress
from dequeuer.enqueuer.run import Enqueuer
from dequeuer.handlers.response_policy import ResponsePolicy
from dequeuer.jobs.layout import JobKeys
from dequeuer.jobs.spec import JobSpec
from dequeuer.observability.metrics import combine
from dequeuer.probes.gate import Gate
from dequeuer.settings import load_sidecar
from dequeuer.sidecar.api_kinds import ApiKind, WorkerDependencies, make_api_kind
from dequeuer.sidecar.batch_counts import BatchCounter
from dequeuer.sources.sqs.sending import MessageSender
from dequeuer.sources.sqs.source import SqsSource
from dequeuer.worker.lease import LeaseRenewer, poll_wait_s
from dequeuer.worker.worker import Worker
from tests.history.job_facts import Call
from tests.simulation.jobs.container import Behaviour, JobContainer
from tests.simulation.jobs.process import Servers, SimCloud
from tests.simulation.sidecar import DeliveryHandler

ENQUEUER_GRACE_S: Final = 30.0
WORKER_GRACE_S: Final = 25.0
SIDECAR_MARGIN_S: Final = 5.0
MAX_START_S: Final = 3.0
LOG: Final = structlog.wrap_logger(structlog.ReturnLogger())
"""Prints nothing."""


class SimPod(ABC):
    """A process, or a worker: `start`, then `stop` (SIGTERM) or `kill` (SIGKILL)."""

    def __init__(self, name: str, cloud: SimCloud, grace_s: float) -> None:
        self.name = name
        self.cloud = cloud
        self.drain = Drain()
        self.state = ProcessState(phase="creating")
        self.began_at = asyncio.get_running_loop().time()
        self.ended_at: float | None = None
        self._grace_s = grace_s
        self._stopping = False
        self._work: asyncio.Task[int] | None = None
        self._life: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Start, in the background."""
        self._work = asyncio.create_task(self._run(), name=self.name)
        self._life = asyncio.create_task(self._live(self._work), name=f"{self.name} life")

    @abstractmethod
    async def _run(self) -> int:
        """Run the process; return its exit status."""

    async def _live(self, work: asyncio.Task[int]) -> None:
        await asyncio.wait({work})
        self.ended_at = asyncio.get_running_loop().time()
        if self.cloud.is_dead:
            self._set("succeeded" if self._stopping else "killed")
        elif work.cancelled():
            self._set("killed")
        elif (error := work.exception()) is not None:
            if not isinstance(error, (FatalError, BaseExceptionGroup)):
                raise error
            self._set("failed")
        else:
            self._set("succeeded" if self._stopping or work.result() == 0 else "failed")

    def _set(self, phase: Any) -> None:
        was_ready = self.state.was_ready or phase == "ready"
        self.state = ProcessState(phase=phase, was_ready=was_ready, detail=f"{self.name}: {phase}")

    def terminate(self) -> None:
        """Send SIGTERM. When the grace period is over, it is killed."""
        if not self._stopping:
            self._stopping = True
            self.drain.request()
            loop = asyncio.get_running_loop()
            loop.call_later(self._grace_s + SIDECAR_MARGIN_S, self.kill)

    def kill(self) -> None:
        """Send SIGKILL: from now on nothing of it has an effect."""
        if self._work is not None and not self._work.done():
            self.cloud.kill()
            self.drain.request()
            self.drain.request()
            self._end(self._work)

    def _end(self, work: asyncio.Task[int]) -> None:
        """Cancel until it has ended: the first cancellation begins what its code does when it is cancelled."""
        if not work.done():
            work.cancel()
            asyncio.get_running_loop().call_later(0.01, self._end, work)

    async def wait(self) -> None:
        """Wait until it has ended. Raises its bug."""
        if self._life is not None:
            await asyncio.shield(self._life)


class _Enqueuer(Enqueuer):
    """The real enqueuer. Its task may outlive a program that is killed; it ends with the process."""

    _task: asyncio.Task[Any] | None = None

    async def run(self) -> int:
        self._task = asyncio.current_task()
        return await super().run()

    async def end(self) -> None:
        """Cancel the task until it has ended: all of its calls wait for ever."""
        while self._task is not None and not self._task.done():
            self._task.cancel()
            await asyncio.wait({self._task}, timeout=0.01)


class EnqueuerPod(SimPod):
    """An enqueuer."""

    def __init__(self, keys: JobKeys, spec: JobSpec, servers: Servers, bucket: str) -> None:
        super().__init__(ENQUEUER, SimCloud(servers, ENQUEUER), ENQUEUER_GRACE_S)
        self._keys = keys
        self._spec = spec
        self._bucket = bucket

    async def _run(self) -> int:
        await self.cloud.pause(MAX_START_S)
        self._set("ready")
        async with self.cloud.sqs(longest_wait_s=0) as sqs:
            progress = Progress()
            enqueuer = _Enqueuer(
                store=self.cloud.store(self._bucket, ignore),
                buckets=self,
                sender=MessageSender(sqs, self.cloud.translate, self._spec.sqs_url, ignore),
                keys=self._keys,
                progress=progress,
                should_stop=lambda: self.drain.requested,
            )
            try:
                return await enqueue_until_stopped(enqueuer, self.drain, progress, LOG)
            finally:
                await enqueuer.end()

    def listing(self, bucket: str) -> Any:
        """Return a bucket with files."""
        return self.cloud.store(bucket, ignore)

    def objects(self, bucket: str) -> Any:
        """Return a bucket with files."""
        return self.cloud.store(bucket, ignore)


class WorkerPod(SimPod):
    """A container and its sidecar."""

    def __init__(
        self,
        name: str,
        run: str,
        keys: JobKeys,
        spec: JobSpec,
        servers: Servers,
        *,
        bucket: str,
        behaviour: Behaviour,
        record: Callable[[str, Call], None],
        lease_s: int,
    ) -> None:
        super().__init__(name, SimCloud(servers, run), WORKER_GRACE_S)
        self.container = JobContainer(run, behaviour, servers.rates, record)
        self._breaks = behaviour.breaks
        environment = {
            "AWS_REGION": "us-west-2",
            "DEQUEUER_API_KIND": "BatchAPI",
            "DEQUEUER_API_NAME": keys.api_name,
            "DEQUEUER_JOB_ID": keys.job_id,
            "DEQUEUER_QUEUE_URL": spec.sqs_url,
            "DEQUEUER_BUCKET": bucket,
            "DEQUEUER_CLUSTER_UID": keys.cluster_uid,
            "DEQUEUER_WORKER_ID": run,
            "DEQUEUER_EXIT_WHEN_EMPTY": "false",
            "DEQUEUER_VISIBILITY_TIMEOUT": str(lease_s),
            "DEQUEUER_SHUTDOWN_GRACE": f"{WORKER_GRACE_S:g}",
            "DEQUEUER_WORKERS": random.choice(["1", "2", "8"]),
            **({"DEQUEUER_OUTPUT": spec.output_s3_path} if spec.output_s3_path is not None else {}),
        }
        self._settings = load_sidecar([], environment, cluster_config="/none")

    async def _run(self) -> int:
        await self.cloud.pause(MAX_START_S)
        if self._breaks:
            return 1
        self._set("not_ready")
        running = asyncio.create_task(self._run_sidecar(), name=f"{self.name} sidecar")
        starting = asyncio.create_task(self._start_container(), name=f"{self.name} container")
        try:
            return await running
        finally:
            self.container.stop()
            for task in (running, starting):
                task.cancel()
            await asyncio.wait({running, starting})

    async def _start_container(self) -> None:
        await self.cloud.pause(MAX_START_S)
        self.container.start()
        self._set("ready")

    def end_container(self) -> None:
        """End the container: all of the worker end, as when its sidecar ends."""
        self.container.stop()
        self.terminate()

    async def _run_sidecar(self) -> int:
        settings, drain = self._settings, self.drain
        counter, refusals = BatchCounter(), Refusals()
        observer = combine(counter, refusals)
        renewer = LeaseRenewer(settings.visibility_timeout_s, observer)
        gate = Gate([self.container], observer)
        source = SqsSource(
            self.cloud.client,
            translate=self.cloud.translate,
            queue_url=settings.queue_url,
            visibility_timeout_s=settings.visibility_timeout_s,
            poll_wait_s=poll_wait_s(settings.poll_wait_s, settings.visibility_timeout_s),
            held=lambda: len(renewer),
            gathers_acks=False,
            observer=observer,
        )
        dependencies = WorkerDependencies(
            cloud=self.cloud,
            source=source,
            target=self.container,
            policy=ResponsePolicy(max_attempts=settings.max_attempts, retry_statuses=settings.retry_statuses),
            drain=drain,
            observer=observer,
            sqs=self.cloud.client,
            counter=counter,
        )

        async def make_kind() -> ApiKind:
            await retry_until_available(SourceUnavailableError, source.open)
            return await make_api_kind(settings, dependencies)

        kind = await drain.run_until_requested(make_kind(), "start")
        if kind is None:
            return 0
        calls: dict[tuple[str, str], HarmlessCall] = {("sqs", "depth"): lambda _: source.depth()}
        refusals.set_harmless_calls({**calls, **kind.harmless_calls})
        workers = settings.workers
        worker = Worker(
            source=source,
            handler=DeliveryHandler(kind.handler),
            readiness=AllOf(gate, refusals.may_receive),
            renewer=renewer,
            drain=drain,
            slots=workers if isinstance(workers, int) else 1,
            grace_s=settings.shutdown_grace_s,
            end_of_work=kind.end_of_work,
            observer=observer,
        )
        runs = [gate.run(), renewer.run(), refusals.run(), *([kind.background()] if kind.background else [])]
        background = [asyncio.create_task(run) for run in runs]
        try:
            await worker.run()
            if kind.finish is not None:
                await kind.finish(worker.must_end_at)
            await source.close()
        finally:
            for task in background:
                task.cancel()
            await asyncio.wait(background)
        return 1 if kind.has_failed() else 0
