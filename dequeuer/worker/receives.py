"""The receives under way: how many at a time, how many messages they may still bring; the pauses after failed ones."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from dequeuer.core.retry import UNTIL_AVAILABLE
from dequeuer.sources.base import Lease, Source

MAX_CONCURRENT_RECEIVES = 10
EMPTY_QUEUE_AFTER_S = 0.5
"""Used when the worker ends: a receive without a response after this time is taken for a long poll at an empty queue,
and is not waited for before prefetched messages are released."""


@dataclass(slots=True, kw_only=True, eq=False)
class AskedQueue:
    """A queue, and how many receives it may have at the same time.

    Attributes:
        source: the queue.
        changed: is set when the queue may be asked again after failures.
        allowed: how many receives.
        under_way: how many there are: those that `Receives.pop_ended` has not returned.
        failures: receives that have failed in a row.
        backoff: set while nothing is asked of it, because receives have failed.
    """

    source: Source
    changed: asyncio.Event = field(repr=False)
    allowed: int = 1
    under_way: int = 0
    failures: int = 0
    backoff: asyncio.TimerHandle | None = field(default=None, repr=False)

    @property
    def can_start(self) -> bool:
        """Whether one more receive may run."""
        return self.under_way < self.allowed and self.backoff is None

    def hold_off(self) -> None:
        """Ask nothing for a while: the queue is unavailable, denies the receive, or does not exist."""
        pause_s = UNTIL_AVAILABLE.backoff.pause_s(self.failures)
        self.failures += 1
        if self.backoff is None:
            self.backoff = asyncio.get_running_loop().call_later(pause_s, self._end_backoff)

    def _end_backoff(self) -> None:
        self.backoff = None
        self.changed.set()

    def close(self) -> None:
        """Leave no timer behind."""
        if self.backoff is not None:
            self.backoff.cancel()


@dataclass(slots=True, kw_only=True, eq=False)
class Receive:
    """One receive.

    Attributes:
        queue: that was asked.
        limit: how many messages were asked for.
        reserved: how many of them are kept free for it.
        wait_s: how long the queue waits for messages, seconds; None: as long as it is set to; 0: it responds at once.
        asked_at: loop time of the request. The leases count from it.
        took_s: time until the response, seconds; set when the receive has ended.
        task: returns the messages.
    """

    queue: AskedQueue
    limit: int
    reserved: int
    wait_s: int | None
    asked_at: float
    took_s: float = 0.0
    task: asyncio.Task[Sequence[Lease]] = field(init=False)


class Receives:
    """Starts receives and collects those that have ended.

    At an empty queue there is one receive at a time, a long poll: more of them would cost money and bring nothing. For
    each receive that comes back full one more may run at the same time. These do not wait at the queue: when it becomes
    empty they end, and one long poll is left.

    Args:
        changed: is set when a receive has ended.
    """

    def __init__(self, changed: asyncio.Event) -> None:
        self._changed = changed
        self._running: dict[asyncio.Task[Sequence[Lease]], Receive] = {}
        self._ended: deque[Receive] = deque()
        self.possible_incoming = 0
        """How many messages may still come: what is reserved for all receives that `pop_ended` has not returned."""

    def __len__(self) -> int:
        return len(self._running) + len(self._ended)

    def oldest_exceeds(self, age_s: float) -> bool:
        """Tell whether a receive has been under way for `age_s` seconds or longer."""
        # The oldest comes first.
        oldest = next(iter(self._running.values()), None)
        return oldest is not None and asyncio.get_running_loop().time() - oldest.asked_at >= age_s

    def start(self, queue: AskedQueue, limit: int, wait_s: int | None) -> Receive:
        """Ask a queue for up to `limit` messages, and return the receive. `wait_s`: see `Receive`."""
        now = asyncio.get_running_loop().time()
        receive = Receive(queue=queue, limit=limit, reserved=limit, wait_s=wait_s, asked_at=now)
        # A task of its own: cancelling a receive could lose the messages that it is about to bring.
        receive.task = asyncio.create_task(self._run(receive), name="receive")
        self._running[receive.task] = receive
        self.possible_incoming += limit
        queue.under_way += 1
        receive.task.add_done_callback(self._record_end)
        return receive

    def stop_reserving(self, receive: Receive) -> None:
        """Keep nothing free for a receive any more."""
        self.possible_incoming -= receive.reserved
        receive.reserved = 0

    @staticmethod
    async def _run(receive: Receive) -> Sequence[Lease]:
        # The time is set again directly before the request. The process may have been paused (SIGSTOP) since `start`:
        # with the old time the leases would look as if they had ended, and the messages could not be released.
        receive.asked_at = asyncio.get_running_loop().time()
        return await receive.queue.source.receive(receive.limit, wait_s=receive.wait_s)

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
        self.possible_incoming -= receive.reserved
        receive.queue.under_way -= 1
        self._adjust_allowed(receive)
        return receive

    @staticmethod
    def _adjust_allowed(receive: Receive) -> None:
        queue = receive.queue
        if receive.task.cancelled() or receive.task.exception() is not None:
            queue.allowed = 1
            return
        queue.failures = 0
        received = len(receive.task.result())
        if received >= receive.limit:
            queue.allowed = min(MAX_CONCURRENT_RECEIVES, queue.allowed + 1)
        elif not received:
            queue.allowed = 1
        elif 2 * received < receive.limit:
            queue.allowed = max(1, queue.allowed - 1)

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
