"""The end of a batch job: seen once, by one worker, and told to the container once."""

from __future__ import annotations

import asyncio
import random
from typing import Protocol

from dequeuer.core.drain import Drain
from dequeuer.core.errors import (
    ContainerTimeoutError,
    ContainerUnavailableError,
    InvalidResponseError,
    SourceDeniedError,
    SourceUnavailableError,
)
from dequeuer.core.events import Observer, ResponseStarted
from dequeuer.core.message import Done, Fence, Message, Outcome, Requeue, Retry
from dequeuer.core.retry import retry_until_available
from dequeuer.handlers.backoff import backoff_s
from dequeuer.handlers.base import Target
from dequeuer.handlers.response_policy import ResponsePolicy
from dequeuer.sources.base import Depth

PATH = "/on-job-complete"
BODY = b'{"message":"job_complete"}'
_DONE = frozenset({200, 404})  # the container need not have the route


class Counted(Protocol):
    """A queue that can be counted."""

    async def depth(self) -> Depth:
        """Count what the queue holds."""


def job_headers(job_id: str) -> list[tuple[str, str]]:
    """Return the headers of every request of a job."""
    return [("Content-Type", "application/json"), ("X-Cortex-Job-ID", job_id)]


class Completion:
    """Handles completion messages.

    It acts when the message is the last one of the queue, seen twice, `delay_s` apart; otherwise the
    message is put back. Two of them must not wait for each other for ever: while one is held here, any
    other that arrives is a duplicate and is deleted, and the random wait before one is put back sees to
    it that two sidecars that hold one each come to that.

    Attributes:
        failed: the container did not take the completion; the process is to exit with 1.
    """

    def __init__(  # noqa: PLR0913 - one parameter a party
        self,
        *,
        job_id: str,
        queue: Counted,
        target: Target,
        delay_s: float,
        policy: ResponsePolicy,
        drain: Drain,
        observer: Observer,
    ) -> None:
        self._headers = job_headers(job_id)
        self._queue = queue
        self._target = target
        self._delay_s = delay_s
        self._policy = policy
        self._drain = drain
        self._observer = observer
        self._held: str | None = None
        self._told = False
        self.failed = False

    async def handle(self, message: Message, fence: Fence) -> Outcome:
        """Decide on one completion message."""
        if message.id == self._held:
            # The same message once more: deleting it would delete the one that is held.
            return Retry(after_s=backoff_s(message.receive_count), reason="it is being handled")
        if self._held is not None or self._told:
            return Done(state="duplicate")
        self._held = message.id
        try:
            return await self._decide(message, fence)
        finally:
            self._held = None

    async def _decide(self, message: Message, fence: Fence) -> Outcome:
        if await self._is_last():
            if not await self._pause(self._delay_s):
                return Retry(after_s=0, reason="the process ends")
            if await self._is_last():
                return await self._tell(message, fence)
        if not await self._pause(self._delay_s * random.uniform(1.0, 2.0)):  # noqa: S311 - breaks a tie
            return Retry(after_s=0, reason="the process ends")
        return Requeue(reason="the job is not complete yet")

    async def _is_last(self) -> bool:
        depth = await retry_until_available((SourceUnavailableError, SourceDeniedError), self._queue.depth)
        return depth.total <= 1

    async def _pause(self, seconds: float) -> bool:
        """Wait; False when the process is to end instead."""
        try:
            async with asyncio.timeout(seconds):
                await self._drain.wait_requested()
        except TimeoutError:
            return True
        return False

    async def _tell(self, message: Message, fence: Fence) -> Outcome:
        reason = ""
        for attempt in range(1, self._policy.max_attempts + 1):
            fence.check()
            try:
                reason = await self._post()
            except ContainerUnavailableError as error:
                reason = str(error)
                if self._drain.requested:
                    return Retry(after_s=0, reason=reason)
                if not error.counts or message.receive_count < self._policy.max_attempts:
                    # It restarts, perhaps: given back, the message is received once the probes pass again.
                    return Retry(after_s=backoff_s(message.receive_count), reason=reason)
            if not reason:
                self._told = True
                return Done(state="job_completed")
            if attempt < self._policy.max_attempts and not await self._pause(backoff_s(attempt)):
                return Retry(after_s=0, reason="the process ends")
        self._told = self.failed = True
        return Done(state="failed", reason=f"{PATH}: {reason}")

    async def _post(self) -> str:
        """Tell the container; an empty text when it took it."""
        loop = asyncio.get_running_loop()
        started = loop.time()
        try:
            async with self._target.post(PATH, self._headers, BODY) as answer:
                duration_s = loop.time() - started
                self._observer(ResponseStarted(kind="completion", status_code=answer.status, duration_s=duration_s))
                if answer.status not in _DONE:
                    return f"the container answered {answer.status}"
                await answer.discard()
                return ""
        except (ContainerTimeoutError, InvalidResponseError) as error:
            return str(error)


class DrainedQueue:
    """Tells when a job's queue is used up: empty and counted zero, twice in a row."""

    def __init__(self, queue: Counted) -> None:
        self._queue = queue
        self._seen_empty = False

    def saw_messages(self) -> None:
        """Start counting anew."""
        self._seen_empty = False

    async def is_over(self) -> bool:
        """Ask after a receive that brought nothing."""
        depth = await retry_until_available((SourceUnavailableError, SourceDeniedError), self._queue.depth)
        was_empty, self._seen_empty = self._seen_empty, depth.total == 0
        return was_empty and self._seen_empty
