"""Receiving: only for a container that is ready, only what finds a slot now or in a moment."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Protocol

from dequeuer.attempts import Attempts
from dequeuer.drain import Drain
from dequeuer.pace import AHEAD_S
from dequeuer.readiness import Readiness
from dequeuer.retrying import persist
from dequeuer.settling import AWAY
from dequeuer.slots import Slots
from dequeuer.sources.base import Lease, Source
from dequeuer.waiting import WaitingRoom

RECEIVE_LIMIT = 10
WAITING_LIMIT = 20
"""Messages that wait for a slot, at most: ten for now, and ten for as long as the next receive takes."""
EXTRA_HELD = 20
"""Messages that may be held beyond the slots: their work is done, their settlement is under way."""
ANSWER_S = 0.5
"""How long the answer to a receive takes at most when there are messages."""
LEAD_S = 0.05
"""How long a receive takes when there is something: so much before the last one is taken the next are asked for."""


class Watch(Protocol):
    """Decides when there is nothing more to come."""

    def saw_messages(self) -> None:
        """A receive brought something."""

    async def is_over(self) -> bool:
        """Asked when a receive brought nothing and nothing is running."""


class Poller:
    """Has one receive under way whenever there is room for what it may bring.

    While work is short, that is before a slot is free: what arrives waits, for a moment at most. Where work is long,
    or nothing is known of it, it asks for no more than there are free slots.
    """

    def __init__(  # noqa: PLR0913 - one parameter a party
        self,
        *,
        source: Source,
        readiness: Readiness,
        drain: Drain,
        slots: Slots,
        waiting: WaitingRoom,
        attempts: Attempts,
        watch: Watch | None,
    ) -> None:
        self._source = source
        self._readiness = readiness
        self._drain = drain
        self._slots = slots
        self._waiting = waiting
        self._attempts = attempts
        self._watch = watch
        self._ahead_s = min(AHEAD_S, waiting.moment_s / 2)
        self._room = asyncio.Event()
        self._poll: asyncio.Task[Sequence[Lease]] | None = None
        self._asked_at = 0.0
        self._polling_since: float | None = None
        self._has_ended = False
        slots.when_left = self._fill
        attempts.when_ended = self._fill

    def is_live(self, stuck_after_s: float) -> bool:
        """Tell whether no single receive has been under way for longer than `stuck_after_s`."""
        since = self._polling_since
        return since is None or asyncio.get_running_loop().time() - since < stuck_after_s

    async def run(self) -> None:
        """Receive until cancelled, or until the watch says that nothing is left."""
        over = False
        while not over:
            over = await persist(AWAY, self._poll_once)

    async def guard(self) -> None:
        """Give back what waits whenever the container is not ready any more; until cancelled."""
        while True:
            await self._readiness.wait_closed()
            self._waiting.clear("not_ready")
            await self._readiness.wait_open()

    async def _poll_once(self) -> bool:
        """Receive once; True when it is over."""
        await self._readiness.wait_open()
        limit = await self._wait_room()
        if not self._readiness.is_open:
            return False
        # Shielded: cancelling a receive could lose what it is about to bring; see give_back_late.
        self._poll = asyncio.create_task(self._receive(limit), name="receive")
        # When `run` is cancelled in its clean-up nobody is left to hear how this ended.
        self._poll.add_done_callback(_hear)
        leases = await asyncio.shield(self._poll)
        self._poll = None
        if not leases:
            return self._watch is not None and not self._attempts and await self._watch.is_over()
        if self._watch is not None:
            self._watch.saw_messages()
        await self._accept(leases)
        return False

    async def _receive(self, limit: int) -> Sequence[Lease]:
        self._polling_since = self._asked_at = asyncio.get_running_loop().time()
        try:
            return await self._source.receive(limit)
        finally:
            self._polling_since = None

    async def _wait_room(self) -> int:
        while (limit := self._wanted()) <= 0:
            self._room.clear()
            await self._room.wait()
        return limit

    def _wanted(self) -> int:
        """Return how many messages to ask for now; none: zero or less."""
        free, waiting = self._slots.free, len(self._waiting)
        ahead = min(WAITING_LIMIT, self._slots.expected(self._ahead_s))
        # In time, but not one at a time: a request for ten costs as much as a request for one.
        low = min(ahead // 2, self._slots.expected(LEAD_S) - 1)
        if free <= 0 and waiting > max(0, low):
            return 0
        return min(RECEIVE_LIMIT, free + ahead - waiting, self._spare())

    def _spare(self) -> int:
        """Return how many more may be worked on or be settled at a time."""
        return self._slots.total + EXTRA_HELD - self._attempts.held

    async def _accept(self, leases: Sequence[Lease]) -> None:
        asked_at = self._asked_at
        if not self._readiness.is_open:
            # The gate closed while the poll was under way.
            await self._waiting.give_back(leases, asked_at, "not_ready")
            return
        occupying = []
        for lease in leases:
            if self._attempts.needs_slot(lease):
                occupying.append(lease)
            else:
                self._attempts.begin(lease, asked_at, None)
        while occupying and not self._waiting and self._has_room():
            self._attempts.begin(occupying.pop(0), asked_at, self._slots.take())
        if not occupying:
            return
        if self._slots.are_stuck():
            # It came late, and what runs now takes long: somebody else may have a slot for it.
            await self._waiting.give_back(occupying, asked_at, "waited")
        else:
            self._waiting.add(occupying, asked_at)

    def _has_room(self) -> bool:
        return self._slots.free > 0 and self._spare() > 0

    def _fill(self) -> None:
        """Begin what waits, as far as there are slots."""
        while self._has_room() and self._readiness.is_open and not self._drain.requested and not self._has_ended:
            arrival = self._waiting.take()
            if arrival is None:
                break
            self._attempts.begin(arrival.lease, arrival.asked_at, self._slots.take())
        self._room.set()

    def stop(self) -> None:
        """Begin nothing any more, once `run` is over."""
        self._has_ended = True

    def answer_is_due_s(self) -> float:
        """Return for how long a receive that has just begun is to be waited for, seconds.

        Where there are messages its answer is on its way. One that lasts longer waits at a quiet queue.
        """
        return max(0.0, self._asked_at + ANSWER_S - asyncio.get_running_loop().time()) if self._poll else 0.0

    async def give_back_late(self) -> None:
        """Once `run` is over: release what the poll that was under way still brings."""
        if self._poll is None:
            return
        await asyncio.wait({self._poll})
        if not self._poll.cancelled() and self._poll.exception() is None and (leases := self._poll.result()):
            await self._waiting.give_back(leases, self._asked_at, "drain")
        self._poll = None

    def abandon(self) -> None:
        """End the poll under way: its connection is closed."""
        if self._poll is not None:
            self._poll.cancel()


def _hear(task: asyncio.Task[Sequence[Lease]]) -> None:
    if not task.cancelled():
        task.exception()
