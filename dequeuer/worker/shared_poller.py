"""Receiving from several queues with weights. What is wrong with one of them does not stop the others."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from dequeuer.core.errors import SourceGoneError
from dequeuer.core.readiness import Readiness
from dequeuer.sources.base import Source
from dequeuer.worker.poller import Poller, PollerParts
from dequeuer.worker.receives import AskedQueue, Receive
from dequeuer.worker.turns import QueueTurn, Turns

OVERDUE_S = 2.0
"""A receive that takes this much longer than its wait is not waited for: the queue may be hanging, and others need the
slots that are kept free for it. When it brings messages after all, and no slot is free soon, they are released."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightedSource:
    """One of several queues.

    Attributes:
        source: the queue.
        weight: while several have messages, each is served in proportion to its weight.
        readiness: nothing is received from this queue while it is closed.
    """

    source: Source
    weight: int
    readiness: Readiness


class SharedPoller(Poller):
    """Receives from several queues; see `Turns`. It never ends by itself.

    Args:
        sources: the queues.
        parts: what it works with.
    """

    def __init__(self, sources: Sequence[WeightedSource], parts: PollerParts) -> None:
        super().__init__(parts)
        self._by_queue = {
            turn.asked: turn
            for turn in (
                QueueTurn(
                    asked=AskedQueue(source=one.source, changed=parts.changed),
                    weight=one.weight,
                    readiness=one.readiness,
                )
                for one in sources
            )
        }
        self._turns = Turns(tuple(self._by_queue.values()))
        self._timers: dict[Receive, asyncio.TimerHandle | None] = {}
        """Receives under way, each with the timer that makes it overdue; None: it is."""

    async def release_when_not_ready(self) -> None:
        """Release prefetched messages, also those of one queue that is not ready any more; until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(super().release_when_not_ready(), name="release-when-not-ready")
            for turn in self._by_queue.values():
                group.create_task(self._release_when_closed(turn), name="release-when-queue-closed")

    async def _release_when_closed(self, turn: QueueTurn) -> None:
        while True:
            await turn.readiness.wait_closed()
            self._prefetched.release_all("not_ready", of=turn.asked.source)
            await turn.readiness.wait_open()
            self._changed.set()

    async def _process(self, receive: Receive) -> bool:
        turn = self._by_queue[receive.queue]
        self._end_timer(turn, receive)
        try:
            leases = self._brought(receive)
        except SourceGoneError:
            turn.is_gone = True
            if all(one.is_gone for one in self._by_queue.values()):
                raise
            turn.asked.hold_off()
            leases = None
        if leases is None:
            self._interrupt_idle_time()
            self._turns.failed(turn, receive.limit)
            return False
        turn.is_gone = False
        self._turns.brought(turn, receive.limit, len(leases))
        if not leases:
            self._found_nothing(receive)
        else:
            self._interrupt_idle_time()
            self._prefetch_limit.record(leases, receive.took_s if receive.wait_s == 0 else None)
            if turn.readiness.is_open:
                self._attempts.accept(leases, receive.asked_at)
            else:
                self._prefetched.start_release(leases, receive.asked_at, "not_ready")
        return False

    def _start_receives(self) -> None:
        if not self._may_receive():
            return
        while (ask := self._turns.next(self._room, self._capacity())) is not None:
            self._turns.asked(ask)
            wait_s = self._poll_wait_s if ask.wait_s is None else ask.wait_s
            receive = self._receives.start(ask.turn.asked, ask.limit, wait_s)
            # One that waits for long keeps little free.
            if ask.wait_s is not None:
                late_s = ask.wait_s + OVERDUE_S
                timer = asyncio.get_running_loop().call_later(late_s, self._mark_overdue, ask.turn, receive)
                self._timers[receive] = timer

    def _is_quiet(self) -> bool:
        return all(turn.is_empty and turn.may_be_asked for turn in self._by_queue.values())

    def _capacity(self) -> int:
        """Return how many messages can be in slots, or wait for one."""
        expected = self._slots.expected_messages(self._prefetch_window_s)
        return self._slots.total + min(self._prefetch_limit.value, expected)

    def _mark_overdue(self, turn: QueueTurn, receive: Receive) -> None:
        self._timers[receive] = None
        turn.overdue += 1
        self._receives.stop_reserving(receive)
        self._changed.set()

    def _end_timer(self, turn: QueueTurn, receive: Receive) -> None:
        if receive not in self._timers:
            return
        timer = self._timers.pop(receive)
        if timer is None:
            turn.overdue -= 1
        else:
            timer.cancel()

    def _close(self) -> None:
        for timer in self._timers.values():
            if timer is not None:
                timer.cancel()
        for queue in self._by_queue:
            queue.close()
