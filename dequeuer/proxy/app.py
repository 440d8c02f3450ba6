"""The composition root of the proxy: builds every part, starts and stops them in order; the exit status."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import AsyncExitStack, suppress
from typing import TYPE_CHECKING, Any

import structlog

from dequeuer import __version__
from dequeuer.concurrency.adaptive_limit import AdaptiveLimit
from dequeuer.concurrency.slots import ConcurrencyLimit, FixedLimit
from dequeuer.core.drain import Drain
from dequeuer.core.errors import FatalError, clip
from dequeuer.core.events import Event, GateChanged, Observer
from dequeuer.http.listening import addresses_text
from dequeuer.http.origin import LOCALHOST, LOCALHOST_IPV6, Origin
from dequeuer.observability import logs
from dequeuer.observability.admin import AdminServer
from dequeuer.observability.drain_actions import DrainActions
from dequeuer.observability.metrics import combine
from dequeuer.probes.gate import Gate
from dequeuer.probes.spec import ProbeRules, load_probes
from dequeuer.process.garbage import freeze_startup_objects
from dequeuer.process.open_files import raise_open_files_limit
from dequeuer.process.running import run_to_status
from dequeuer.proxy.access_log import AccessLog
from dequeuer.proxy.admission import Admission
from dequeuer.proxy.container_pool import ContainerPool
from dequeuer.proxy.in_flight import publish_in_flight
from dequeuer.proxy.limits import ProxyLimits
from dequeuer.proxy.listener import Listener
from dequeuer.proxy.metrics import ProxyMetrics
from dequeuer.proxy.parts import ProxyParts
from dequeuer.proxy.record import RequestObserver, RequestRecord
from dequeuer.settings import ProxySettings

if TYPE_CHECKING:
    from dequeuer.kubernetes.deletion_cost import DeletionCost

EXIT_OK, EXIT_FAILED = 0, 1
RESERVED_FILES = 128
"""Descriptors for all else: the admin server and its connections, probes, listeners, the event loop."""
STARTUP_PERIOD_S = 0.05
"""The longest period of a probe until the container is ready: requests wait for it."""


def run_proxy(settings: ProxySettings) -> int:
    """Serve until SIGTERM or SIGINT, and through the drain after it. Returns the exit status.

    A second signal skips the rest of the drain; the status is then 1.

    Raises:
        ConfigurationError: probes.json is wrong.
    """
    return run_to_status(_run(settings))


async def _run(settings: ProxySettings) -> int:
    logs.configure(settings.log.level, settings.log.format)
    fields = {"api_name": settings.api_name} if settings.api_name else {}
    log = structlog.get_logger().bind(**fields)
    proxy = _Proxy(settings, log)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, proxy.drain.request)
    try:
        return await proxy.run()
    except FatalError as error:
        log.error("cannot_go_on", error=str(error))  # noqa: TRY400 - a traceback would not help
        return EXIT_FAILED


class _Proxy:
    """All parts of one process."""

    def __init__(self, settings: ProxySettings, log: Any) -> None:
        self._settings = settings
        self._log = log
        self.drain = Drain()
        self._drain_actions = DrainActions(self.drain)
        self._metrics = ProxyMetrics()

    async def run(self) -> int:
        """Run until the drain is over; return the exit status."""
        settings, log, loop = self._settings, self._log, asyncio.get_running_loop()
        open_files = raise_open_files_limit()
        limit = self._make_limit()
        admission = Admission(
            limit=limit,
            max_queued=settings.max_queue_length,
            queue_timeout_s=settings.queue_timeout_s,
            ready_timeout_s=settings.ready_timeout_s,
            now=loop.time,
        )
        probes = load_probes(
            settings.probes_path,
            settings.user_port,
            settings.user_host,
            ProbeRules(
                leaves_others=True,
                always_has_default=settings.has_tcp_probe,
                startup_period_s=STARTUP_PERIOD_S,
                default_startup_period_s=STARTUP_PERIOD_S,
            ),
        )

        def admit_while_ready(event: Event) -> None:
            if isinstance(event, GateChanged):
                admission.set_ready(event.is_open)

        observer = combine(logs.proxy_event_log(log), self._metrics.probes, self._metrics.pod, admit_while_ready)
        gate = Gate(probes, observer)
        deletion_cost = self._open_deletion_cost(admission, observer)
        async with AsyncExitStack() as stack:
            admin = AdminServer(
                settings.admin_hosts,
                settings.admin_port,
                self._metrics.render,
                is_ready=lambda: gate.is_open and not self.drain.requested,
                is_live=lambda: True,
                not_ready_reason=lambda: "draining" if self.drain.requested else "a probe of the container fails",
                actions=self._drain_actions.paths,
            )
            await admin.start()
            stack.push_async_callback(admin.stop)
            stack.callback(self._drain_actions.drain_ended)
            pool = ContainerPool(
                self._origin(), keep_alive=settings.container_keepalive, on_unreachable=gate.connection_failed
            )
            stack.push_async_callback(pool.close)
            listener = Listener(
                ProxyParts(
                    loop=loop,
                    limits=self._limits(open_files),
                    admission=admission,
                    pool=pool,
                    observer=self._observer(),
                )
            )
            stack.push_async_callback(listener.close)
            self._metrics.read_from(
                executing=lambda: admission.executing,
                queued=lambda: admission.queued,
                limit=lambda: limit.value,
                connections=lambda: listener.connections,
            )
            port = await self._listen(listener)
            log.info(
                "proxy_started", version=__version__, api_kind=settings.api_kind, hosts=list(settings.hosts), port=port
            )
            async with asyncio.TaskGroup() as group:
                background = [
                    group.create_task(gate.run(), name="probes"),
                    group.create_task(
                        publish_in_flight(lambda: admission.executing + admission.queued, self._publish),
                        name="in-flight",
                    ),
                ]
                if deletion_cost is not None:
                    background.append(group.create_task(deletion_cost.run(), name="deletion-cost"))
                freeze_startup_objects()
                await self._serve(listener)
                for task in background:
                    task.cancel()
        return EXIT_FAILED if self.drain.is_forced else EXIT_OK

    def _open_deletion_cost(self, admission: Admission, observer: Observer) -> DeletionCost | None:
        """Raise `ConfigurationError` where it is wanted and this is no pod."""
        settings = self._settings
        if not settings.pod.has_deletion_cost:
            return None
        from dequeuer.kubernetes.deletion_cost import open_deletion_cost  # noqa: PLC0415 - only such a proxy pays for it

        return open_deletion_cost(
            os.environ,
            settings.pod.name,
            settings.pod.service_account,
            in_flight=lambda: admission.executing + admission.queued,
            observer=observer,
        )

    def _publish(self, mean: float) -> None:
        self._metrics.in_flight.value = mean

    def _make_limit(self) -> ConcurrencyLimit:
        given = self._settings.max_concurrency
        return FixedLimit(given) if isinstance(given, int) else AdaptiveLimit(given.maximum, lambda _event: None)

    def _origin(self) -> Origin:
        host, port = self._settings.user_host, self._settings.user_port
        if host is not None:
            return Origin(host=host, port=port)
        return Origin(host=LOCALHOST, port=port, alternatives=(LOCALHOST_IPV6,))

    def _limits(self, open_files: int) -> ProxyLimits:
        settings = self._settings
        # Without free descriptors the container could not be reached.
        given = settings.max_concurrency
        most = max(1, open_files - (given if isinstance(given, int) else given.maximum) - RESERVED_FILES)
        if most < settings.max_connections:
            self._log.warning("open_files_limit", connections=most, open_files=open_files)
        return ProxyLimits(
            max_connections=min(settings.max_connections, most),
            head_timeout_s=settings.head_timeout_s,
            body_timeout_s=settings.body_timeout_s,
            keepalive_timeout_s=settings.keepalive_timeout_s,
            request_timeout_s=settings.request_timeout_s,
            max_body_bytes=settings.max_body_bytes,
        )

    def _observer(self) -> RequestObserver:
        return _Both(self._metrics, AccessLog(self._log, self._settings.access_log))

    async def _listen(self, listener: Listener) -> int:
        hosts, port = self._settings.hosts, self._settings.port
        try:
            return await listener.listen(hosts, port)
        except (OSError, OverflowError) as error:
            message = (
                f"The proxy cannot listen on {clip(addresses_text(hosts, port))} ({clip(str(error))}). Free that port, "
                "or choose another with DEQUEUER_PROXY_PORT or --port (1-65535), or other addresses with "
                "DEQUEUER_PROXY_HOST."
            )
            raise FatalError(message) from error

    async def _serve(self, listener: Listener) -> None:
        """Serve until SIGTERM, and drain."""
        settings = self._settings
        await self.drain.wait_requested()
        self._log.info("proxy_draining", closes_after_s=settings.shutdown_delay_s, grace_s=settings.shutdown_grace_s)
        draining = asyncio.create_task(self._drain_in_order(listener), name="drain")
        forced = asyncio.create_task(self.drain.wait_forced(), name="drain-forced")
        await asyncio.wait({draining, forced}, return_when=asyncio.FIRST_COMPLETED)
        cut = listener.connections  # after a second signal
        if draining.done():
            cut = draining.result()
        else:
            draining.cancel()
            with suppress(asyncio.CancelledError):
                await draining
        self._drain_actions.drain_ended()
        self._log.info("proxy_drained", cut=cut)
        await self.drain.wait_end_requested()
        forced.cancel()

    async def _drain_in_order(self, listener: Listener) -> int:
        """Return how many connections were cut."""
        # A load balancer sends requests until it has seen /healthz fail.
        await asyncio.sleep(self._settings.shutdown_delay_s)
        listener.stop_listening()
        return await listener.drain(self._settings.shutdown_grace_s)


class _Both:
    """A `RequestObserver` that tells two."""

    def __init__(self, metrics: ProxyMetrics, access_log: AccessLog) -> None:
        self._metrics = metrics
        self._access_log = access_log
        self.upgrade_opened = metrics.upgrade_opened
        self.upgrade_closed = metrics.upgrade_closed

    def request_ended(self, record: RequestRecord) -> None:
        """Count it, and write its line."""
        self._metrics.request_ended(record)
        self._access_log.request_ended(record)
