"""Reads the results of a job, also while it runs: what is there so far, in the order of its items."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing

from dequeuer.core.retry import RetryPolicy
from dequeuer.jobs.layout import JobKeys
from dequeuer.jobs.output_buckets import OutputBuckets
from dequeuer.jobs.result_lines import result_lines
from dequeuer.jobs.result_objects import FOLDERS, Folder, result_batches
from dequeuer.jobs.result_store import ResultStore
from dequeuer.jobs.s3_path import parse_s3_path
from dequeuer.jobs.spec import JobSpec
from dequeuer.sinks.base import ObjectStore
from dequeuer.sinks.layout import output_keys


class ResultReader:
    """Reads the results of jobs.

    Args:
        jobs: the bucket of the jobs.
        outputs: the buckets of the results.
        retry: of calls to an unavailable store.
    """

    def __init__(self, jobs: ObjectStore, outputs: OutputBuckets, retry: RetryPolicy) -> None:
        self._jobs = jobs
        self._outputs = outputs
        self._retry = retry

    async def read(
        self, keys: JobKeys, spec: JobSpec, s3_path: str, only: Folder | None = None
    ) -> AsyncGenerator[bytes, None]:
        """Yield JSON lines, several or a piece of one at a time: of each item its result or its error, by `index`.

        Items that were left out come last: they have no index. Close it: it ends what is read ahead.

        Args:
            keys: of the job.
            spec: of the job.
            s3_path: of its output.
            only: results or errors; None: both.

        Raises:
            InvalidS3PathError: `s3_path` is none.
            StoreUnavailableError, StoreDeniedError: as the stores. What was yielded is not all.
        """
        path = parse_s3_path(s3_path)
        folders = FOLDERS if only is None else (only,)
        async with self._outputs.open(path.bucket) as bucket:
            store = ResultStore(bucket, self._retry)
            batches = result_batches(store, output_keys(path.key, spec.job_id), folders)
            async with aclosing(result_lines(store, batches)) as lines:
                async for chunk in lines:
                    yield chunk
        if spec.on_bad_item == "skip" and "errors" in folders:
            async with aclosing(self._skipped(keys)) as lines:
                async for chunk in lines:
                    yield chunk

    async def _skipped(self, keys: JobKeys) -> AsyncGenerator[bytes, None]:
        store, token = ResultStore(self._jobs, self._retry), ""
        while True:
            page = await store.list_page(keys.skipped_folder, token=token)
            for listed in page.objects:
                async with aclosing(store.chunks(listed.key)) as chunks:
                    async for chunk in chunks:
                        yield chunk
            if not page.next_token:
                return
            token = page.next_token
