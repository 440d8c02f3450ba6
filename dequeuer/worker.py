"""The loop: gate, receive, hold, handle, settle. Everything that begins here is settled here."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from typing import Protocol

from dequeuer.drain import Drain
from dequeuer.errors import LeaseLostError, SourceGoneError, clip
from dequeuer.events import DrainChanged, Observer, Received, Settled, SlotsChanged
from dequeuer.handlers.backoff import backoff_s
from dequeuer.handlers.base import Handler
from dequeuer.lease import Hold, LeaseKeeper
from dequeuer.message import Done, Message, Outcome, Retry
from dequeuer.retrying import persist
from dequeuer.settling import AWAY, SETTLE_S, Ending, Settler
from dequeuer.sources.base import Lease, Source

RECEIVE_LIMIT = 10
EXTRA_HELD = 20
"""Messages that may be held beyond the slots: their work is done, their settlement is under way."""
ABANDON_POLL_S = 1.0
"""How long a poll under way may still bring something once the drain has nothing else to wait for."""

_log = logging.getLogger(__name__)


class Readiness(Protocol):
    """Whether the container can take work."""

    @property
    def is_open(self) -> bool:
        """Whether it can now."""

    async def wait_open(self) -> None:
        """Return when it could at some moment; callers look again."""


class Watch(Protocol):
    """Decides when there is nothing more to come."""

    def saw_messages(self) -> None:
        """A receive brought something."""

    async def is_over(self) -> bool:
        """Asked when a receive brought nothing and nothing is running."""


class Worker:
    """Works off one source with a number of slots.

    Args:
        source: where messages come from.
        handler: what they mean.
        readiness: asked before each receive: receiving for a container that is not ready would raise
            the receive count and push good messages to the dead-letter queue.
        keeper: renews what is held. Its `run` is the caller's to start.
        drain: ends the work.
        slots: messages in the container at a time.
        grace_s: how long running work may go on once the drain is requested.
        watch: ends the work when nothing is left; None works for ever.
        observer: is told.
    """

    def __init__(  # noqa: PLR0913 - one parameter a party
        self,
        *,
        source: Source,
        handler: Handler,
        readiness: Readiness,
        keeper: LeaseKeeper,
        drain: Drain,
        slots: int,
        grace_s: float,
        watch: Watch | None,
        observer: Observer,
    ) -> None:
        self._source = source
        self._settler = Settler(source)
        self._handler = handler
        self._readiness = readiness
        self._keeper = keeper
        self._drain = drain
        self._slots = slots
        self._grace_s = grace_s
        self._watch = watch
        self._observer = observer
        self._busy = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._capacity = asyncio.Event()
        self._poll: asyncio.Task[Sequence[Lease]] | None = None
        self._asked_at = 0.0
        self._polling_since: float | None = None

    def is_live(self, stuck_after_s: float) -> bool:
        """Tell whether no single receive has been under way for longer than `stuck_after_s`."""
        since = self._polling_since
        return since is None or asyncio.get_running_loop().time() - since < stuck_after_s

    async def run(self) -> None:
        """Work until the drain is requested or the watch says it is over; everything is settled then.

        Raises:
            SourceGoneError: the queue is no more.
        """
        self._observer(SlotsChanged(busy=0, total=self._slots))
        polling = asyncio.create_task(self._poll_for_ever(), name="poller")
        asked = asyncio.create_task(self._drain.wait_requested(), name="drain-requested")
        try:
            await asyncio.wait({polling, asked}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (polling, asked):
                task.cancel()
            await asyncio.wait({polling, asked})
            await self._finish()
        if not polling.cancelled() and (error := polling.exception()):
            raise error

    async def _poll_for_ever(self) -> None:
        over = False
        while not over:
            over = await persist(AWAY, self._poll_once)
        self._observer(DrainChanged(phase="queue_empty", in_flight=len(self._tasks)))

    async def _poll_once(self) -> bool:
        """Receive once; True when it is over."""
        await self._readiness.wait_open()
        limit = await self._wait_capacity()
        if not self._readiness.is_open:
            return False
        # Shielded: cancelling a receive could lose what it is about to bring; see _finish.
        self._poll = asyncio.create_task(self._receive(limit), name="receive")
        # When `run` is cancelled in its clean-up nobody is left to hear how this ended.
        self._poll.add_done_callback(_hear)
        leases = await asyncio.shield(self._poll)
        self._poll = None
        if not leases:
            return self._watch is not None and not self._tasks and await self._watch.is_over()
        if self._watch is not None:
            self._watch.saw_messages()
        await self._accept(leases)
        return False

    async def _accept(self, leases: Sequence[Lease]) -> None:
        if not self._readiness.is_open:
            # The gate closed while the poll was under way.
            await self._give_back(leases)
            return
        for lease in leases:
            self._begin(lease)

    async def _receive(self, limit: int) -> Sequence[Lease]:
        self._polling_since = self._asked_at = asyncio.get_running_loop().time()
        try:
            return await self._source.receive(limit)
        finally:
            self._polling_since = None

    async def _wait_capacity(self) -> int:
        while (limit := min(RECEIVE_LIMIT, self._slots - self._busy, self._slots + EXTRA_HELD - len(self._tasks))) <= 0:
            self._capacity.clear()
            await self._capacity.wait()
        return limit

    def _begin(self, lease: Lease) -> None:
        message = lease.message
        queued_s = time.time() - message.sent_at if message.sent_at else None
        self._observer(Received(message_id=message.id, receive_count=message.receive_count, queued_s=queued_s))
        takes_slot = self._handler.needs_slot(message)
        if takes_slot:
            self._occupy(1)
        task = asyncio.create_task(self._work(lease, takes_slot), name="message")
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _occupy(self, change: int) -> None:
        self._busy += change
        self._observer(SlotsChanged(busy=self._busy, total=self._slots))
        self._capacity.set()

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._capacity.set()
        if not task.cancelled() and (error := task.exception()):
            _log.error("a message's task ended with an error that nobody handled", exc_info=error)

    async def _work(self, lease: Lease, takes_slot: bool) -> None:  # noqa: FBT001 - private
        ending = Ending()
        outcome: Outcome | None = None
        arrived_at = asyncio.get_running_loop().time()
        # When the queue gave the message away is not known, only that it was after it was asked. The answer may
        # have been long under way, or lain unread while the process was stopped.
        hold = self._keeper.hold(lease, self._asked_at)
        try:
            async with hold:
                try:
                    hold.check()
                    outcome = await self._handle(lease.message, hold)
                finally:
                    if takes_slot:
                        self._occupy(-1)
                await self._settler.settle(hold, outcome, ending)
            if isinstance(outcome, Done) and outcome.after_ack is not None:
                await outcome.after_ack()
        except LeaseLostError as error:
            if ending.settlement is None:
                ending.set("lease_lost", str(error))
            elif isinstance(outcome, Done) and outcome.after_ack is not None and not hold.is_past():
                # The queue took the acknowledgement; what was refused was a renewal under way at the same time.
                # Once its time is over that is not sure: SQS may say yes to a stale receipt, and delete nothing.
                await outcome.after_ack()
        except SourceGoneError as error:
            ending.set("error", str(error))
        except asyncio.CancelledError:
            if ending.settlement is None and hold.is_over():
                # Somebody else may have the message by now: it is not ours to give back.
                ending.set("lease_lost", hold.lost or "not renewed in time")
            elif ending.settlement is None:
                ending.set("released", "the time for the drain is over")
                await hold.stop_renewing()
                await self._settler.give_back([lease])
            raise
        finally:
            self._report(lease.message, ending, arrived_at)

    async def _handle(self, message: Message, hold: Hold) -> Outcome:
        try:
            return await self._handler.handle(message, hold)
        except LeaseLostError:
            raise
        except Exception as error:  # noqa: BLE001 - the one broad catch: see below
            # A bug costs this message one attempt, not the process and not the other messages.
            _log.exception("a bug: the message is given back")
            return Retry(after_s=backoff_s(message.receive_count), reason=f"a bug: {type(error).__name__}")

    async def _finish(self) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        if self._drain.requested:
            self._observer(DrainChanged(phase="drain", in_flight=len(self._tasks)))
        late = asyncio.create_task(self._give_back_late(), name="late-poll")
        if self._tasks:
            hurried = asyncio.create_task(self._drain.wait_hurried(), name="hurried")
            running = asyncio.create_task(self._all_ended(), name="running")
            await asyncio.wait({hurried, running}, timeout=self._grace_s, return_when=asyncio.FIRST_COMPLETED)
            hurried.cancel()
            running.cancel()
        if self._tasks:
            self._observer(DrainChanged(phase="release", in_flight=len(self._tasks)))
            for task in self._tasks:
                task.cancel()
            await asyncio.wait(set(self._tasks), timeout=2 * SETTLE_S)
        await asyncio.wait({late}, timeout=max(0.0, began + ABANDON_POLL_S - loop.time()))
        if self._poll is not None:
            # Nothing is lost: what this poll may still be given is visible again after its lease.
            self._poll.cancel()
        await asyncio.wait({late})
        if self._drain.requested:
            self._observer(DrainChanged(phase="drained", in_flight=len(self._tasks)))

    async def _all_ended(self) -> None:
        while self._tasks:
            await asyncio.wait(set(self._tasks))

    async def _give_back_late(self) -> None:
        """Release what the poll that was under way still brings."""
        if self._poll is None:
            return
        await asyncio.wait({self._poll})
        if not self._poll.cancelled() and self._poll.exception() is None and (leases := self._poll.result()):
            await self._give_back(leases)
        self._poll = None

    async def _give_back(self, leases: Sequence[Lease]) -> None:
        """Release what has only just arrived, unless it took so long that somebody else may have it by now."""
        if asyncio.get_running_loop().time() < self._keeper.ends_at(self._asked_at):
            await self._settler.give_back(leases)

    def _report(self, message: Message, ending: Ending, arrived_at: float) -> None:
        self._observer(
            Settled(
                message_id=message.id,
                ref=self._handler.ref(message),
                settlement=ending.settlement or "error",
                reason=clip(ending.reason),
                held_s=asyncio.get_running_loop().time() - arrived_at,
                receive_count=message.receive_count,
            )
        )


def _hear(task: asyncio.Task[Sequence[Lease]]) -> None:
    if not task.cancelled():
        task.exception()
