"""The composition root of the sidecar: builds every part, starts and stops them in order; the exit status."""

from __future__ import annotations

import asyncio
import math
import os
import signal
from collections.abc import Sequence
from contextlib import AsyncExitStack
from functools import partial
from typing import TYPE_CHECKING

import structlog

from dequeuer import __version__
from dequeuer.clients.base import Cloud
from dequeuer.clients.choice import AwsResources, choose, connect
from dequeuer.concurrency.adaptive_limit import AdaptiveLimit
from dequeuer.container.target import HttpTarget
from dequeuer.core.drain import Drain
from dequeuer.core.errors import ConfigurationError, FatalError
from dequeuer.core.events import Observer, ProcessPhaseChanged
from dequeuer.core.readiness import AllOf
from dequeuer.core.refusals import Refusals
from dequeuer.handlers.response_policy import ResponsePolicy
from dequeuer.http.origin import LOCALHOST, LOCALHOST_IPV6
from dequeuer.observability import logs
from dequeuer.observability.admin import AdminServer
from dequeuer.observability.drain_actions import DrainActions
from dequeuer.observability.metrics import Metrics, Statsd, combine
from dequeuer.probes.base import Probe
from dequeuer.probes.gate import Gate
from dequeuer.probes.http_check import HttpCheck
from dequeuer.probes.protocol import identify
from dequeuer.probes.spec import load_probes
from dequeuer.process.early_signals import STOPPED_STATUS
from dequeuer.process.garbage import freeze_startup_objects
from dequeuer.process.running import run_to_status
from dequeuer.settings import SidecarSettings
from dequeuer.sidecar.api_kinds import ApiKind, WorkerDependencies, make_api_kind
from dequeuer.sidecar.health import Health
from dequeuer.sidecar.queues import SidecarQueues
from dequeuer.worker.lease import LeaseRenewer, poll_wait_s
from dequeuer.worker.own_end import OwnEnd
from dequeuer.worker.worker import Worker

if TYPE_CHECKING:
    from dequeuer.kubernetes.deletion_cost import DeletionCost
    from dequeuer.sidecar.batch_counts import BatchCounter

EXIT_OK, EXIT_FAILED = 0, 1


def run_sidecar(settings: SidecarSettings) -> int:
    """Run until drained, stopped or unable to go on; return the exit status.

    Raises:
        ConfigurationError: probes.json or the region is wrong; no call to AWS was made.
    """
    return run_to_status(_run(settings))


async def _run(settings: SidecarSettings) -> int:
    logs.configure(settings.log.level, settings.log.format)
    log = structlog.get_logger()
    probes = load_probes(settings.probes_path, settings.user_port, settings.user_host)
    urls = tuple(queue.url for queue in settings.queue_urls) or (settings.queue_url,)
    resources = AwsResources(settings.store_bucket, urls, settings.events_target)
    client, reasons = choose(settings.aws, os.environ, resources)
    if reasons:
        log.info("aws_client_chosen", client=client, reason="; ".join(reasons))
    cloud = connect(settings.aws, client, os.environ)
    drain = Drain()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, drain.request)
    sidecar = _Sidecar(settings, cloud, drain)
    try:
        return await sidecar.run(probes)
    except Exception as error:
        causes = _leaf_exceptions(error)
        if configuration := [cause for cause in causes if isinstance(cause, ConfigurationError)]:
            raise configuration[0] from None
        if all(isinstance(cause, FatalError) for cause in causes):
            log.error("cannot_go_on", error="; ".join(map(str, causes)))  # noqa: TRY400 - a traceback would not help
        else:
            log.exception("bug_ended_the_process")
    return EXIT_FAILED


def _leaf_exceptions(error: BaseException) -> list[BaseException]:
    """Return the original exceptions: a task group wraps them in (nested) groups."""
    if not isinstance(error, BaseExceptionGroup):
        return [error]
    return [leaf for inner in error.exceptions for leaf in _leaf_exceptions(inner)]


class _Sidecar:
    """All parts of one process, created in the order in which they depend on each other."""

    def __init__(self, settings: SidecarSettings, cloud: Cloud, drain: Drain) -> None:
        self._settings = settings
        self._cloud = cloud
        self._drain = drain
        self._drain_actions = DrainActions(drain)
        self._metrics = Metrics(
            settings.api_kind,
            settings.api_name,
            settings.job_id,
            settings.max_workers,
            [queue.name for queue in settings.queue_urls],
        )
        self._refusals = Refusals()
        self._counter = _make_counter(settings)
        self._poll_wait_s = poll_wait_s(settings.poll_wait_s, settings.visibility_timeout_s)
        if settings.api_kind == "batch":
            # The job ends after the queue was found empty twice, `completion_delay_s` apart: a longer poll would
            # delay the second check.
            self._poll_wait_s = min(self._poll_wait_s, max(1, math.ceil(settings.completion_delay_s)))

    async def run(self, probes: Sequence[Probe]) -> int:
        """Run until the work is over; return the exit status."""
        settings = self._settings
        async with AsyncExitStack() as stack:
            observer, refusals = self._observe(stack), self._refusals
            self._cloud.observe(observer)
            gate, http_check = Gate(probes, observer), self._make_http_check(observer)
            health = Health(gate, http_check, refusals, self._drain, self._poll_wait_s)
            admin = AdminServer(
                settings.admin_hosts,
                settings.admin_port,
                self._metrics.render,
                is_ready=health.is_ready,
                is_live=health.is_live,
                not_ready_reason=health.not_ready_reason,
                actions=self._drain_actions.paths,
                only_local=("/drain",),  # whoever reaches the port must not be able to stop the work
            )
            deletion_cost = self._open_deletion_cost(health, observer)
            await admin.start()
            stack.push_async_callback(admin.stop)
            stack.callback(self._drain_actions.drain_ended)
            structlog.get_logger().info(
                "starting", version=__version__, api_kind=settings.api_kind, api_name=settings.api_name
            )
            renewer = LeaseRenewer(settings.visibility_timeout_s, observer)
            async with asyncio.TaskGroup() as group:
                background = [
                    group.create_task(gate.run(), name="probes"),
                    group.create_task(renewer.run(), name="leases"),
                    group.create_task(refusals.run(), name="refusals"),
                    group.create_task(http_check.run(), name="http-check"),
                ]
                if deletion_cost is not None:
                    background.append(group.create_task(deletion_cost.run(), name="deletion-cost"))
                try:
                    kind = await self._start_and_work(group, background, gate, http_check, renewer, health, observer)
                    if self._drain.requested:
                        self._drain_actions.drain_ended()
                        await self._drain.wait_end_requested()
                finally:
                    for task in background:
                        task.cancel()
        if self._drain.is_forced or (kind is not None and kind.has_failed()):
            return EXIT_FAILED
        is_work_over = health.worker is not None and health.worker.has_ended_itself
        return STOPPED_STATUS if settings.fail_when_stopped and not is_work_over else EXIT_OK

    def _observe(self, stack: AsyncExitStack) -> Observer:
        settings = self._settings
        log = logs.sidecar_event_log(settings.api_name, settings.job_id)
        observers: list[Observer] = [self._refusals, self._metrics, log]
        if self._counter is not None:
            observers.append(self._counter)
        if settings.statsd_address is not None:
            statsd = Statsd(settings.statsd_address, settings.api_name, settings.job_id)
            stack.callback(statsd.close)
            observers.append(statsd)
        return combine(*observers)

    def _open_deletion_cost(self, health: Health, observer: Observer) -> DeletionCost | None:
        """Raise `ConfigurationError` where it is wanted and this is no pod."""
        settings = self._settings
        if not settings.pod.has_deletion_cost:
            return None
        from dequeuer.kubernetes.deletion_cost import open_deletion_cost  # noqa: PLC0415 - only such a sidecar pays

        return open_deletion_cost(
            os.environ,
            settings.pod.name,
            settings.pod.service_account,
            in_flight=lambda: 0 if health.worker is None else health.worker.in_flight,
            observer=observer,
        )

    def _make_http_check(self, observer: Observer) -> HttpCheck:
        host, port = self._settings.user_host, self._settings.user_port
        hosts = (LOCALHOST, LOCALHOST_IPV6) if host is None else (host,)
        return HttpCheck(partial(identify, hosts, port), observer)

    async def _start_and_work(  # noqa: PLR0913, PLR0917 - every part that `run` has made
        self,
        group: asyncio.TaskGroup,
        background: list[asyncio.Task[None]],
        gate: Gate,
        http_check: HttpCheck,
        renewer: LeaseRenewer,
        health: Health,
        observer: Observer,
    ) -> ApiKind | None:
        settings = self._settings
        async with AsyncExitStack() as stack:
            stack.push_async_callback(self._cloud.close)
            connecting = stack.enter_async_context(self._cloud.sqs(longest_wait_s=self._poll_wait_s))
            client = await self._drain.run_until_requested(connecting, "connect")
            if client is None:
                return None
            queues = SidecarQueues(
                settings,
                cloud=self._cloud,
                client=client,
                poll_wait_s=self._poll_wait_s,
                held=lambda: len(renewer),
                refusals=self._refusals,
                observer=observer,
            )
            source = queues.sources[0]
            stack.push_async_callback(queues.close)
            target = HttpTarget(
                host=settings.user_host,
                port=settings.user_port,
                timeout_s=settings.request_timeout_s,
                keep_alive=settings.container_keepalive,
                protocol_check=http_check,
                on_unreachable=gate.connection_failed,
            )
            stack.push_async_callback(target.close)
            policy = ResponsePolicy(
                max_attempts=settings.max_attempts,
                retry_statuses=settings.retry_statuses,
            )
            dependencies = WorkerDependencies(
                cloud=self._cloud,
                source=source,
                target=target,
                policy=policy,
                drain=self._drain,
                observer=observer,
                sqs=client,
                closing=stack,
                counter=self._counter,
            )
            kind = await self._drain.run_until_requested(self._make_kind(queues, dependencies), "start")
            if kind is None:
                return None
            self._refusals.set_harmless_calls({**queues.harmless_calls, **kind.harmless_calls})
            if kind.background is not None:
                background.append(group.create_task(kind.background(), name="background"))
            health.pause = kind.pause
            if settings.queue_urls:
                background.append(group.create_task(queues.open_others(), name="open-queues"))
            workers = settings.workers
            worker = health.worker = Worker(
                source=queues.for_worker,
                handler=kind.handler,
                readiness=AllOf(gate, http_check.may_receive, self._refusals.may_receive),
                renewer=renewer,
                drain=self._drain,
                slots=workers if isinstance(workers, int) else AdaptiveLimit(workers.maximum, observer),
                grace_s=settings.shutdown_grace_s,
                end_of_work=kind.end_of_work,
                observer=observer,
                pause=None if kind.pause is None else kind.pause.may_receive,
                own_end=_make_own_end(settings),
            )
            observer(ProcessPhaseChanged(phase="started", in_flight=0))
            freeze_startup_objects()
            await worker.run()
            if kind.finish is not None:
                await kind.finish(worker.must_end_at)
            return kind

    async def _make_kind(self, queues: SidecarQueues, dependencies: WorkerDependencies) -> ApiKind:
        """Open the queues and check the bucket. Waits without a limit while AWS is unavailable."""
        await queues.open()
        return await make_api_kind(self._settings, dependencies)


def _make_own_end(settings: SidecarSettings) -> OwnEnd | None:
    if settings.max_messages is None and settings.exit_when_idle_s is None:
        return None
    return OwnEnd(max_messages=settings.max_messages, idle_s=settings.exit_when_idle_s)


def _make_counter(settings: SidecarSettings) -> BatchCounter | None:
    if settings.api_kind != "batch" or settings.worker_id is None:
        return None
    from dequeuer.sidecar.batch_counts import BatchCounter  # noqa: PLC0415 - only such a sidecar pays for it

    return BatchCounter()
