"""The composition root of the enqueuer: builds every part, runs the job, tells how it ended."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from contextlib import AsyncExitStack, suppress
from dataclasses import replace
from typing import Final

import structlog

from dequeuer import __version__
from dequeuer.clients.base import Cloud
from dequeuer.clients.choice import AwsResources, choose, connect
from dequeuer.core.drain import Drain
from dequeuer.core.errors import DequeuerError, FatalError
from dequeuer.core.events import Observer
from dequeuer.enqueuer.display import progress_fields, show_progress
from dequeuer.enqueuer.model import EnqueueFaultError
from dequeuer.enqueuer.progress import Progress
from dequeuer.enqueuer.run import Enqueuer, EnqueuerStoppedError
from dequeuer.jobs.enqueue_error import EnqueueError, error_fields
from dequeuer.jobs.layout import JobKeys
from dequeuer.observability import logs
from dequeuer.observability.admin import AdminServer
from dequeuer.observability.metrics.enqueuer import EnqueuerMetrics
from dequeuer.process.early_signals import STOPPED_STATUS
from dequeuer.process.garbage import freeze_startup_objects
from dequeuer.process.running import run_to_status
from dequeuer.settings import EnqueuerSettings
from dequeuer.sinks.base import ObjectStore
from dequeuer.sources.sqs.sending import MessageSender

EXIT_OK, EXIT_FAILED = 0, 1
STOP_GRACE_S: Final = 20.0
"""For the window that is being sent when SIGTERM comes. What is lost after it is sent again."""
STORE_ERROR_TIMEOUT_S: Final = 10.0
BUG: Final = "a bug in the enqueuer; its log has the traceback"


def run_enqueuer(settings: EnqueuerSettings) -> int:
    """Enqueue the job; return the exit status: 0, 1, or `STOPPED_STATUS` after SIGTERM.

    Raises:
        ConfigurationError: the region is wrong; no call to AWS was made.
    """
    return run_to_status(_run(settings))


class _Buckets:
    """Buckets of files, each opened once. They may belong to other accounts, and be in other regions."""

    def __init__(self, cloud: Cloud, observer: Observer) -> None:
        self._cloud = cloud
        self._observer = observer
        self._opened: dict[str, ObjectStore] = {}

    def listing(self, bucket: str) -> ObjectStore:
        """Return a bucket."""
        if bucket not in self._opened:
            self._opened[bucket] = self._cloud.store(bucket, self._observer, is_foreign=True)
        return self._opened[bucket]

    def objects(self, bucket: str) -> ObjectStore:
        """Return a bucket."""
        return self.listing(bucket)


async def _run(settings: EnqueuerSettings) -> int:
    logs.configure(settings.log.level, settings.log.format)
    log = structlog.get_logger().bind(api_name=settings.api_name, job_id=settings.job_id)
    aws = settings.aws if settings.region is None else replace(settings.aws, region=settings.region)
    drain = Drain()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, drain.request)
    client, reasons = choose(aws, os.environ, AwsResources(settings.bucket, (settings.queue_url,)))
    if reasons:
        log.info("aws_client_chosen", client=client, reason="; ".join(reasons))
    cloud = connect(aws, client, os.environ)
    event_log = logs.sidecar_event_log(settings.api_name, settings.job_id)
    metrics = EnqueuerMetrics(settings.api_name, settings.job_id)
    progress = Progress()
    progress.changed = lambda: metrics.update(**progress.numbers())
    async with AsyncExitStack() as stack:
        admin = AdminServer(
            settings.admin_hosts, settings.admin_port, metrics.render, is_ready=lambda: True, is_live=lambda: True
        )
        try:
            await admin.start()
        except FatalError as error:
            log.error("cannot_go_on", error=str(error))  # noqa: TRY400 - a traceback would not help
            return EXIT_FAILED
        stack.push_async_callback(admin.stop)
        stack.push_async_callback(cloud.close)
        cloud.observe(event_log)
        log.info("enqueuer_started", version=__version__)
        sqs = await drain.run_until_requested(stack.enter_async_context(cloud.sqs(longest_wait_s=0)), "connect")
        if sqs is None:
            return STOPPED_STATUS
        enqueuer = Enqueuer(
            store=cloud.store(settings.bucket, event_log),
            buckets=_Buckets(cloud, event_log),
            sender=MessageSender(sqs, cloud.translate, settings.queue_url, event_log),
            keys=JobKeys(
                cluster_uid=settings.cluster_uid,
                kind="BatchAPI",
                version=settings.cortex_version,
                api_name=settings.api_name,
                job_id=settings.job_id,
            ),
            progress=progress,
            should_stop=lambda: drain.requested,
        )
        freeze_startup_objects()
        terminal = sys.stderr if sys.stderr is not None and sys.stderr.isatty() else None
        showing = asyncio.create_task(show_progress(progress.report, log, terminal), name="progress")
        try:
            return await enqueue_until_stopped(enqueuer, drain, progress, log)
        finally:
            showing.cancel()
            if terminal is not None:
                terminal.write("\n")


async def enqueue_until_stopped(
    enqueuer: Enqueuer, drain: Drain, progress: Progress, log: structlog.typing.FilteringBoundLogger
) -> int:
    """Run until the end, or until a stop has taken too long; return the exit status."""
    running = asyncio.create_task(enqueuer.run(), name="enqueue")
    stopping = asyncio.create_task(_stop_is_due(drain), name="stop")
    await asyncio.wait({running, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    running.cancel()
    await asyncio.wait({running, stopping})
    fields = progress_fields(progress.report())
    try:
        batches = running.result()
    except (EnqueuerStoppedError, asyncio.CancelledError):
        log.warning("enqueue_stopped", **fields)
        return STOPPED_STATUS
    except Exception as error:
        fault = _fault_of(error)
        if isinstance(error, DequeuerError):
            log.error("enqueue_failed", **error_fields(fault))  # noqa: TRY400 - a traceback would not help
        else:
            log.exception("bug_ended_the_process")
        with suppress(DequeuerError, TimeoutError):
            async with asyncio.timeout(STORE_ERROR_TIMEOUT_S):
                await enqueuer.store_error(fault)
        return EXIT_FAILED
    log.info("enqueue_completed", **{**fields, "batches": batches})
    return EXIT_OK


async def _stop_is_due(drain: Drain) -> None:
    await drain.wait_requested()
    with suppress(TimeoutError):
        async with asyncio.timeout(STOP_GRACE_S):
            await drain.wait_forced()


def _fault_of(error: Exception) -> EnqueueError:
    if isinstance(error, EnqueueFaultError):
        return error.error
    return EnqueueError(message=str(error) if isinstance(error, DequeuerError) else BUG)
