"""The keys of the objects of a job. Those of Cortex must not change; ours stand beside them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Literal, TypeAlias, get_args

from dequeuer.jobs.names import API_NAME, JOB_ID, VERSION

JobKind: TypeAlias = Literal["BatchAPI", "TaskAPI"]
"""The kinds of APIs that have jobs."""
JOB_KINDS: tuple[JobKind, ...] = get_args(JobKind)

# fullmatch, not match with $: that would let a trailing newline through into a key.
_is_api_name = re.compile(API_NAME).fullmatch
_is_job_id = re.compile(JOB_ID).fullmatch
_is_version = re.compile(VERSION).fullmatch


def is_job_api_name(text: str) -> bool:
    """Return whether `text` may be the name of an API with jobs, and so part of a key."""
    return _is_api_name(text) is not None


def is_job_id(text: str) -> bool:
    """Return whether `text` may be the id of a job, and so part of a key. Cortex's ids are 16 hexadecimal digits."""
    return _is_job_id(text) is not None


def api_jobs_prefix(cluster_uid: str, kind: JobKind, version: str, api_name: str) -> str:
    """Return the prefix of the objects of all jobs of an API. The newest job is listed first."""
    _check(version, api_name)
    return f"{cluster_uid}/jobs/{kind}/{version}/{api_name}/"


def in_progress_prefix(cluster_uid: str, kind: JobKind, api_name: str | None = None) -> str:
    """Return the prefix of the index of the jobs that have not ended: of one API, or of all of them."""
    prefix = f"{cluster_uid}/jobs/{kind}/in_progress/"
    if api_name is None:
        return prefix
    _check(api_name=api_name)
    return f"{prefix}{api_name}/"


@dataclass(frozen=True, slots=True, kw_only=True)
class JobKeys:
    """The keys of one job. Raises `ValueError` for a name that may not become part of a key.

    Attributes:
        cluster_uid: the prefix of all keys.
        kind: of the API.
        version: of Cortex, whose layout this is.
        api_name: `is_job_api_name`.
        job_id: `is_job_id`.
        prefix: of all keys of the job but `in_progress`, with its slash.
    """

    cluster_uid: str
    kind: JobKind
    version: str
    api_name: str
    job_id: str
    prefix: str = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not is_job_id(self.job_id):
            raise ValueError("not the id of a job")
        prefix = api_jobs_prefix(self.cluster_uid, self.kind, self.version, self.api_name)
        object.__setattr__(self, "prefix", f"{prefix}{self.job_id}/")

    @property
    def spec(self) -> str:
        """The specification of the job. The job exists from when this is there."""
        return f"{self.prefix}spec.json"

    @property
    def payload(self) -> str:
        """The submission; deleted when all of it is in the queue."""
        return f"{self.prefix}payload.json"

    @property
    def max_batch_count(self) -> str:
        """The number of batches, as decimal text; written when all of them are in the queue."""
        return f"{self.prefix}max_batch_count"

    @property
    def metrics(self) -> str:
        """Batches that succeeded and attempts that failed; written when the job has ended."""
        return f"{self.prefix}metrics.json"

    @property
    def checkpoint(self) -> str:
        """How far the enqueuer has come. Not in Cortex."""
        return f"{self.prefix}checkpoint.json"

    @property
    def enqueue_error(self) -> str:
        """Why the enqueuer gave up. Not in Cortex."""
        return f"{self.prefix}enqueue_error.json"

    @property
    def skipped_folder(self) -> str:
        """The prefix of the items that were left out. Not in Cortex."""
        return f"{self.prefix}skipped/"

    def skipped(self, first: int) -> str:
        """Return the key of items that were left out, one a line. `first`: how many were before."""
        return f"{self.skipped_folder}{first:012}.jsonl"

    @property
    def workers(self) -> str:
        """The prefix of what the workers have done, one object for each run of a worker. Not in Cortex."""
        return f"{self.prefix}workers/"

    @property
    def failures(self) -> str:
        """The prefix of the records of batches of which items failed for good. Not in Cortex."""
        return f"{self.prefix}failures/"

    def worker(self, worker_id: str) -> str:
        """Return the key of what a run of a worker has done."""
        return f"{self.workers}{worker_id}.json"

    @property
    def end(self) -> str:
        """How the job ended; created once, before the marker that says the same. Not in Cortex."""
        return f"{self.prefix}end.json"

    @property
    def progress(self) -> str:
        """Counts of workers and batches while the job runs. Not in Cortex."""
        return f"{self.prefix}progress.json"

    @property
    def stop(self) -> str:
        """The request to stop the job; never deleted. Not in Cortex."""
        return f"{self.prefix}stop"

    @property
    def pause(self) -> str:
        """The request to pause the job; deleted to resume it. Not in Cortex."""
        return f"{self.prefix}pause"

    @property
    def in_progress(self) -> str:
        """The entry in the index of jobs that have not ended. Written last at submission, deleted after the end."""
        return f"{in_progress_prefix(self.cluster_uid, self.kind, self.api_name)}{self.job_id}"

    def marker(self, status: str) -> str:
        """Return the key of the empty object that says that the job has had this status."""
        return f"{self.prefix}{status}"


def _check(version: str = "0", api_name: str = "a") -> None:
    if _is_version(version) is None or not is_job_api_name(api_name):
        raise ValueError("not a name that may be part of a key")
