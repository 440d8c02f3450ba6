"""What differs between the kinds of API: the handler, when the work is over, and what runs beside it."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field

import structlog

from dequeuer.clients.base import Cloud
from dequeuer.core.drain import Drain
from dequeuer.core.errors import FatalError, StoreDeniedError, StoreUnavailableError
from dequeuer.core.events import Observer, StoreCalled
from dequeuer.core.refusals import Try
from dequeuer.core.retry import retry_until_available
from dequeuer.handlers.base import Handler, Target
from dequeuer.handlers.policy import Policy
from dequeuer.settings import SidecarSettings
from dequeuer.sinks.access import prove_access, tries_of_store
from dequeuer.sinks.expiry import MISSING_PERMISSION, ExpiryChange
from dequeuer.sinks.layout import workloads_prefix
from dequeuer.sources.base import Source
from dequeuer.worker.worker import Watch


@dataclass(frozen=True, slots=True, kw_only=True)
class Parties:
    """Those who take part in the work, whatever the kind."""

    cloud: Cloud
    source: Source
    target: Target
    policy: Policy
    drain: Drain
    observer: Observer


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A kind of API, ready to work.

    Attributes:
        handler: works on its messages.
        watch: knows when the work is over; None: never.
        has_failed: whether the process is to exit with 1 although the work is over.
        background: runs once, beside the work; None: nothing to do.
        tries: harmless calls that tell whether what was refused is allowed again.
    """

    handler: Handler
    watch: Watch | None
    has_failed: Callable[[], bool]
    background: Callable[[], Coroutine[None, None, None]] | None
    tries: Mapping[tuple[str, str], Try] = field(default_factory=dict)


async def make_kind(settings: SidecarSettings, parties: Parties) -> Kind:
    """Make the kind that the settings name. Imports of the other kind cost start-up time and memory.

    Raises:
        FatalError: the bucket does not exist, or may not be listed or written.
    """
    if settings.api_kind == "async":
        return await _make_async(settings, parties)
    return _make_batch(settings, parties)


async def _make_async(settings: SidecarSettings, parties: Parties) -> Kind:
    from dequeuer.handlers.async_api.handler import AsyncHandler  # noqa: PLC0415 - see make_kind
    from dequeuer.handlers.async_api.result import ResultWriter  # noqa: PLC0415 - see make_kind
    from dequeuer.handlers.last_resort import BoundedHandler, FailRequest  # noqa: PLC0415 - see make_kind
    from dequeuer.sinks.gathered import GatheredDeletions  # noqa: PLC0415 - see make_kind

    store = GatheredDeletions(parties.cloud.store(settings.bucket, parties.observer))
    prefix = workloads_prefix(settings.cluster_uid)
    below = f"{prefix}{settings.api_name}/"
    await prove_access(store, settings.bucket, below)
    handler = AsyncHandler(
        cluster_uid=settings.cluster_uid,
        api_name=settings.api_name,
        store=store,
        target=parties.target,
        results=ResultWriter(settings.max_result_bytes),
        policy=parties.policy,
        drain=parties.drain,
        observer=parties.observer,
    )

    async def background() -> None:
        await _make_sure_of_expiry(settings, parties, prefix)

    bounded = BoundedHandler(
        handler,
        FailRequest(cluster_uid=settings.cluster_uid, api_name=settings.api_name, store=store),
        settings.max_attempts,
    )
    return Kind(
        handler=bounded,
        watch=None,
        has_failed=lambda: False,
        # Without it the rules of the bucket are not even read.
        background=background if settings.result_retention_days else None,
        tries=tries_of_store(store, below),
    )


async def _make_sure_of_expiry(settings: SidecarSettings, parties: Parties, prefix: str) -> None:
    async def attempt() -> ExpiryChange:
        try:
            return await parties.cloud.ensure_expiry(
                bucket=settings.bucket, prefix=prefix, days=settings.result_retention_days
            )
        except StoreUnavailableError as error:
            parties.observer(StoreCalled(op="get", duration_s=0.0, error="unavailable", detail=str(error)))
            raise

    try:
        change = await retry_until_available(StoreUnavailableError, attempt)
    except StoreDeniedError as error:
        raise FatalError(str(error)) from error
    log = structlog.get_logger()
    if (permission := MISSING_PERMISSION.get(change)) is not None:
        hint = "without this permission results may be kept for ever"
        log.warning("expiry_rule_not_checked", bucket=settings.bucket, missing=permission, hint=hint)
    elif change == "not_supported":
        hint = "the store refuses such rules: delete old results yourself, or they may be kept for ever"
        log.warning("expiry_rule_not_checked", bucket=settings.bucket, hint=hint)
    else:
        log.info("expiry_rule", bucket=settings.bucket, prefix=prefix, days=settings.result_retention_days, rule=change)


def _make_batch(settings: SidecarSettings, parties: Parties) -> Kind:
    from dequeuer.handlers.batch_api.completion import Completion, DrainedQueue  # noqa: PLC0415 - see make_kind
    from dequeuer.handlers.batch_api.handler import BatchHandler  # noqa: PLC0415 - see make_kind
    from dequeuer.handlers.last_resort import BoundedHandler, FailAttempt  # noqa: PLC0415 - see make_kind

    completion = Completion(
        job_id=settings.job_id,
        queue=parties.source,
        target=parties.target,
        delay_s=settings.completion_delay_s,
        policy=parties.policy,
        drain=parties.drain,
        observer=parties.observer,
    )
    handler = BatchHandler(
        job_id=settings.job_id,
        target=parties.target,
        completion=completion,
        policy=parties.policy,
        drain=parties.drain,
        observer=parties.observer,
    )
    return Kind(
        handler=BoundedHandler(handler, FailAttempt(observer=parties.observer), settings.max_attempts),
        watch=DrainedQueue(parties.source),
        has_failed=lambda: completion.failed,
        background=None,
    )
