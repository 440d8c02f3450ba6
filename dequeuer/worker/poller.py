"""Receiving: only for a container that is ready, only what finds a slot now or in a moment."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Protocol

from dequeuer.concurrency.pace import AHEAD_S
from dequeuer.concurrency.slots import Slots
from dequeuer.core.drain import Drain
from dequeuer.core.readiness import Readiness
from dequeuer.core.retry import UNTIL_AVAILABLE
from dequeuer.sources.base import Lease, Source
from dequeuer.worker.attempts import Attempts
from dequeuer.worker.prefetch import WaitingRoom
from dequeuer.worker.read_ahead import ReadAhead
from dequeuer.worker.receives import RECEIVE_LIMIT, Receive, Receives
from dequeuer.worker.settlement import AWAY

EXTRA_HELD = 20
"""Messages whose work is done and whose outcome is being stored, at least; as many as there are slots if
that is more."""
STORING_SHARE = 5
"""As many for each slot, up to `STORING_LIMIT`. With a store 20 to 30 ms away a message occupies its slot for 20 ms
while it is read, and is stored for 60 ms after that: three for each slot. What is being received takes room, too."""
STORING_LIMIT = 200
"""Each may keep a result of 64 KiB in memory. Enough for 2,000 messages a second with 60 ms for each."""


class Watch(Protocol):
    """Decides when there is nothing more to come."""

    def saw_messages(self) -> None:
        """A receive brought something."""

    async def is_over(self) -> bool:
        """Asked when a receive brought nothing and nothing is running."""


class Poller:
    """Has receives under way whenever there is room for all that they may bring.

    While work is short, that is before a slot is free: what arrives waits, for a moment at most. Where work is long,
    or nothing is known of it, it asks for no more than there are free slots. A further receive beside others asks for
    ten: so a full queue costs a request for ten messages, however many are under way.
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
        self._readiness = readiness
        self._drain = drain
        self._slots = slots
        self._waiting = waiting
        self._attempts = attempts
        self._watch = watch
        self._ahead_s = min(AHEAD_S, waiting.moment_s / 2)
        self._read_ahead = ReadAhead(slots)
        self._ended = asyncio.Event()
        self._receives = Receives(source, self._ended.set)
        self._may_ask = False
        self._failures = 0
        self._retry: asyncio.TimerHandle | None = None
        self._asking: asyncio.Handle | None = None
        slots.when_left = self._fill
        attempts.when_ended = self._fill

    def is_live(self, stuck_after_s: float) -> bool:
        """Tell whether no single receive has been under way for longer than `stuck_after_s`."""
        return not self._receives.is_older(stuck_after_s)

    async def run(self) -> None:
        """Receive until cancelled, or until the watch says that nothing is left.

        Raises:
            SourceGoneError: the queue is no more.
        """
        self._may_ask = True
        over = False
        while not over:
            self._ask()
            await self._ended.wait()
            self._ended.clear()
            while not over and (receive := self._receives.take_ended()) is not None:
                over = await self._take_in(receive)

    async def guard(self) -> None:
        """Give back what waits whenever the container is not ready any more; until cancelled."""
        while True:
            await self._readiness.wait_closed()
            self._waiting.clear("not_ready")
            await self._readiness.wait_open()
            self._ask()

    def _ask(self) -> None:
        """Begin the receives for which there is room."""
        if not self._may_ask or self._retry is not None or self._drain.requested or not self._readiness.is_open:
            return
        while (limit := self._wanted()) > 0:
            self._receives.begin(limit)

    def _wanted(self) -> int:
        """Return how many messages to ask for now; none: zero or less."""
        receives = self._receives
        if not receives.can_begin:
            return 0
        # What all receives under way may bring counts as if it were here.
        free, waiting = self._slots.free - receives.coming, len(self._waiting)
        least = RECEIVE_LIMIT if receives else 1
        spare = self._spare() - receives.coming
        limit = self._read_ahead.limit
        if min(free + limit - waiting, spare) < least:
            return 0
        ahead = min(limit, self._slots.expected(self._ahead_s))
        # In time, but not one at a time: a request for ten costs as much as a request for one.
        low = min(max(ahead // 2, ahead - RECEIVE_LIMIT), self._slots.expected(self._read_ahead.lead_s) - 1)
        if free <= 0 and waiting - min(0, free) > max(0, low):
            return 0
        room = min(free + ahead - waiting, spare)
        return min(RECEIVE_LIMIT, room) if room >= least else 0

    def _spare(self) -> int:
        """Return how many more may be worked on or be settled at a time."""
        total = self._slots.total
        return total + max(EXTRA_HELD, total, min(STORING_SHARE * total, STORING_LIMIT)) - self._attempts.held

    async def _take_in(self, receive: Receive) -> bool:
        """Begin with what a receive has brought; True when the work is over."""
        try:
            leases = receive.task.result()
            if leases:
                self._read_ahead.learn(leases, None if receive.waits else receive.took_s)
                self._accept(leases, receive.asked_at)
            elif receive.waits and await self._is_over():
                return True
        except AWAY:
            self._try_later()
        else:
            self._failures = 0
        return False

    async def _is_over(self) -> bool:
        if self._watch is None or self._attempts or self._receives or self._waiting:
            return False
        self._may_ask = False
        over = True
        try:
            over = await self._watch.is_over()
        finally:
            self._may_ask = not over
        return over

    def _try_later(self) -> None:
        """Ask again after a while: the queue cannot be reached, or refuses."""
        wait_s = UNTIL_AVAILABLE.backoff.pause_s(self._failures)
        self._failures += 1
        if self._retry is None:
            self._retry = asyncio.get_running_loop().call_later(wait_s, self._retry_now)

    def _retry_now(self) -> None:
        self._retry = None
        self._ask()

    def _accept(self, leases: Sequence[Lease], asked_at: float) -> None:
        if self._watch is not None:
            self._watch.saw_messages()
        if not self._readiness.is_open:
            # The gate closed while the receive was under way.
            self._waiting.release(leases, asked_at, "not_ready")
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
            self._waiting.release(occupying, asked_at, "waited")
        else:
            self._waiting.add(occupying, asked_at)

    def _has_room(self) -> bool:
        return self._slots.free > 0 and self._spare() > 0

    def _fill(self) -> None:
        """Begin what waits, as far as there are slots."""
        while self._may_ask and self._has_room() and self._readiness.is_open and not self._drain.requested:
            arrival = self._waiting.take()
            if arrival is None:
                break
            self._attempts.begin(arrival.lease, arrival.asked_at, self._slots.take())
        if self._may_ask and self._asking is None and self._receives.can_begin:
            # In the loop's next turn: what becomes free in the same one is asked for with one request.
            self._asking = asyncio.get_running_loop().call_soon(self._ask_now)

    def _ask_now(self) -> None:
        self._asking = None
        self._ask()

    def stop(self) -> None:
        """Begin nothing any more, once `run` is over."""
        self._may_ask = False
        if self._retry is not None:
            self._retry.cancel()

    def answer_is_due_s(self) -> float:
        """Return for how long receives that have just begun are to be waited for, seconds."""
        return self._receives.answer_is_due_s()

    async def give_back_late(self) -> None:
        """Once `run` is over: release what the receives that were under way still bring."""
        while self._receives:
            await self._receives.wait_one()
            while (receive := self._receives.take_ended()) is not None:
                task = receive.task
                if not task.cancelled() and task.exception() is None and (leases := task.result()):
                    await self._waiting.give_back(leases, receive.asked_at, "drain")
            # Done callbacks run in the loop's next turn.
            await asyncio.sleep(0)

    def abandon(self) -> None:
        """End the receives under way: their connections are closed."""
        self._receives.abandon()
