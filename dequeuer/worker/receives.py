"""The receives under way: how many at once, and what they may still bring."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from dequeuer.sources.base import Lease, Source

RECEIVE_LIMIT = 10
"""Messages that one receive brings at most."""
MOST_RECEIVES = 10
"""Receives under way at once, at most."""
ANSWER_S = 0.5
"""How long the answer to a receive takes at most when there are messages."""


@dataclass(slots=True, kw_only=True, eq=False)
class Receive:
    """One receive.

    Attributes:
        limit: messages asked for.
        waits: whether the queue waits for messages; otherwise it answers at once.
        asked_at: loop time: the leases count from then.
        took_s: how long the answer took, seconds, once it has ended.
        task: ends with what it brings.
    """

    limit: int
    waits: bool
    asked_at: float
    took_s: float = 0.0
    task: asyncio.Task[Sequence[Lease]] = field(init=False)


class Receives:
    """Begins receives and collects those that have ended.

    One at a time while the queue is quiet: that one waits for messages, and each further one would be paid for without
    bringing more. One more at a time for each that comes back full, and these do not wait at the queue: when it runs
    empty they end, and one long poll is left.

    Args:
        source: the queue.
        when_ended: called when one has ended.
    """

    def __init__(self, source: Source, when_ended: Callable[[], None]) -> None:
        self._source = source
        self._when_ended = when_ended
        self._open: dict[asyncio.Task[Sequence[Lease]], Receive] = {}
        self._ended: deque[Receive] = deque()
        self._allowed = 1
        self.coming = 0
        """Messages that may still come: the sum of what was asked for and not taken by `take_ended`."""

    def __len__(self) -> int:
        return len(self._open) + len(self._ended)

    @property
    def can_begin(self) -> bool:
        """Whether one more may be under way."""
        return len(self) < self._allowed

    def is_older(self, age_s: float) -> bool:
        """Tell whether one has been under way for `age_s` or longer."""
        # The oldest come first.
        first = next(iter(self._open.values()), None)
        return first is not None and asyncio.get_running_loop().time() - first.asked_at >= age_s

    def begin(self, limit: int) -> None:
        """Ask for up to `limit` messages. The first one under way waits for them; the others do not."""
        receive = Receive(limit=limit, waits=not len(self), asked_at=asyncio.get_running_loop().time())
        # A task of its own: cancelling a receive could lose what it is about to bring.
        receive.task = asyncio.create_task(self._run(receive), name="receive")
        self._open[receive.task] = receive
        self.coming += limit
        receive.task.add_done_callback(self._end)

    async def _run(self, receive: Receive) -> Sequence[Lease]:
        # Again, as late as possible: a process that was stopped since would take the leases for over, and could not
        # give back what it has received.
        receive.asked_at = asyncio.get_running_loop().time()
        return await self._source.receive(receive.limit, wait=receive.waits)

    def _end(self, task: asyncio.Task[Sequence[Lease]]) -> None:
        receive = self._open.pop(task)
        receive.took_s = asyncio.get_running_loop().time() - receive.asked_at
        self._ended.append(receive)
        if not task.cancelled():
            # When nobody is left to take it, its error is not to be reported as never retrieved.
            task.exception()
        self._when_ended()

    def take_ended(self) -> Receive | None:
        """Take the next one that has ended; None: there is none. What it has brought is the caller's to count."""
        if not self._ended:
            return None
        receive = self._ended.popleft()
        self.coming -= receive.limit
        self._learn(receive)
        return receive

    def _learn(self, receive: Receive) -> None:
        if receive.task.cancelled() or receive.task.exception() is not None:
            self._allowed = 1
            return
        brought = len(receive.task.result())
        if brought >= receive.limit:
            self._allowed = min(MOST_RECEIVES, self._allowed + 1)
        elif not brought:
            self._allowed = 1
        elif 2 * brought < receive.limit:
            self._allowed = max(1, self._allowed - 1)

    def answer_is_due_s(self) -> float:
        """Return for how long receives that have just begun are to be waited for, seconds.

        Where there are messages their answers are on their way. One that lasts longer waits at a quiet queue.
        """
        asked_at = max((receive.asked_at for receive in self._open.values()), default=None)
        return 0.0 if asked_at is None else max(0.0, asked_at + ANSWER_S - asyncio.get_running_loop().time())

    async def wait_one(self) -> None:
        """Return when one has ended, or none is under way."""
        if self._open and not self._ended:
            await asyncio.wait(set(self._open), return_when=asyncio.FIRST_COMPLETED)

    def abandon(self) -> None:
        """End all that are under way: their connections are closed."""
        for task in self._open:
            task.cancel()
