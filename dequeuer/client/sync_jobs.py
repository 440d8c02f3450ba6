"""The jobs of one API for programs without asyncio."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from dequeuer.client.job_calls import Only
from dequeuer.client.job_status import JobStatus
from dequeuer.client.jobs import ApiJobs
from dequeuer.client.loop_thread import LoopThread


class SyncApiJobs:
    """As `ApiJobs`."""

    def __init__(self, jobs: ApiJobs, thread: LoopThread) -> None:
        self._jobs = jobs
        self._thread = thread

    def submit(self, submission: bytes) -> dict[str, Any]:
        """As `ApiJobs.submit`."""
        return self._thread.run(self._jobs.submit(submission))

    def dry_run(self, submission: bytes) -> Generator[str, None, None]:
        """As `ApiJobs.dry_run`."""
        return self._thread.iterate(self._jobs.dry_run(submission))

    def report(self, job_id: str) -> dict[str, Any]:
        """As `ApiJobs.report`."""
        return self._thread.run(self._jobs.report(job_id))

    def newest(self, limit: int) -> Generator[JobStatus, None, None]:
        """As `ApiJobs.newest`."""
        return self._thread.iterate(self._jobs.newest(limit))

    def stop(self, job_id: str) -> dict[str, Any]:
        """As `ApiJobs.stop`."""
        return self._thread.run(self._jobs.stop(job_id))

    def pause(self, job_id: str) -> dict[str, Any]:
        """As `ApiJobs.pause`."""
        return self._thread.run(self._jobs.pause(job_id))

    def resume(self, job_id: str) -> dict[str, Any]:
        """As `ApiJobs.resume`."""
        return self._thread.run(self._jobs.resume(job_id))

    def events(self, job_id: str) -> Generator[JobStatus, None, None]:
        """As `ApiJobs.events`."""
        return self._thread.iterate(self._jobs.events(job_id))

    def results(self, job_id: str, only: Only | None = None) -> Generator[bytes, None, None]:
        """As `ApiJobs.results`."""
        return self._thread.iterate(self._jobs.results(job_id, only))
