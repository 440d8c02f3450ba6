"""What happens to a message that is worked on: held, handled, settled, reported. A task each."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from functools import partial

from dequeuer.concurrency.slots import Slot, Verdict
from dequeuer.core import clock
from dequeuer.core.errors import LeaseLostError, SourceGoneError, clip
from dequeuer.core.events import Observer, Received, Settled
from dequeuer.core.message import Done, Message, Outcome, Reject, Retry
from dequeuer.handlers.backoff import backoff_s
from dequeuer.handlers.base import Handler
from dequeuer.sources.base import Lease
from dequeuer.worker.lease import Hold, LeaseKeeper
from dequeuer.worker.settlement import SETTLE_S, Ending, Settler

_log = logging.getLogger(__name__)

SETTLING_LIMIT = 200
"""Messages whose outcome is stored and whose acknowledgement is under way, that take no room: with a queue 20 ms away
2,000 messages a second are about 60."""
SETTLING_BODY_BYTES = 4096
"""A message with a larger body takes room until it is settled: the body stays in memory until then."""
_STORED = frozenset({"completed", "failed", "already_finished"})
"""Ends after which another delivery finds the outcome in the store and does not call the container."""
CLEAN_UP_S = 0.1
"""How long a release waits for work that was cancelled."""


class Attempts:
    """All messages that are worked on.

    Args:
        handler: what they mean.
        keeper: renews their leases.
        settler: carries out what becomes of them.
        observer: is told.
    """

    def __init__(self, handler: Handler, keeper: LeaseKeeper, settler: Settler, observer: Observer) -> None:
        self._handler = handler
        self._keeper = keeper
        self._settler = settler
        self._observer = observer
        self._tasks: set[asyncio.Task[None]] = set()
        self._unsettled: dict[Hold, Ending] = {}
        self.when_ended: Callable[[], None] = lambda: None
        """Called when one of them takes no room any more."""
        self._held = 0
        self._settling = 0

    def __len__(self) -> int:
        return len(self._tasks)

    @property
    def held(self) -> int:
        """How many of them take room: all that are not settled, but for `SETTLING_LIMIT` whose outcome is stored."""
        return self._held + max(0, self._settling - SETTLING_LIMIT)

    def needs_slot(self, lease: Lease) -> bool:
        """Tell whether the message occupies the container."""
        return self._handler.needs_slot(lease.message)

    def begin(self, lease: Lease, asked_at: float, slot: Slot | None) -> None:
        """Work on a message. `asked_at`: loop time when the queue was asked for it."""
        message = lease.message
        queued_s = clock.wall() - message.sent_at if message.sent_at else None
        self._observer(Received(message_id=message.id, receive_count=message.receive_count, queued_s=queued_s))
        task = self._keeper.loop.create_task(self._work(lease, asked_at, slot), name="message")
        self._tasks.add(task)
        self._held += 1
        task.add_done_callback(self._ended)

    async def wait(self) -> None:
        """Return when all of them are over."""
        while self._tasks:
            await asyncio.wait(set(self._tasks))

    async def cancel(self) -> None:
        """End all of them now: what is not settled is given back, `2 * SETTLE_S` at most are waited for.

        A release does not wait for clean-up: aborting an upload can take seconds, and the process ends before.
        """
        for task in self._tasks:
            task.cancel()
        if not self._tasks:
            return
        await asyncio.wait(set(self._tasks), timeout=CLEAN_UP_S)
        releasing = [
            asyncio.create_task(self._let_go(hold, ending), name="release")
            for hold, ending in self._unsettled.items()
            if ending.settlement is None and not ending.is_under_way
        ]
        if left := {*self._tasks, *releasing}:
            await asyncio.wait(left, timeout=2 * SETTLE_S - CLEAN_UP_S)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            _log.error("a message's task ended with an error that nobody handled", exc_info=error)

    async def _work(self, lease: Lease, asked_at: float, slot: Slot | None) -> None:
        ending = Ending()
        outcome: Outcome | None = None
        loop = self._keeper.loop
        arrived_at = loop.time()
        hold = self._hold(lease, asked_at, slot)
        self._unsettled[hold] = ending
        try:
            try:
                async with hold:
                    try:
                        hold.check()
                        outcome = await self._handle(lease.message, hold)
                    finally:
                        if slot is not None:
                            slot.leave(_verdict(outcome))
                    self._begin_settling(lease.message, outcome, ending)
                    await self._settler.settle(hold, outcome, ending)
            finally:
                del self._unsettled[hold]
                self._end_settling(ending)
            if isinstance(outcome, Done) and outcome.after_ack is not None:
                await outcome.after_ack()
        except LeaseLostError as error:
            if ending.settlement is None:
                ending.set("lease_lost", str(error))
        except SourceGoneError as error:
            ending.set("error", str(error))
        except asyncio.CancelledError:
            if ending.settlement is None:
                await self._let_go(hold, ending)
            raise
        finally:
            self._report(lease.message, ending, arrived_at)

    def _begin_settling(self, message: Message, outcome: Outcome, ending: Ending) -> None:
        if not _is_stored(message, outcome):
            return
        ending.takes_room = False
        self._held -= 1
        self._settling += 1
        if self._settling <= SETTLING_LIMIT:
            self.when_ended()

    def _end_settling(self, ending: Ending) -> None:
        if ending.takes_room:
            self._held -= 1
        else:
            self._settling -= 1
            if self._settling < SETTLING_LIMIT:
                # There was room for others since the outcome was stored.
                return
        self.when_ended()

    async def _let_go(self, hold: Hold, ending: Ending) -> None:
        if hold.is_over():
            # Somebody else may have the message by now: it is not ours to give back.
            ending.set("lease_lost", hold.lost or "not renewed in time")
            return
        ending.set("released", "the time for the drain is over")
        try:
            await hold.stop_renewing()
        except LeaseLostError as error:
            ending.set("lease_lost", str(error))
        else:
            # Work that is still being cleaned up writes nothing any more.
            hold.lost = "given back"
            await self._settler.give_back([hold.lease])

    def _hold(self, lease: Lease, asked_at: float, slot: Slot | None) -> Hold:
        # When the queue gave the message away is not known, only that it was after it was asked. The answer may
        # have been long under way, or lain unread while the process was stopped.
        hold = self._keeper.hold(lease, asked_at)
        if slot is not None:
            hold.when_answered = partial(slot.leave, "good")
        return hold

    async def _handle(self, message: Message, hold: Hold) -> Outcome:
        try:
            return await self._handler.handle(message, hold)
        except LeaseLostError:
            raise
        except Exception as error:  # noqa: BLE001 - the one broad catch: see below
            # A bug costs this message one attempt, not the process and not the other messages.
            _log.exception("a bug: the message is given back")
            return Retry(after_s=backoff_s(message.receive_count), reason=f"a bug: {type(error).__name__}")

    def _report(self, message: Message, ending: Ending, arrived_at: float) -> None:
        self._observer(
            Settled(
                message_id=message.id,
                ref=self._handler.ref(message),
                settlement=ending.settlement or "error",
                reason=clip(ending.reason),
                held_s=self._keeper.loop.time() - arrived_at,
                receive_count=message.receive_count,
            )
        )


def _is_stored(message: Message, outcome: Outcome) -> bool:
    """Tell whether a message only waits for its acknowledgement, and next to no memory with it."""
    return isinstance(outcome, Done) and outcome.state in _STORED and len(message.body) <= SETTLING_BODY_BYTES


def _verdict(outcome: Outcome | None) -> Verdict:
    match outcome:
        case Done(state="completed" | "succeeded"):
            return "good"
        case Done(state="failed") | Reject(poison=False):
            return "bad"
        case Retry(container_unavailable=True):
            return "refused"
        case _:
            return "void"
