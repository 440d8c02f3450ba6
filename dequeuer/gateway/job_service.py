"""Jobs without HTTP: submits them, finds out their status, passes requests on to whoever runs them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import ParamSpec, TypeVar

import structlog

from dequeuer.core.errors import DequeuerError, StoreDeniedError, StoreUnavailableError, clip
from dequeuer.gateway.job_calls import call, unavailable
from dequeuer.gateway.retry import REQUEST_RETRIES, retry_briefly
from dequeuer.jobs.deployed_api import DeployedApi
from dequeuer.jobs.errors import (
    FOREIGN,
    ApiNotDeployedError,
    Fault,
    InvalidSubmissionError,
    JobEndedError,
    JobsUnavailableError,
    NoOutputError,
    UnknownJobError,
    WrongApiKindError,
)
from dequeuer.jobs.file_search import Buckets, FilesDeniedError, FileSearch, search_files
from dequeuer.jobs.job_id import JobIds, created_ns
from dequeuer.jobs.job_listing import ListedJob, list_jobs
from dequeuer.jobs.job_store import JobStore
from dequeuer.jobs.layout import JobKeys, JobKind, api_jobs_prefix, in_progress_prefix, is_job_id
from dequeuer.jobs.object_names import names_below
from dequeuer.jobs.output_buckets import OutputBuckets
from dequeuer.jobs.result_objects import Folder
from dequeuer.jobs.results import ResultReader
from dequeuer.jobs.s3_path import InvalidS3PathError
from dequeuer.jobs.spec import InvalidSpecError, JobSpec
from dequeuer.jobs.status import JobStatus
from dequeuer.jobs.status_reading import QueueCounts, StatusReader
from dequeuer.jobs.submission import Submission, dump_payload
from dequeuer.jobs.submission_parsing import Parsed, parse_batch_submission, parse_task_submission
from dequeuer.sinks.base import ObjectStore

P = ParamSpec("P")
T = TypeVar("T")

SEARCH_TIMEOUT_S = 30.0
"""For the first file that matches; without any, the whole of all prefixes is listed."""
STORE_TIMEOUT_S = 60.0
"""For all writes of a submission; its payload can have tens of MiB."""
DISCARD_TIMEOUT_S = 2.0
MAX_TAKEN_IDS = 10
MAX_PARSED_INLINE_BYTES = 16 * 1024
"""A larger body is parsed in a thread: hostile text takes more than a microsecond for each byte."""
MAX_PARSING = 2
"""Bodies that are parsed at the same time."""
PARSING_TIMEOUT_S = 30.0
"""For the turn to be parsed: 10 MiB of hostile text take 15 s."""
LIST_TIMEOUT_S = 30.0
"""For a list of jobs, with the status of each."""
MAX_READ_AT_ONCE = 16
"""Jobs of a list whose status is found out at the same time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """Whose jobs they are.

    Attributes:
        uid: the prefix of all keys.
        version: of Cortex, part of the keys.
    """

    uid: str
    version: str


class Jobs:
    """The jobs of the APIs of a cortex.yaml.

    Raises the errors of `jobs.errors`: those that are a `JobRequestError`, and `JobsUnavailableError`.

    Args:
        store: the bucket of the cluster.
        buckets: those of the files that submissions name.
        outputs: those of results.
        queues: counts the batches of running jobs.
        apis: that have jobs, by name.
        kinds: of all APIs, by name.
        cluster: whose jobs they are.
    """

    def __init__(  # noqa: PLR0913 - collaborators
        self,
        *,
        store: ObjectStore,
        buckets: Buckets,
        outputs: OutputBuckets,
        queues: QueueCounts,
        apis: Mapping[str, DeployedApi],
        kinds: Mapping[str, str],
        cluster: Cluster,
    ) -> None:
        self.cluster = cluster
        self._listing = store
        self._jobs = JobStore(store)
        self._reader = StatusReader(store, queues)
        self._buckets = buckets
        self._results = ResultReader(store, outputs, REQUEST_RETRIES)
        self._apis = apis
        self._kinds = kinds
        self._ids = JobIds()
        self._parsing = asyncio.Semaphore(MAX_PARSING)

    @property
    def apis(self) -> Iterable[DeployedApi]:
        """Those that have jobs."""
        return self._apis.values()

    def api(self, kind: JobKind, name: str) -> DeployedApi:
        """Return the API of this name. Raises `ApiNotDeployedError`, `WrongApiKindError`."""
        deployed = self._apis.get(name)
        if deployed is not None and deployed.kind == kind:
            return deployed
        if name not in self._kinds:
            raise ApiNotDeployedError(name)
        raise WrongApiKindError(kind, name, self._kinds[name])

    async def parse(self, api: DeployedApi, body: bytes) -> Parsed:
        """Parse a submission. Its faults are part of what is returned."""
        parse = parse_batch_submission if api.kind == "BatchAPI" else parse_task_submission
        return await self._compute(len(body), parse, body, self.cluster.version)

    async def check(self, parsed: Parsed) -> Submission:
        """Return the submission when it has no faults and its files exist. Raises `InvalidSubmissionError`."""
        found = [await self._file_fault(name, search) for name, search in parsed.searches.items()]
        faults = [*parsed.faults, *(fault for fault in found if fault is not None)]
        if parsed.submission is None or faults:
            raise InvalidSubmissionError(faults)
        return parsed.submission

    async def files(self, parsed: Parsed) -> AsyncGenerator[str, None]:
        """Yield the paths of the files of a submission."""
        for search in parsed.searches.values():
            try:
                async for found in search_files(self._buckets, search, retry=REQUEST_RETRIES):
                    yield str(found.path)
            except (StoreDeniedError, StoreUnavailableError) as error:
                raise unavailable(error) from error

    async def submit(self, api: DeployedApi, submission: Submission) -> JobSpec:
        """Store a job. When this returns, it will be run; otherwise it will not, and nothing of it can be found."""
        payload = None
        if api.kind == "BatchAPI":
            items = submission.item_list
            payload = await self._compute(len(items.items) if items else 0, dump_payload, submission)
        try:
            async with asyncio.timeout(STORE_TIMEOUT_S):
                spec = await retry_briefly(StoreUnavailableError, self._create_spec, api, submission)
                keys = self.keys(api, spec.job_id)
                try:
                    if payload is not None:
                        await retry_briefly(StoreUnavailableError, self._jobs.put_payload, keys, payload)
                    await retry_briefly(StoreUnavailableError, self._jobs.put_in_index, keys)
                except BaseException:
                    await self._discard(keys)
                    raise
        except (StoreUnavailableError, StoreDeniedError, TimeoutError) as error:
            raise unavailable(error) from error
        return spec

    async def status(self, api: DeployedApi, job_id: str) -> JobStatus:
        """Return the status of a job. Raises `UnknownJobError`."""
        return await call(self._reader.read, self.keys(api, job_id))

    async def results(self, api: DeployedApi, spec: JobSpec, only: Folder | None) -> AsyncGenerator[bytes, None]:
        """Yield the lines of a job's results that are there; see `ResultReader`. Raises `NoOutputError`."""
        if spec.output_s3_path is None:
            raise NoOutputError(spec.kind, spec.api_name, spec.job_id)
        lines = self._results.read(self.keys(api, spec.job_id), spec, spec.output_s3_path, only)
        try:
            async with aclosing(lines):
                async for chunk in lines:
                    yield chunk
        except InvalidS3PathError as error:
            raise InvalidSpecError("output.s3_path in spec.json is no path") from error
        except (StoreDeniedError, StoreUnavailableError) as error:
            raise unavailable(error) from error

    async def newest(self, api: DeployedApi, limit: int, after: str) -> tuple[list[JobStatus], str]:
        """Return the newest jobs, at most `limit`, of those older than the job `after`; "": of all.

        The text is the `after` of the jobs that follow; "" when there are none.
        """
        try:
            async with asyncio.timeout(LIST_TIMEOUT_S):
                return await self._newest(api, limit, after)
        except TimeoutError as error:
            raise unavailable(error) from error

    async def running(self, api: DeployedApi, limit: int) -> list[JobStatus]:
        """Return the jobs that have not ended, the newest first; at most `limit`."""
        try:
            async with asyncio.timeout(LIST_TIMEOUT_S):
                prefix = in_progress_prefix(self.cluster.uid, api.kind, api.name)
                listed = await call(self._first_names, prefix, limit)
                statuses = await self._statuses(api, dict.fromkeys(filter(is_job_id, listed)))
        except TimeoutError as error:
            raise unavailable(error) from error
        return [status for status in statuses if not status.has_ended]

    async def _newest(self, api: DeployedApi, limit: int, after: str) -> tuple[list[JobStatus], str]:
        prefix = api_jobs_prefix(self.cluster.uid, api.kind, self.cluster.version, api.name)
        listed = await call(self._first_jobs, prefix, limit + 1, after)
        statuses = await self._statuses(api, {job.job_id: job.names for job in listed[:limit]})
        return statuses, listed[limit - 1].job_id if len(listed) > limit else ""

    async def _statuses(self, api: DeployedApi, jobs: Mapping[str, frozenset[str] | None]) -> list[JobStatus]:
        """Return the statuses of jobs that are still there. `jobs`: ids, and the names of their objects, if known."""
        turns = asyncio.Semaphore(MAX_READ_AT_ONCE)

        async def read(job_id: str, names: frozenset[str] | None) -> JobStatus | None:
            async with turns:
                keys = self.keys(api, job_id)
                try:
                    if names is None:
                        return await call(self._reader.read, keys)
                    return await call(self._reader.read_listed, keys, names)
                except (UnknownJobError, InvalidSpecError):  # deleted since, or never whole
                    return None

        try:
            async with asyncio.TaskGroup() as group:
                reading = [group.create_task(read(*job), name="job-status") for job in jobs.items()]
        except BaseExceptionGroup as group_error:
            # The first error is the cause; it cancelled the others.
            first = group_error.exceptions[0]
            raise first from first.__cause__
        return [status for task in reading if (status := task.result()) is not None]

    async def stop(self, api: DeployedApi, job_id: str) -> None:
        """Ask for the end of a job. A batch job that has ended stays what it is; for a task job it is an error."""
        status = await self.status(api, job_id)
        if not status.has_ended:
            await call(self._jobs.request_stop, self.keys(api, job_id))
        elif api.kind == "TaskAPI":
            raise JobEndedError(api.kind, api.name, job_id)

    async def pause(self, api: DeployedApi, job_id: str) -> None:
        """Ask for a pause of a job. Raises `JobEndedError`."""
        await call(self._jobs.request_pause, await self._running(api, job_id, "pause"))

    async def resume(self, api: DeployedApi, job_id: str) -> None:
        """Take a pause back. Raises `JobEndedError`."""
        await call(self._jobs.request_resume, await self._running(api, job_id, "resume"))

    def keys(self, api: DeployedApi, job_id: str) -> JobKeys:
        """Return the keys of a job. Raises `UnknownJobError` for a text that is no id."""
        if not is_job_id(job_id):
            raise UnknownJobError(api.kind, api.name, job_id)
        return JobKeys(
            cluster_uid=self.cluster.uid,
            kind=api.kind,
            version=self.cluster.version,
            api_name=api.name,
            job_id=job_id,
        )

    async def _running(self, api: DeployedApi, job_id: str, action: str) -> JobKeys:
        status = await self.status(api, job_id)
        if status.has_ended:
            raise JobEndedError(api.kind, api.name, job_id, action)
        return self.keys(api, job_id)

    async def _file_fault(self, name: str, search: FileSearch) -> Fault | None:
        try:
            async with asyncio.timeout(SEARCH_TIMEOUT_S):
                async for _ in search_files(self._buckets, search, retry=REQUEST_RETRIES):
                    return None
        except StoreDeniedError as error:
            cause = clip(f"{type(error).__name__}: {error}")
            structlog.get_logger().warning("job_files_refused", source=name, error=cause)
            code = f" ({clip(error.code)})" if error.code else ""
            files = clip(str(error.path)) if isinstance(error, FilesDeniedError) else "the files"
            message = f"{name}: S3 refuses to list {files}{code}: check the buckets, and who may list them"
            return Fault(FOREIGN, message)
        except TimeoutError as error:
            message = f"{name}: no file was found in {SEARCH_TIMEOUT_S:g} s: name longer prefixes in s3_paths"
            raise JobsUnavailableError(message) from error
        except StoreUnavailableError as error:
            raise unavailable(error) from error
        return Fault("batchapi.no_s3_files_found", f"{name}: no s3 files match search criteria")

    async def _create_spec(self, api: DeployedApi, submission: Submission) -> JobSpec:
        # Each attempt takes another id: one that failed may have been written all the same, by us or by another
        # process. What is written without an entry in the index is no job.
        for _ in range(MAX_TAKEN_IDS):
            spec = _new_spec(self._ids.make(), api, submission)
            if await self._jobs.create_spec(self.keys(api, spec.job_id), spec):
                return spec
        raise StoreUnavailableError(f"{MAX_TAKEN_IDS} ids in a row were taken")

    async def _discard(self, keys: JobKeys) -> None:
        """Delete what was written. Errors are ignored: it can be found in the index only if the job is whole."""
        with contextlib.suppress(DequeuerError, TimeoutError):
            async with asyncio.timeout(DISCARD_TIMEOUT_S):
                await self._jobs.discard(keys)

    async def _first_jobs(self, prefix: str, limit: int, after: str) -> list[ListedJob]:
        found: list[ListedJob] = []
        async for job in list_jobs(self._listing, prefix, after=after):
            found.append(job)
            if len(found) >= limit:
                break
        return found

    async def _first_names(self, prefix: str, limit: int) -> list[str]:
        found: list[str] = []
        async for name in names_below(self._listing, prefix):
            found.append(name)
            if len(found) >= limit:
                break
        return found

    async def _compute(self, size: int, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        if size <= MAX_PARSED_INLINE_BYTES:
            return function(*args, **kwargs)
        try:
            async with asyncio.timeout(PARSING_TIMEOUT_S):
                await self._parsing.acquire()
        except TimeoutError:
            raise JobsUnavailableError("other submissions take long to parse: try again") from None
        try:
            return await asyncio.to_thread(function, *args, **kwargs)
        finally:
            self._parsing.release()


def _new_spec(job_id: str, api: DeployedApi, submission: Submission) -> JobSpec:
    return JobSpec(
        job_id=job_id,
        api_name=api.name,
        kind=api.kind,
        workers=submission.workers,
        dead_letter_queue=submission.dead_letter_queue,
        config=submission.config,
        timeout_s=submission.timeout_s,
        api_id=api.api_id,
        spec_id=api.spec_id,
        pod_id=api.pod_id,
        start_time_ns=created_ns(job_id),
        output_s3_path=submission.output_s3_path,
        on_bad_item=submission.on_bad_item,
        priority=submission.priority,
    )
