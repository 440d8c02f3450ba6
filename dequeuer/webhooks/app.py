"""The composition root of `dequeuer webhooks`: builds every part, starts and stops them; the exit status."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from typing import Final

import structlog

from dequeuer import __version__
from dequeuer.clients.base import Cloud
from dequeuer.clients.choice import AwsResources, choose, connect
from dequeuer.core.drain import Drain
from dequeuer.core.errors import FatalError
from dequeuer.core.events import Event, Observer, ProcessPhaseChanged, SourceCalled
from dequeuer.core.refusals import Refusals
from dequeuer.formats.receiver_rules import ReceiverRules
from dequeuer.observability import logs
from dequeuer.observability.admin import AdminServer
from dequeuer.observability.metrics import combine
from dequeuer.observability.metrics.webhooks import WebhookMetrics
from dequeuer.process.garbage import freeze_startup_objects
from dequeuer.process.running import run_to_status
from dequeuer.settings import WebhooksSettings
from dequeuer.sources.sqs.access import harmless_queue_calls, open_queue
from dequeuer.sources.sqs.source import SqsSource
from dequeuer.webhooks.delivery import Delivering, DeliveryHandler
from dequeuer.webhooks.disabled import DisabledReceivers
from dequeuer.webhooks.hosts import HostTurns
from dequeuer.webhooks.keys import KeyFile
from dequeuer.webhooks.sending import HttpSender
from dequeuer.worker.lease import LeaseRenewer, poll_wait_s
from dequeuer.worker.worker import Worker

EXIT_OK, EXIT_FAILED = 0, 1
POLL_WAIT_S: Final = 20
STUCK_AFTER_S: Final = 60.0
"""The poller is stuck when a receive takes this much longer than its own wait."""
RESOLVER_THREADS: Final = 64
"""A look-up of a name that nobody answers holds a thread for many seconds. The default of the library is four."""


def run_webhooks(settings: WebhooksSettings) -> int:
    """Deliver until SIGTERM or SIGINT, then end the deliveries under way; return the exit status.

    Raises:
        ConfigurationError: the region or the file of the keys is wrong; no call to AWS was made.
    """
    os.environ.setdefault("UV_THREADPOOL_SIZE", str(RESOLVER_THREADS))
    return run_to_status(_run(settings))


async def _run(settings: WebhooksSettings) -> int:
    logs.configure(settings.log.level, settings.log.format)
    log = structlog.get_logger()
    keys = _keys(settings)
    drain = Drain()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, drain.request)
    client, reasons = choose(settings.aws, os.environ, AwsResources(settings.bucket, (settings.queue_url,)))
    if reasons:
        log.info("aws_client_chosen", client=client, reason="; ".join(reasons))
    deliverer = _Deliverer(settings, connect(settings.aws, client, os.environ), drain, keys)
    try:
        await deliverer.run()
    except FatalError as error:
        log.error("cannot_go_on", error=str(error))  # noqa: TRY400 - a traceback would not help
        return EXIT_FAILED
    except Exception:
        log.exception("bug_ended_the_process")
        return EXIT_FAILED
    return EXIT_FAILED if drain.is_forced else EXIT_OK


def _keys(settings: WebhooksSettings) -> Callable[[], Sequence[bytes]]:
    """Return what returns the keys of the signatures. Raises `ConfigurationError`."""
    if settings.unsigned or settings.keys_path is None:
        return tuple[bytes, ...]

    def report(fault: str) -> None:
        log = structlog.get_logger()
        if fault:
            log.error("webhook_keys_not_replaced", error=fault)
        else:
            log.info("webhook_keys_replaced")

    return KeyFile(settings.keys_path, report).keys


class _Deliverer:
    """All parts of one process."""

    def __init__(
        self, settings: WebhooksSettings, cloud: Cloud, drain: Drain, keys: Callable[[], Sequence[bytes]]
    ) -> None:
        self._settings = settings
        self._cloud = cloud
        self._drain = drain
        self._keys = keys
        self._metrics = WebhookMetrics()
        self._refusals = Refusals()
        self._poll_wait_s = poll_wait_s(POLL_WAIT_S, settings.visibility_timeout_s)
        self._worker: Worker | None = None

    async def run(self) -> None:
        """Run until the drain. Raises `FatalError`."""
        settings = self._settings
        observer = combine(self._observe_queue, self._metrics, logs.webhooks_event_log())
        async with AsyncExitStack() as stack:
            admin = AdminServer(
                settings.admin_hosts,
                settings.admin_port,
                self._metrics.render,
                is_ready=lambda: self._worker is not None and self._refusals.is_clear,
                is_live=lambda: self._worker is None or self._worker.is_live(self._poll_wait_s + STUCK_AFTER_S),
                not_ready_reason=lambda: "" if self._refusals.is_clear else "SQS refuses a call",
            )
            await admin.start()
            stack.push_async_callback(admin.stop)
            stack.push_async_callback(self._cloud.close)
            self._cloud.observe(observer)
            structlog.get_logger().info("webhooks_started", version=__version__, signed=bool(self._keys()))
            connecting = stack.enter_async_context(self._cloud.sqs(longest_wait_s=self._poll_wait_s))
            sqs = await self._drain.run_until_requested(connecting, "connect")
            if sqs is None:
                return
            renewer = LeaseRenewer(settings.visibility_timeout_s, observer)
            source = SqsSource(
                sqs,
                translate=self._cloud.translate,
                queue_url=settings.queue_url,
                visibility_timeout_s=settings.visibility_timeout_s,
                poll_wait_s=self._poll_wait_s,
                held=lambda: len(renewer),
                observer=observer,
            )
            stack.push_async_callback(source.close)
            if await self._drain.run_until_requested(_open(source, settings.queue_url), "start") is None:
                return
            self._refusals.set_harmless_calls(harmless_queue_calls(source))
            await self._work(source, renewer, observer)

    def _observe_queue(self, event: Event) -> None:
        # Not the store: without it receivers are not known to be disabled, and the others must get their webhooks.
        if isinstance(event, SourceCalled):
            self._refusals(event)

    async def _work(self, source: SqsSource, renewer: LeaseRenewer, observer: Observer) -> None:
        settings = self._settings
        rules = ReceiverRules(allowed=settings.rules.allowed, allows_http=settings.rules.allows_http)
        handler = DeliveryHandler(
            Delivering(
                cluster_uid=settings.cluster_uid,
                results_url=settings.results_url,
                max_age_s=settings.max_age_s,
                rules=rules,
            ),
            sender=HttpSender(rules, settings.timeout_s),
            keys=self._keys,
            disabled=DisabledReceivers(self._cloud.store(settings.bucket, observer), settings.cluster_uid),
            hosts=HostTurns(settings.per_host),
            observer=observer,
        )
        worker = Worker(
            source=source,
            handler=handler,
            readiness=self._refusals.may_receive,
            renewer=renewer,
            drain=self._drain,
            slots=settings.workers,
            grace_s=settings.shutdown_grace_s,
            end_of_work=None,
            observer=observer,
        )
        observer(ProcessPhaseChanged(phase="started", in_flight=0))
        freeze_startup_objects()
        background = [
            asyncio.create_task(renewer.run(), name="leases"),
            asyncio.create_task(self._refusals.run(), name="refusals"),
        ]
        working = asyncio.create_task(worker.run(), name="worker")
        self._worker = worker
        try:
            # A bug in the renewal must end the process: messages would be delivered twice for as long as it runs.
            await asyncio.wait({working, *background}, return_when=asyncio.FIRST_COMPLETED)
            for task in background:
                if task.done():
                    task.result()
            await working
        finally:
            for task in (working, *background):
                task.cancel()
            await asyncio.wait({working, *background})


async def _open(source: SqsSource, queue_url: str) -> bool:
    """Open the queue as `open_queue`, and warn of its redrive policy. Returns True: it is open."""
    await open_queue(source, queue_url)
    if source.max_receives is not None:
        log = structlog.get_logger()
        log.warning(
            "webhook_queue_has_redrive",
            max_receives=source.max_receives,
            hint="webhooks are moved to its dead-letter queue after so many receives: remove the redrive policy",
        )
    return True
