"""What the sidecar of any queue consists of: its handler, and the buckets that payloads and results want."""

from __future__ import annotations

from dequeuer.handlers.bugs import BugBoundary
from dequeuer.handlers.queue_api.handler import QueueHandler, RequestForm, fail_message
from dequeuer.handlers.queue_api.payloads import Payloads
from dequeuer.handlers.queue_api.results import QueueResults
from dequeuer.settings import SidecarSettings
from dequeuer.sidecar.api_kinds import ApiKind, WorkerDependencies
from dequeuer.sinks.access import harmless_store_calls, prove_access
from dequeuer.sinks.base import Store


async def make_queue_kind(settings: SidecarSettings, dependencies: WorkerDependencies) -> ApiKind:
    """Make the kind. Waits while the bucket of the results is unavailable.

    Raises:
        FatalError: the results cannot be listed or written.
    """
    policy = dependencies.policy
    stores: dict[str, Store] = {
        bucket: dependencies.cloud.store(bucket, dependencies.observer) for bucket in set(settings.queue.buckets)
    }
    results, calls = None, {}
    if settings.queue.results is not None:
        bucket, prefix = settings.queue.results.bucket, settings.queue.results.key
        await prove_access(stores[bucket], bucket, prefix, option="DEQUEUER_QUEUE_RESULTS")
        results = QueueResults(stores[bucket], prefix, settings.max_result_bytes)
        calls = dict(harmless_store_calls(stores[bucket], prefix))
        # A read is refused for one payload, which its sender chose. Repeating it until it is allowed could stop the
        # work for ever, so the next message shows whether the refusal is over.
        del calls["s3", "get"]
    payloads = None
    if settings.queue.payload_buckets:
        allowed = {bucket: stores[bucket] for bucket in settings.queue.payload_buckets}
        payloads = Payloads(allowed, deletes=settings.queue.deletes_payloads)
    handler = QueueHandler(
        form=RequestForm(
            path=settings.queue.path,
            takes_paths=settings.queue.takes_paths,
            content_type=settings.queue.content_type,
            body_format=settings.queue.body_format,
        ),
        target=dependencies.target,
        payloads=payloads,
        results=results,
        policy=policy,
        drain=dependencies.drain,
        observer=dependencies.observer,
    )
    return ApiKind(
        handler=BugBoundary(handler, fail_message, policy.max_attempts),
        end_of_work=None,
        has_failed=lambda: False,
        background=None,
        harmless_calls=calls,
    )
