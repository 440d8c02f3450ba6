"""What the sidecar of a batch job stores: results of the items, batches that failed for good, and its counts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from dequeuer.core.refusals import HarmlessCall
from dequeuer.handlers.base import Handler
from dequeuer.handlers.batch_api.answer import AnswerReader
from dequeuer.handlers.batch_api.failures import FailureRecorder
from dequeuer.handlers.batch_api.handler import is_completion
from dequeuer.handlers.batch_api.records import FailureRecords
from dequeuer.handlers.batch_api.results import JobResults
from dequeuer.jobs.layout import JobKeys
from dequeuer.jobs.s3_path import S3Path
from dequeuer.settings import SidecarSettings
from dequeuer.sidecar.api_kinds import WorkerDependencies
from dequeuer.sidecar.batch_counts import StoredCounts
from dequeuer.sinks.access import harmless_store_calls, prove_access, prove_write
from dequeuer.sinks.base import Store
from dequeuer.sinks.layout import output_keys
from dequeuer.sources.sqs.sending import MessageSender


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchObjects:
    """The parts of a batch job's sidecar that store something.

    Attributes:
        recording: makes a handler that records which batches fail for good in another one.
        results: None: they are not kept.
        counts: None: they are not stored.
        harmless_calls: see `ApiKind`.
    """

    recording: Callable[[Handler], Handler]
    results: JobResults | None
    counts: StoredCounts | None
    harmless_calls: Mapping[tuple[str, str], HarmlessCall]


async def open_batch_objects(settings: SidecarSettings, dependencies: WorkerDependencies) -> BatchObjects:
    """Open the buckets. Waits while they are unavailable.

    Raises:
        FatalError: the records cannot be written, or the results cannot be listed or written.
    """
    keys = JobKeys(
        cluster_uid=settings.cluster_uid,
        kind="BatchAPI",
        version=settings.cortex_version,
        api_name=settings.api_name,
        job_id=settings.job_id,
    )
    store = dependencies.cloud.store(settings.bucket, dependencies.observer)
    await prove_write(store, settings.bucket, keys.failures)
    records = FailureRecords(store, keys.failures)
    counts = None
    if dependencies.counter is not None and settings.worker_id is not None:
        counts = StoredCounts(dependencies.counter, store, keys, settings.worker_id)
    calls = harmless_store_calls(store, keys.failures)
    results = None
    if settings.output is not None:
        results, calls_of_results = await _open_results(settings, dependencies, settings.output, store, records)
        calls = {which: _by_key(calls_of_results[which], calls[which], keys.prefix) for which in calls}
    recording = partial(
        FailureRecorder,
        is_completion=is_completion,
        records=records,
        results=results,
        observer=dependencies.observer,
    )
    return BatchObjects(recording=recording, results=results, counts=counts, harmless_calls=calls)


async def _open_results(
    settings: SidecarSettings,
    dependencies: WorkerDependencies,
    output: S3Path,
    store: Store,
    records: FailureRecords,
) -> tuple[JobResults, Mapping[tuple[str, str], HarmlessCall]]:
    if output.bucket != settings.bucket:
        # It may belong to another account, where our key and the owner of our bucket mean nothing.
        store = dependencies.cloud.store(output.bucket, dependencies.observer, is_foreign=True)
    kept = output_keys(output.key, settings.job_id)
    below = kept.folder("results")
    await prove_access(store, output.bucket, below)
    sender = MessageSender(dependencies.sqs, dependencies.cloud.translate, settings.queue_url, dependencies.observer)
    results = JobResults(
        store=store,
        keys=kept,
        sender=sender,
        api_name=settings.api_name,
        job_id=settings.job_id,
        reader=AnswerReader(settings.max_result_bytes),
        max_attempts=settings.max_attempts,
        records=records,
        observer=dependencies.observer,
    )
    return results, harmless_store_calls(store, below)


def _by_key(of_results: HarmlessCall, of_job: HarmlessCall, job_prefix: str) -> HarmlessCall:
    """Return a call in the bucket and below the prefix that a key belongs to."""

    async def call(key: str) -> None:
        await (of_job if key.startswith(job_prefix) else of_results)(key)

    return call
