"""The receives under way: how many at the same time, and how many messages they may still bring."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from dequeuer.sources.base import Lease, Source

MAX_CONCURRENT_RECEIVES = 10
EMPTY_QUEUE_AFTER_S = 0.5
"""Used when the worker ends: a receive without a response after this time is taken for a long poll at an empty queue,
and is not waited for before prefetched messages are released."""


@dataclass(slots=True, kw_only=True, eq=False)
class Receive:
    """One receive.

    Attributes:
        limit: how many messages were asked for.
        is_long_poll: whether the queue waits for messages; otherwise it responds at once.
        asked_at: loop time of the request. The leases count from it.
        took_s: time until the response, seconds; set when the receive has ended.
        task: returns the messages.
    """

    limit: int
    is_long_poll: bool
    asked_at: float
    took_s: float = 0.0
    task: asyncio.Task[Sequence[Lease]] = field(init=False)


class Receives:
    """Starts receives and collects those that have ended.

    At an empty queue there is one receive at a time, a long poll: more of them would cost money and bring nothing. For
    each receive that comes back full one more may run at the same time. These do not wait at the queue: when it becomes
    empty they end, and one long poll is left.

    Args:
        source: the queue.
        changed: is set when a receive has ended.
    """

    def __init__(self, source: Source, changed: asyncio.Event) -> None:
        self._source = source
        self._changed = changed
        self._running: dict[asyncio.Task[Sequence[Lease]], Receive] = {}
        self._ended: deque[Receive] = deque()
        self._allowed = 1
        self.possible_incoming = 0
        """How many messages may still come: the sum of the limits of all receives that `pop_ended` has not returned."""

    def __len__(self) -> int:
        return len(self._running) + len(self._ended)

    @property
    def can_start(self) -> bool:
        """Whether one more receive may run."""
        return len(self) < self._allowed

    def oldest_exceeds(self, age_s: float) -> bool:
        """Tell whether a receive has been under way for `age_s` seconds or longer."""
        # The oldest comes first.
        oldest = next(iter(self._running.values()), None)
        return oldest is not None and asyncio.get_running_loop().time() - oldest.asked_at >= age_s

    def start(self, limit: int) -> None:
        """Ask for up to `limit` messages: with a long poll when no other receive is under way."""
        receive = Receive(limit=limit, is_long_poll=not len(self), asked_at=asyncio.get_running_loop().time())
        # A task of its own: cancelling a receive could lose the messages that it is about to bring.
        receive.task = asyncio.create_task(self._run(receive), name="receive")
        self._running[receive.task] = receive
        self.possible_incoming += limit
        receive.task.add_done_callback(self._record_end)

    async def _run(self, receive: Receive) -> Sequence[Lease]:
        # The time is set again directly before the request. The process may have been paused (SIGSTOP) since `start`:
        # with the old time the leases would look as if they had ended, and the messages could not be released.
        receive.asked_at = asyncio.get_running_loop().time()
        return await self._source.receive(receive.limit, wait=receive.is_long_poll)

    def _record_end(self, task: asyncio.Task[Sequence[Lease]]) -> None:
        receive = self._running.pop(task)
        receive.took_s = asyncio.get_running_loop().time() - receive.asked_at
        self._ended.append(receive)
        if not task.cancelled():
            # The error is retrieved here: if no caller takes the receive, asyncio would log it as never retrieved.
            task.exception()
        self._changed.set()

    def pop_ended(self) -> Receive | None:
        """Return the next receive that has ended; None: there is none. The caller must settle its messages."""
        if not self._ended:
            return None
        receive = self._ended.popleft()
        self.possible_incoming -= receive.limit
        self._adjust_allowed(receive)
        return receive

    def _adjust_allowed(self, receive: Receive) -> None:
        if receive.task.cancelled() or receive.task.exception() is not None:
            self._allowed = 1
            return
        received = len(receive.task.result())
        if received >= receive.limit:
            self._allowed = min(MAX_CONCURRENT_RECEIVES, self._allowed + 1)
        elif not received:
            self._allowed = 1
        elif 2 * received < receive.limit:
            self._allowed = max(1, self._allowed - 1)

    def max_response_wait_s(self) -> float:
        """Return for how many more seconds messages can still be expected.

        It is `EMPTY_QUEUE_AFTER_S` from the newest receive: one that takes longer is a long poll at an empty queue.
        """
        asked_at = max((receive.asked_at for receive in self._running.values()), default=None)
        return 0.0 if asked_at is None else max(0.0, asked_at + EMPTY_QUEUE_AFTER_S - asyncio.get_running_loop().time())

    async def wait_one(self) -> None:
        """Return when a receive has ended, or none is under way."""
        if self._running and not self._ended:
            await asyncio.wait(set(self._running), return_when=asyncio.FIRST_COMPLETED)

    def cancel_all(self) -> None:
        """Cancel the receives under way; their connections are closed."""
        for task in self._running:
            task.cancel()
