"""The jobs of one API for programs without asyncio."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator
from contextlib import aclosing
from typing import Any, Final

from dequeuer.client.errors import AnswerTooLargeError
from dequeuer.client.following import follow
from dequeuer.client.job_status import JobStatus
from dequeuer.client.jobs import ApiJobs, Only
from dequeuer.client.loop_thread import LoopThread

MAX_LINE_BYTES: Final = 64 << 20
"""Of a result."""


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
        return self._thread.iterate(self._newest(limit))

    async def _newest(self, limit: int) -> AsyncGenerator[JobStatus, None]:
        async for status in self._jobs.newest(limit):
            yield status

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
        """Yield the status of a job each time it changes, until it has ended. Lost connections are made again."""
        return self._thread.iterate(follow(self._jobs, job_id))

    def results(self, job_id: str, only: Only | None = None) -> Generator[bytes, None, None]:
        """Yield the results of a job, each as a line of JSON; see `ApiJobs.results`."""
        return self._thread.iterate(self._lines(job_id, only))

    async def _lines(self, job_id: str, only: Only | None) -> AsyncGenerator[bytes, None]:
        async with aclosing(await self._jobs.results(job_id, only)) as answer:
            rest = bytearray()
            async for chunk in answer.chunks():
                *lines, last = chunk.split(b"\n")
                for line in lines:
                    yield bytes(rest + line)
                    rest.clear()
                rest += last
                if len(rest) > MAX_LINE_BYTES:
                    raise AnswerTooLargeError(f"a result of job {job_id} has more than {MAX_LINE_BYTES} bytes")
            if rest:
                yield bytes(rest)
