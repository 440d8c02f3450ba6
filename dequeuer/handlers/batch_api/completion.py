"""The completion of a batch job: one worker detects it and notifies the container, once."""

from __future__ import annotations

import asyncio
import random
from typing import Final, Protocol

from dequeuer.core.drain import Drain
from dequeuer.core.errors import (
    ContainerTimeoutError,
    ContainerUnavailableError,
    InvalidResponseError,
    SourceDeniedError,
    SourceUnavailableError,
)
from dequeuer.core.events import Observer, ResponseStarted
from dequeuer.core.message import Done, Fence, Message, Outcome, Requeue, Retry, is_last_receive, may_be_lost
from dequeuer.core.retry import retry_until_available
from dequeuer.handlers.backoff import backoff_s
from dequeuer.handlers.base import Target
from dequeuer.handlers.response_policy import ResponsePolicy, failure_of
from dequeuer.sources.base import Depth

PATH = "/on-job-complete"
_STOPPING: Final = "the process is stopping"
BODY = b'{"message":"job_complete"}'
ACCEPTED_STATUSES = frozenset({200, 404})
"""404 is a success, too: the container does not have to have the route."""


class CountedQueue(Protocol):
    """A queue whose messages can be counted."""

    async def depth(self) -> Depth:
        """Return how many messages the queue holds."""


def job_headers(job_id: str) -> list[tuple[str, str]]:
    """Return the headers of every request of a job."""
    return [("Content-Type", "application/json"), ("X-Cortex-Job-ID", job_id)]


class Completion:
    """Handles completion messages.

    The container is notified when the message is the last one of the queue in two counts, `delay_s` apart. Otherwise
    the message is sent again as a new one.

    Two completion messages in one queue must not wait for each other for ever. While one is held here, another one that
    is received is a duplicate and is deleted. When two sidecars hold one each, the random pause before a message is
    sent again makes sure that one of them receives both in the end.

    Released at its last receive, the message would be moved to the dead-letter queue, and the container would never be
    notified. So it is sent again instead, when nothing has failed; already at the receive before, because a receive can
    be lost with a process.

    Args:
        job_id: the job.
        queue: holds the messages of the job.
        target: the container.
        delay_s: between the two counts.
        policy: what a response means.
        drain: whether the process stops.
        observer: gets `ResponseStarted`.

    Attributes:
        failed: the completion was given up (the container did not accept it, or a bug); the process must exit with
            status 1.
    """

    def __init__(  # noqa: PLR0913 - one parameter for each collaborator
        self,
        *,
        job_id: str,
        queue: CountedQueue,
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
        self._held_id: str | None = None
        self._is_ended = False
        self._given_up_id: str | None = None
        self.failed = False

    async def handle(self, message: Message, fence: Fence) -> Outcome:
        """Decide on one completion message."""
        if message.id == self._held_id:
            # The same message was delivered twice: deleting it would delete the held one.
            return Retry(after_s=backoff_s(message.receive_count), reason="the message is being handled already")
        if message.id == self._given_up_id:
            # Its lease was lost before its end. As a duplicate it would hide that the container has not accepted it.
            return self.give_up(message, "the completion was given up before")
        if self._held_id is not None or self._is_ended:
            return Done(state="duplicate")
        self._held_id = message.id
        try:
            return await self._decide(message, fence)
        finally:
            self._held_id = None

    async def _decide(self, message: Message, fence: Fence) -> Outcome:
        if await self._is_last():
            if not await self._pause(self._delay_s):
                return self._stop(message)
            if await self._is_last():
                return await self._notify(message, fence)
        if not await self._pause(self._delay_s * random.uniform(1.0, 2.0)):  # noqa: S311 - breaks a tie
            return self._stop(message)
        return Requeue(reason="the job is not complete yet")

    def _stop(self, message: Message) -> Outcome:
        return Requeue(reason=_STOPPING) if may_be_lost(message) else Retry(after_s=0, reason=_STOPPING)

    async def _is_last(self) -> bool:
        depth = await retry_until_available((SourceUnavailableError, SourceDeniedError), self._queue.depth)
        return depth.total <= 1

    async def _pause(self, seconds: float) -> bool:
        """Wait; return False when the drain begins before the end."""
        try:
            async with asyncio.timeout(seconds):
                await self._drain.wait_requested()
        except TimeoutError:
            return True
        return False

    async def _notify(self, message: Message, fence: Fence) -> Outcome:
        reason = ""
        for attempt in range(1, self._policy.max_attempts + 1):
            fence.check()
            try:
                reason = await self._post()
            except ContainerUnavailableError as error:
                reason = str(error)
                is_draining = self._drain.requested
                retry = self._policy.retry_unavailable(error, message.receive_count, is_draining=is_draining)
                if retry is not None and may_be_lost(message) and (is_draining or not error.can_end_message):
                    return Requeue(reason=reason)
                if retry is not None and not is_last_receive(message):
                    # The container may be restarting: a released message is received after the probes pass again.
                    return retry
            if not reason:
                self._is_ended = True
                return Done(state="job_completed")
            if attempt < self._policy.max_attempts and not await self._pause(backoff_s(attempt)):
                return self._stop(message)
        return self.give_up(message, f"{PATH}: {reason}")

    def give_up(self, message: Message, reason: str) -> Outcome:
        """End the completion without the container: its message is deleted, because the job must end."""
        self._is_ended = self.failed = True
        self._given_up_id = message.id
        return Done(state="failed", reason=reason)

    async def _post(self) -> str:
        """Notify the container; return the reason of a failure, "" after a success."""
        loop = asyncio.get_running_loop()
        started = loop.time()
        try:
            async with self._target.post(PATH, self._headers, BODY) as response:
                duration_s = loop.time() - started
                self._observer(ResponseStarted(kind="completion", status_code=response.status, duration_s=duration_s))
                if failure := failure_of(response, ACCEPTED_STATUSES):
                    return failure
                await response.discard()
                return ""
        except (ContainerTimeoutError, InvalidResponseError) as error:
            return str(error)


class EndWhenEmpty:
    """Detects that a job's queue is empty: two counts of zero in a row, each after a receive without messages."""

    def __init__(self, queue: CountedQueue) -> None:
        self._queue = queue
        self._seen_empty = False

    def saw_messages(self) -> None:
        """Record that a receive brought messages: two more counts are needed."""
        self._seen_empty = False

    async def is_over(self) -> bool:
        """Count after a receive without messages. True when this count and the one before are zero."""
        depth = await retry_until_available((SourceUnavailableError, SourceDeniedError), self._queue.depth)
        was_empty, self._seen_empty = self._seen_empty, depth.total == 0
        return was_empty and self._seen_empty
