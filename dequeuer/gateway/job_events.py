"""Changes of jobs for clients that wait for them: each job is looked at by one task, however many clients there are."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable

from dequeuer.core.errors import DequeuerError
from dequeuer.jobs.errors import JobsUnavailableError
from dequeuer.jobs.layout import JobKeys
from dequeuer.jobs.status import JobStatus

INTERVAL_S = 2.0
"""From one look to the next. Each costs three or four requests."""
HEARTBEAT_S = 15.0
"""A stream without data for this long gets a comment, so that load balancers keep it open."""
MAX_FOLLOWERS = 1000
"""Streams of this process."""

Read = Callable[[], Awaitable[JobStatus]]


class TooManyFollowersError(JobsUnavailableError):
    """As many streams are open as are allowed: the client can try again."""


class JobEvents:
    """The streams of all jobs. `is_over`: the process drains, so streams end. It must not block."""

    def __init__(self, is_over: Callable[[], bool]) -> None:
        self._is_over = is_over
        self._watches: dict[JobKeys, _Watch] = {}
        self._followers = 0

    async def follow(self, keys: JobKeys, read: Read) -> AsyncGenerator[JobStatus | None, None]:
        """Yield the status of a job, then each one that differs, and None when nothing came for `HEARTBEAT_S`.

        It ends after the status of a job that has ended. A client that is slow misses those in between.

        Args:
            keys: of the job.
            read: finds out its status.

        Raises:
            TooManyFollowersError: nothing is yielded.
            JobRequestError, JobsUnavailableError: of the first look.
        """
        if self._followers >= MAX_FOLLOWERS:
            raise TooManyFollowersError(f"{MAX_FOLLOWERS} streams are open already: try again, or ask for the status")
        self._followers += 1
        watch = self._watches.get(keys)
        if watch is None:
            watch = self._watches[keys] = _Watch(read, self._is_over)
        watch.followers += 1
        try:
            async for status in watch.statuses():
                yield status
        finally:
            self._followers -= 1
            watch.followers -= 1
            if not watch.followers:
                watch.stop()
                self._watches.pop(keys, None)


class _Watch:
    """One job that is looked at."""

    def __init__(self, read: Read, is_over: Callable[[], bool]) -> None:
        self.followers = 0
        self._read = read
        self._is_over = is_over
        self._latest: JobStatus | None = None
        self._version = 0
        self._changed = asyncio.Event()
        self._task = asyncio.create_task(self._watch(), name="job-watch")

    def stop(self) -> None:
        """End the looks; nobody follows any more."""
        self._task.cancel()
        if self._task.done() and not self._task.cancelled():
            self._task.exception()  # nobody is left who could be told

    async def statuses(self) -> AsyncIterator[JobStatus | None]:
        """Yield what `JobEvents.follow` yields."""
        seen = 0
        while True:
            changed = self._changed
            if self._version != seen and self._latest is not None:
                seen = self._version
                yield self._latest
            elif self._task.done():
                if not seen:
                    self._task.result()  # raises what the first look raised
                return
            else:
                try:
                    async with asyncio.timeout(HEARTBEAT_S):
                        await changed.wait()
                except TimeoutError:
                    yield None

    async def _watch(self) -> None:
        try:
            while await self._look() and not self._is_over():  # noqa: ASYNC110 - nothing tells that an object changed
                await asyncio.sleep(INTERVAL_S)
        finally:
            self._changed.set()

    async def _look(self) -> bool:
        """Find out the status; return whether it may change. Raises only what the first look raises."""
        try:
            status = await self._read()
        except DequeuerError as error:
            if self._latest is None:
                raise
            return isinstance(error, JobsUnavailableError)  # else the job was deleted
        if status != self._latest:
            self._latest, self._version = status, self._version + 1
            changed, self._changed = self._changed, asyncio.Event()
            changed.set()
        return not status.has_ended
