"""What differs between the kinds of APIs: the handler, when the work is over, and the background task."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Coroutine, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import structlog

from dequeuer.clients.base import Cloud
from dequeuer.core.drain import Drain
from dequeuer.core.errors import FatalError, StoreDeniedError, StoreUnavailableError
from dequeuer.core.events import Observer, StoreCalled
from dequeuer.core.refusals import HarmlessCall
from dequeuer.core.retry import retry_until_available
from dequeuer.handlers.base import Handler, Target
from dequeuer.handlers.response_policy import ResponsePolicy
from dequeuer.settings import SidecarSettings
from dequeuer.sinks.access import harmless_store_calls, prove_access
from dequeuer.sinks.base import Fetch
from dequeuer.sinks.expiry import MISSING_PERMISSION, ExpiryChange
from dequeuer.sinks.layout import ApiKeys, workloads_prefix
from dequeuer.sources.base import Source
from dequeuer.sources.sqs.operations import SqsClient
from dequeuer.worker.poller import EndOfWork

if TYPE_CHECKING:  # a sidecar that needs none of them does not pay for them
    from dequeuer.formats.events_target import EventsTarget
    from dequeuer.handlers.async_api.announcing import Outbox
    from dequeuer.handlers.async_api.pause import PauseWatch
    from dequeuer.handlers.async_api.progress import ProgressReports
    from dequeuer.sidecar.batch_counts import BatchCounter


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerDependencies:
    """The collaborators that every kind of API needs."""

    cloud: Cloud
    source: Source
    target: Target
    policy: ResponsePolicy
    drain: Drain
    observer: Observer
    sqs: SqsClient
    counter: BatchCounter | None = None
    """Of batches, when their counts are stored."""
    closing: AsyncExitStack = field(default_factory=AsyncExitStack)
    """What is closed at the end of the process."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKind:
    """What the worker needs for one kind of API.

    Attributes:
        handler: handles its messages.
        end_of_work: detects that the work is over; None: it never is.
        has_failed: whether the process must exit with status 1 when the work is over.
        background: runs once, concurrently with the work; None: nothing to run.
        finish: runs after the work, until the given loop time or 0.5 s, whichever is later; None: nothing to run.
        pause: says whether something may be received; None: nobody looks for pauses.
        harmless_calls: calls by service and operation; their results show whether a refused operation is allowed again.
    """

    handler: Handler
    end_of_work: EndOfWork | None
    has_failed: Callable[[], bool]
    background: Callable[[], Coroutine[None, None, None]] | None
    finish: Callable[[float], Coroutine[None, None, None]] | None = None
    pause: PauseWatch | None = None
    harmless_calls: Mapping[tuple[str, str], HarmlessCall] = field(default_factory=dict)


async def make_api_kind(settings: SidecarSettings, dependencies: WorkerDependencies) -> ApiKind:
    """Make the kind of API that the settings name. The modules of the other kinds are not imported, to save memory.

    Raises:
        FatalError: the bucket does not exist, or listing or writing it is denied.
    """
    if settings.api_kind == "async":
        return await _make_async(settings, dependencies)
    if settings.api_kind == "queue":
        from dequeuer.sidecar.queue_kind import make_queue_kind  # noqa: PLC0415 - see above

        return await make_queue_kind(settings, dependencies)
    return await _make_batch(settings, dependencies)


async def _make_async(settings: SidecarSettings, dependencies: WorkerDependencies) -> ApiKind:
    from dequeuer.handlers.async_api.attempt_records import AttemptRecords  # noqa: PLC0415 - see make_api_kind
    from dequeuer.handlers.async_api.cancellation import CancellationWatch  # noqa: PLC0415 - see make_api_kind
    from dequeuer.handlers.async_api.final_failure import FailRequest  # noqa: PLC0415 - see make_api_kind
    from dequeuer.handlers.async_api.handler import AsyncHandler  # noqa: PLC0415 - see make_api_kind
    from dequeuer.handlers.async_api.result import ResultWriter  # noqa: PLC0415 - see make_api_kind
    from dequeuer.handlers.async_api.unannounced import UnannouncedRequests  # noqa: PLC0415 - see make_api_kind
    from dequeuer.handlers.bugs import BugBoundary  # noqa: PLC0415 - see make_api_kind
    from dequeuer.sinks.deletion_batching import DeletionBatcher  # noqa: PLC0415 - see make_api_kind

    store = dependencies.cloud.store(settings.bucket, dependencies.observer)
    prefix = workloads_prefix(settings.cluster_uid)
    below = f"{prefix}{settings.api_name}/"
    await prove_access(store, settings.bucket, below)
    keys = ApiKeys(settings.cluster_uid, settings.api_name)
    cancellations = None
    if settings.cancel_check_interval_s:
        cancellations = CancellationWatch(store, keys, settings.cancel_check_interval_s)
        dependencies.closing.callback(cancellations.close)
    handler = AsyncHandler(
        cluster_uid=settings.cluster_uid,
        api_name=settings.api_name,
        store=store,
        deletions=DeletionBatcher(store),
        target=dependencies.target,
        results=ResultWriter(settings.max_result_bytes),
        policy=dependencies.policy,
        drain=dependencies.drain,
        observer=dependencies.observer,
        in_progress_after_s=settings.in_progress_after_s,
        progress=await _open_progress(dependencies) if settings.progress else None,
        on_webhook=UnannouncedRequests().found if settings.webhook_queue_url is None else None,
        cancellations=cancellations,
        attempts=AttemptRecords(store, keys, socket.gethostname()),
    )

    pause = await _watch_pauses(settings, dependencies, store)

    async def background() -> None:
        async with asyncio.TaskGroup() as group:
            if settings.result_retention_days:  # with 0 days the lifecycle rules of the bucket are not read
                group.create_task(_ensure_expiry(settings, dependencies, prefix), name="expiry")
            if pause is not None:
                group.create_task(pause.run(), name="pauses")

    bounded = BugBoundary(
        handler,
        FailRequest(cluster_uid=settings.cluster_uid, api_name=settings.api_name, store=store),
        settings.max_attempts,
    )
    return ApiKind(
        handler=await _announcing(bounded, settings, dependencies, store),
        end_of_work=None,
        has_failed=lambda: False,
        background=background,
        pause=pause,
        harmless_calls=harmless_store_calls(store, below),
    )


async def _watch_pauses(settings: SidecarSettings, dependencies: WorkerDependencies, store: Fetch) -> PauseWatch | None:
    """Return whether the API is paused now; None: nobody looks."""
    if not settings.pause_check_interval_s:
        return None
    from dequeuer.handlers.async_api.pause import PauseWatch  # noqa: PLC0415 - only such a sidecar pays for it

    keys = ApiKeys(settings.cluster_uid, settings.api_name)
    watch = PauseWatch(store, keys, settings.pause_check_interval_s, dependencies.observer)
    await watch.look()  # a sidecar that is started during a pause receives nothing
    return watch


async def _announcing(
    handler: Handler, settings: SidecarSettings, dependencies: WorkerDependencies, store: Fetch
) -> Handler:
    """Return a handler that announces the requests which it has ended."""
    url, target = settings.webhook_queue_url, settings.events_target
    if url is None and target is None:
        return handler
    from dequeuer.handlers.async_api.announcing import Announcing  # noqa: PLC0415 - only such a sidecar pays for it
    from dequeuer.sources.sqs.outbox import SqsOutbox  # noqa: PLC0415 - see above

    def queue(url: str) -> Outbox:
        return SqsOutbox(dependencies.sqs, dependencies.cloud.translate, url, dependencies.observer)

    events: Outbox | None = None
    if target is not None:
        events = queue(target.address) if target.service == "sqs" else await _publisher(target, settings, dependencies)
    return Announcing(
        handler,
        outbox=None if url is None else queue(url),
        events=events,
        store=store,
        cluster_uid=settings.cluster_uid,
        api_name=settings.api_name,
    )


async def _publisher(target: EventsTarget, settings: SidecarSettings, dependencies: WorkerDependencies) -> Outbox:
    """Open the topic or the bus that gets the ends of requests. Nothing is sent yet."""
    from dequeuer.publishing.outbox import BusOutbox, TopicOutbox  # noqa: PLC0415 - see above

    cloud, observer, opened = dependencies.cloud, dependencies.observer, dependencies.closing
    if target.service == "sns":
        topics = await opened.enter_async_context(cloud.sns(target.region))
        return TopicOutbox(topics, cloud.translate, target.address, settings.api_name, observer)
    buses = await opened.enter_async_context(cloud.event_bridge(target.region))
    return BusOutbox(buses, cloud.translate, target.address, observer)


async def _open_progress(dependencies: WorkerDependencies) -> ProgressReports:
    """Listen for the reports of containers. Raises `FatalError`."""
    from dequeuer.container.progress_server import ProgressServer  # noqa: PLC0415 - only such a sidecar pays for it
    from dequeuer.handlers.async_api.progress import ProgressReports  # noqa: PLC0415 - see above

    server = ProgressServer()
    reports = ProgressReports(server.address)
    await server.start(reports.report)
    dependencies.closing.push_async_callback(server.stop)
    return reports


async def _ensure_expiry(settings: SidecarSettings, dependencies: WorkerDependencies, prefix: str) -> None:
    async def attempt() -> ExpiryChange:
        try:
            return await dependencies.cloud.ensure_expiry(
                bucket=settings.bucket, prefix=prefix, days=settings.result_retention_days
            )
        except StoreUnavailableError as error:
            dependencies.observer(StoreCalled(op="get", duration_s=0.0, error="unavailable", detail=str(error)))
            raise

    try:
        change = await retry_until_available(StoreUnavailableError, attempt)
    except StoreDeniedError as error:
        raise FatalError(str(error)) from error
    log = structlog.get_logger()
    if (permission := MISSING_PERMISSION.get(change)) is not None:
        hint = "without this permission results may be kept forever"
        log.warning("expiry_rule_not_checked", bucket=settings.bucket, missing=permission, hint=hint)
    elif change == "not_supported":
        hint = "the store does not support lifecycle rules: delete old results yourself, or they are kept forever"
        log.warning("expiry_rule_not_checked", bucket=settings.bucket, hint=hint)
    else:
        log.info("expiry_rule", bucket=settings.bucket, prefix=prefix, days=settings.result_retention_days, rule=change)


async def _make_batch(settings: SidecarSettings, dependencies: WorkerDependencies) -> ApiKind:
    from dequeuer.handlers.batch_api.completion import Completion, EndWhenEmpty  # noqa: PLC0415 - see make_api_kind
    from dequeuer.handlers.batch_api.final_failure import FailBatch  # noqa: PLC0415 - see make_api_kind
    from dequeuer.handlers.batch_api.handler import BatchHandler  # noqa: PLC0415 - see make_api_kind
    from dequeuer.handlers.bugs import BugBoundary  # noqa: PLC0415 - see make_api_kind

    objects = None
    if settings.has_job_objects:
        from dequeuer.sidecar.batch_objects import open_batch_objects  # noqa: PLC0415 - see make_api_kind

        objects = await open_batch_objects(settings, dependencies)
    completion = Completion(
        job_id=settings.job_id,
        queue=dependencies.source,
        target=dependencies.target,
        delay_s=settings.completion_delay_s,
        policy=dependencies.policy,
        drain=dependencies.drain,
        observer=dependencies.observer,
    )
    handler = BatchHandler(
        job_id=settings.job_id,
        target=dependencies.target,
        completion=completion,
        policy=dependencies.policy,
        drain=dependencies.drain,
        observer=dependencies.observer,
        results=None if objects is None else objects.results,
    )
    fail = FailBatch(completion=completion, observer=dependencies.observer)
    bounded = BugBoundary(handler, fail, settings.max_attempts)
    stored = None if objects is None else objects.counts
    return ApiKind(
        handler=bounded if objects is None else objects.recording(bounded),
        end_of_work=EndWhenEmpty(dependencies.source) if settings.exit_when_empty else None,
        has_failed=lambda: completion.failed,
        background=stored.run if stored is not None else None,
        finish=stored.finish if stored is not None else None,
        harmless_calls={} if objects is None else objects.harmless_calls,
    )
