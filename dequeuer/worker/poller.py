"""Receiving: only while the container is ready, and only as many messages as get a slot now or soon."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

from dequeuer.concurrency.slot_times import PREFETCH_WINDOW_S
from dequeuer.concurrency.slots import Slots
from dequeuer.core.drain import Drain
from dequeuer.core.queue_limits import MAX_BATCH_SIZE
from dequeuer.core.readiness import Readiness
from dequeuer.sources.base import Lease, Source
from dequeuer.worker.attempts import Attempts
from dequeuer.worker.own_end import EndReason, OwnEnd
from dequeuer.worker.prefetch import PrefetchBuffer
from dequeuer.worker.prefetch_limit import PrefetchLimit
from dequeuer.worker.receives import AskedQueue, Receive, Receives
from dequeuer.worker.settlement import REPEATABLE_ERRORS


class EndOfWork(Protocol):
    """Decides when the work is over: no more messages will come."""

    def saw_messages(self) -> None:
        """Record that a receive brought messages."""

    async def is_over(self) -> bool:
        """Tell whether the work is over. Asked when a long poll brought nothing and no message is in flight."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PollerParts:
    """What a poller works with.

    Attributes:
        readiness: nothing is received while it is closed.
        drain: nothing is received once it is requested.
        slots: used to estimate how many messages get a slot now or soon.
        prefetched: messages that wait for a slot.
        attempts: start the work on what was received.
        changed: wakes `run`. It is set when a slot or capacity became free, and when a receive ended.
        pause: no receive is begun while it is closed, and what was received is worked off; None: it is always open.
        own_end: decides when the poller ends by itself; None: it does not.
    """

    readiness: Readiness
    drain: Drain
    slots: Slots
    prefetched: PrefetchBuffer
    attempts: Attempts
    changed: asyncio.Event
    pause: Readiness | None = None
    own_end: OwnEnd | None = None


class Poller(ABC):
    """Starts receives whenever there is capacity for all messages that they may bring.

    While work is short, it receives before a slot is free: those messages are prefetched. While work is long, or its
    length is not known, it asks for no more messages than there are free slots. When another receive of a queue is
    under way, a new one is started only if there is room for ten messages: so each request brings ten while the queue
    is full.

    Which queue is asked, and for how long it waits, is up to the subclasses.
    """

    def __init__(self, parts: PollerParts) -> None:
        self._readiness = parts.readiness
        self._pause = parts.pause
        self._own_end = parts.own_end
        self._drain = parts.drain
        self._slots = parts.slots
        self._prefetched = parts.prefetched
        self._attempts = parts.attempts
        self._changed = parts.changed
        self._receives = Receives(parts.changed)
        self._prefetch_limit = PrefetchLimit(parts.slots)
        self._prefetch_window_s = min(PREFETCH_WINDOW_S, parts.prefetched.max_wait_s / 2)

    def is_live(self, stuck_after_s: float) -> bool:
        """Tell whether no receive has been under way for longer than `stuck_after_s`."""
        return not self._receives.oldest_exceeds(stuck_after_s)

    async def run(self) -> EndReason:
        """Receive until cancelled, or until the work is over. Returns why it is.

        Raises:
            SourceGoneError: no queue exists any more.
        """
        try:
            while True:
                # Slots that become free in the same turn of the event loop wake this task once: one request asks for
                # the messages of all of them.
                self._changed.clear()
                while (receive := self._receives.pop_ended()) is not None:
                    if await self._process(receive):
                        return "queue_empty"
                if self._own_end is not None and (reason := self._ends_because(self._own_end)) is not None:
                    return reason
                self._start_receives()
                await self._changed.wait()
        finally:
            self._close()

    async def release_when_not_ready(self) -> None:
        """Release the prefetched messages whenever the container is not ready any more; until cancelled."""
        while True:
            await self._readiness.wait_closed()
            self._interrupt_idle_time()
            self._prefetched.release_all("not_ready")
            await self._readiness.wait_open()
            self._interrupt_idle_time()
            self._changed.set()

    async def receive_when_resumed(self, pause: Readiness) -> None:
        """Begin to receive again after each pause; until cancelled."""
        while True:
            await pause.wait_closed()
            self._interrupt_idle_time()
            await pause.wait_open()
            self._interrupt_idle_time()
            self._changed.set()

    def max_response_wait_s(self) -> float:
        """Return for how many more seconds messages can still be expected: see `Receives.max_response_wait_s`."""
        return self._receives.max_response_wait_s()

    async def release_late_messages(self) -> None:
        """After `run` has ended: begin to release what the receives under way still bring, until no receive is left."""
        while self._receives:
            await self._receives.wait_one()
            while (receive := self._receives.pop_ended()) is not None:
                task = receive.task
                if not task.cancelled() and task.exception() is None and (leases := task.result()):
                    # Not awaited here: a release can hang for `SETTLEMENT_TIMEOUT_S`, and there can be ten receives.
                    self._prefetched.start_release(leases, receive.asked_at, "drain")

    def cancel_receives(self) -> None:
        """Cancel the receives under way; their connections are closed."""
        self._receives.cancel_all()

    @abstractmethod
    async def _process(self, receive: Receive) -> bool:
        """Start attempts for what a receive brought. True: the work is over."""

    @abstractmethod
    def _start_receives(self) -> None:
        """Start all receives that there is room for."""

    def _may_receive(self) -> bool:
        """Tell whether a receive may be begun, whichever queue is asked."""
        is_paused = self._pause is not None and not self._pause.is_open
        may_receive = self._readiness.is_open and not self._drain.requested and not is_paused
        # What is under way is waited for: a poll that was cut could hide a message for a whole visibility timeout.
        return may_receive and not (self._own_end is not None and self._own_end.is_idle and self._is_quiet())

    def _is_quiet(self) -> bool:
        """Tell whether every queue was found empty when it was asked last."""
        return True

    def _ends_because(self, own_end: OwnEnd) -> EndReason | None:
        if own_end.is_max_reached:
            return "max_messages"
        is_busy = self._attempts or self._prefetched or self._receives
        return "idle" if own_end.is_idle and not is_busy and self._is_quiet() else None

    def _interrupt_idle_time(self) -> None:
        if self._own_end is not None:
            self._own_end.interrupt()

    def _found_nothing(self, receive: Receive) -> None:
        """Record an empty receive. Time in which nothing may be received, or that has work, is no idle time."""
        if self._own_end is None or receive.wait_s == 0:
            return
        if self._may_receive() and not self._attempts and not self._prefetched:
            self._own_end.found_nothing(receive.asked_at)

    @property
    def _poll_wait_s(self) -> int | None:
        """How long a long poll waits; None: as long as it is set to."""
        return None if self._own_end is None else self._own_end.poll_wait_s

    @staticmethod
    def _brought(receive: Receive) -> Sequence[Lease] | None:
        """Return what a receive has brought; None: it has failed, and nothing is asked of its queue for a while."""
        # Nobody cancels receives while `run` does: the request inside was cancelled. `result` would end this task.
        if not receive.task.cancelled():
            with suppress(*REPEATABLE_ERRORS):
                return receive.task.result()
        receive.queue.hold_off()
        return None

    @abstractmethod
    def _close(self) -> None:
        """Cancel what runs in the background."""

    def _room(self, queue: AskedQueue) -> int:
        """Return how many messages to ask a queue for now; 0 or less: none."""
        receives, min_size = self._receives, MAX_BATCH_SIZE if queue.under_way else 1
        # Everything that the receives under way may bring counts as if it were here.
        free_slots, prefetched = self._slots.free - receives.possible_incoming, len(self._prefetched)
        capacity = self._attempts.free_capacity() - receives.possible_incoming
        if self._own_end is not None:
            capacity = int(min(capacity, self._own_end.allowed - prefetched - receives.possible_incoming))
        max_prefetched = self._prefetch_limit.value
        if min(free_slots + max_prefetched - prefetched, capacity) < min_size:
            return 0
        wanted = min(max_prefetched, self._slots.expected_messages(self._prefetch_window_s))
        # Ask again when `refill_at` or fewer messages are prefetched: at half of `wanted`; when `wanted` is above 20,
        # as soon as a full request of ten fits, because it costs as much as one for a single message. `refill_at` is
        # below the number of messages that the slots take during one receive: asking earlier is not necessary.
        used_during_receive = self._slots.expected_messages(self._prefetch_limit.lead_time_s)
        refill_at = min(max(wanted // 2, wanted - MAX_BATCH_SIZE), used_during_receive - 1)
        # `free_slots` is below zero when the receives under way may bring more messages than there are free slots, and
        # when the limit was lowered. Both count as prefetched.
        if free_slots <= 0 and prefetched - free_slots > max(0, refill_at):
            return 0
        room = min(free_slots + wanted - prefetched, capacity)
        return min(MAX_BATCH_SIZE, room) if room >= min_size else 0


class QueuePoller(Poller):
    """Receives from one queue.

    Args:
        source: the queue.
        end_of_work: decides when the work is over; None: it never is.
        parts: what it works with.
    """

    def __init__(self, source: Source, end_of_work: EndOfWork | None, parts: PollerParts) -> None:
        super().__init__(parts)
        self._queue = AskedQueue(source=source, changed=parts.changed)
        self._end_of_work = end_of_work

    async def _process(self, receive: Receive) -> bool:
        leases = self._brought(receive)
        if leases is None:
            self._interrupt_idle_time()
            return False
        if not leases:
            self._found_nothing(receive)
            return receive.wait_s != 0 and await self._is_over()
        self._prefetch_limit.record(leases, receive.took_s if receive.wait_s == 0 else None)
        self._interrupt_idle_time()
        if self._end_of_work is not None:
            self._end_of_work.saw_messages()
        self._attempts.accept(leases, receive.asked_at)
        return False

    async def _is_over(self) -> bool:
        if self._end_of_work is None or self._attempts or self._receives or self._prefetched:
            return False
        return await self._end_of_work.is_over()

    def _close(self) -> None:
        self._queue.close()

    def _start_receives(self) -> None:
        if not self._may_receive():
            return
        queue = self._queue
        while queue.can_start and (limit := self._room(queue)) > 0:
            # A long poll when no other receive is under way.
            self._receives.start(queue, limit, 0 if queue.under_way else self._poll_wait_s)
