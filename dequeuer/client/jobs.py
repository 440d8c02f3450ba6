"""The jobs of one API at a gateway: submits them, follows them, and reads their results."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any, Final

from dequeuer.client.errors import AnswerTooLargeError
from dequeuer.client.following import follow
from dequeuer.client.job_calls import PAGE_JOBS, JobCalls, Only
from dequeuer.client.job_status import JobStatus
from dequeuer.client.retrying import Retries

MAX_LINE_BYTES: Final = 64 << 20
"""Of a result."""


class ApiJobs:
    """Every method raises the errors of `client.errors`.

    Calls are made again while the gateway cannot be used, as `client.retrying` says; but `submit`, `dry_run` and
    `results` are made once.

    Attributes:
        calls: about its jobs, each made once.
        retries: of the client; events are followed through an outage as long as it lets calls be repeated.
    """

    def __init__(self, calls: JobCalls, retries: Retries) -> None:
        self.calls = calls
        self.retries = retries

    async def submit(self, submission: bytes) -> dict[str, Any]:
        """Submit a job; return its specification. It is sent once: one that was lost may have been accepted."""
        with self.retries.noted():
            return await self.calls.submit(submission)

    async def dry_run(self, submission: bytes) -> AsyncGenerator[str, None]:
        """Check a submission; yield the path of each of its files. It is valid once all of them came."""
        with self.retries.noted():
            async with aclosing(self.calls.dry_run(submission)) as paths:
                async for path in paths:
                    yield path

    async def report(self, job_id: str) -> dict[str, Any]:
        """Return what the gateway reports of a job: `api_spec`, `job_status`, perhaps `metrics`, `endpoint`."""
        return await self.retries.call(self.calls.report, job_id)

    async def newest(self, limit: int) -> AsyncGenerator[JobStatus, None]:
        """Yield the newest jobs. `limit`: how many at most."""
        after = ""
        while limit > 0:
            page = await self.retries.call(self.calls.page, limit=min(limit, PAGE_JOBS), after=after)
            for status in page.jobs[:limit]:
                yield status
            limit -= len(page.jobs)
            # A server that leads to the same page again would be asked for ever.
            if not page.jobs or not page.following or page.following == after:
                return
            after = page.following

    async def stop(self, job_id: str) -> dict[str, Any]:
        """Ask for the end of a job; return what the gateway says.

        When an answer was lost, it is asked for again, and refused for a task that has ended meanwhile, perhaps because
        of the first time: `report` tells with what it has ended.
        """
        return await self.retries.call(self.calls.stop, job_id)

    async def pause(self, job_id: str) -> dict[str, Any]:
        """Ask for a pause of a job; return what the gateway says."""
        return await self.retries.call(self.calls.pause, job_id)

    async def resume(self, job_id: str) -> dict[str, Any]:
        """Ask for the end of a pause; return what the gateway says."""
        return await self.retries.call(self.calls.resume, job_id)

    async def events(self, job_id: str) -> AsyncGenerator[JobStatus, None]:
        """Yield the status of a job each time it changes, until it has ended. Lost connections are made again."""
        async with aclosing(follow(self.calls, job_id, self.retries)) as statuses:
            async for status in statuses:
                yield status

    async def results(self, job_id: str, only: Only | None = None) -> AsyncGenerator[bytes, None]:
        """Yield the results of a job, each as a line of JSON. `only`: those of one kind; None: both.

        Raises:
            AnswerTooLargeError: one of them has more than 64 MiB.
            GatewayLostError: they were cut off, also after the last one: begin anew.
        """
        with self.retries.noted():
            opened = await self.calls.results(job_id, only)
        async with aclosing(opened) as answer:
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
