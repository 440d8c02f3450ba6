"""Starts the work on received messages. Each is held, handled, settled and reported in a task of its own."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from dequeuer.concurrency.slots import Slot, SlotResult, Slots
from dequeuer.core import clock
from dequeuer.core.drain import Drain
from dequeuer.core.errors import LeaseLostError, SourceGoneError
from dequeuer.core.events import Observer, Received, Settled
from dequeuer.core.message import Done, Message, Outcome, Reject, Retry
from dequeuer.core.readiness import Readiness
from dequeuer.handlers.backoff import backoff_s
from dequeuer.handlers.base import Handler
from dequeuer.sources.base import Lease
from dequeuer.worker.lease import NOT_RENEWED, HeldLease, LeaseRenewer
from dequeuer.worker.own_end import OwnEnd
from dequeuer.worker.prefetch import PrefetchBuffer
from dequeuer.worker.settlement import Settler

_log = logging.getLogger(__name__)

MIN_STORING_LIMIT = 20
"""How many messages may be in work besides those in slots (their outcome is being written, or they are being settled):
max(`MIN_STORING_LIMIT`, slots, min(`STORING_PER_SLOT` * slots, `MAX_STORING_LIMIT`))."""
STORING_PER_SLOT = 5
"""Messages without a slot that are allowed for each slot. Example: work takes 20 ms and writing the outcome 60 ms, so
three messages a slot are being written. The other two are for receives under way, which count against the same
capacity."""
MAX_STORING_LIMIT = 200
"""The upper limit of `STORING_PER_SLOT` times the slots: each message may keep 64 KiB in memory. It is enough for 2,000
messages a second that are stored for 60 ms each, which are 120 at a time."""
MAX_UNCOUNTED_SETTLING = 200
"""A message whose outcome is stored uses no capacity while it is acknowledged. This holds for up to this many messages
at a time; each further one uses capacity. With a queue 20 ms away and 2,000 messages a second about 60 are acknowledged
at a time."""
MAX_UNCOUNTED_CHARS = 4096
"""A longer message uses capacity until it is settled, because it stays in memory until then."""
CLEAN_UP_TIMEOUT_S = 0.1
"""How long a release waits for the clean-up of cancelled work."""
_STORED_STATES = frozenset({"completed", "failed", "already_finished"})
"""A message in one of these states has its outcome in the store: a redelivery finds it, and does not call the
container. One exception: a completion message that failed is `failed`, too, and nothing is stored for it. There is at
most one in each process."""


class _Fence:
    """`Fence` of one attempt."""

    __slots__ = ("_attempts", "_slot", "asked_at", "check")

    def __init__(self, attempts: Attempts, held: HeldLease, slot: Slot | None) -> None:
        self._attempts = attempts
        self._slot = slot
        self.asked_at = held.asked_at
        self.check = held.check

    def release_slot(self) -> None:
        """Free the slot after a success: see `Fence`."""
        self._attempts.release_slot(self._slot, "succeeded")


class Attempts:
    """Starts the work on messages as far as there are slots and capacity, and keeps what is under way.

    Here an attempt is work that has begun. A message that is released before has had none, although SQS counts its
    receive.

    Args:
        handler: handles the messages.
        renewer: renews their leases.
        settler: settles them.
        slots: a message that occupies the container gets one before its attempt.
        prefetched: keeps messages for which no slot is free.
        readiness: no prefetched message is started while it is closed.
        drain: no prefetched message is started once it is requested.
        changed: is set when a slot or capacity became free.
        observer: receives the begin and the end of each attempt.
        own_end: limits how many messages are begun; None: nothing does.
    """

    def __init__(  # noqa: PLR0913 - one parameter for each collaborator
        self,
        *,
        handler: Handler,
        renewer: LeaseRenewer,
        settler: Settler,
        slots: Slots,
        prefetched: PrefetchBuffer,
        readiness: Readiness,
        drain: Drain,
        changed: asyncio.Event,
        observer: Observer,
        own_end: OwnEnd | None = None,
    ) -> None:
        self._own_end = own_end
        self._handler = handler
        self._renewer = renewer
        self._settler = settler
        self._slots = slots
        self._prefetched = prefetched
        self._readiness = readiness
        self._drain = drain
        self._changed = changed
        self._observer = observer
        self._tasks: set[asyncio.Task[None]] = set()
        self._unreported: dict[HeldLease, float] = {}
        """The leases of the attempts under way; the values are the loop times at which the attempts began. A dict keeps
        their order: the order of releases must be the same in each run of the simulation."""
        self._using_capacity = 0
        """Started messages that use capacity."""
        self._acknowledging = 0
        """Messages that only wait for their acknowledgement: up to `MAX_UNCOUNTED_SETTLING` of them use no capacity."""
        self._is_stopped = False
        self._loop = renewer.loop

    def __len__(self) -> int:
        return len(self._tasks)

    def free_capacity(self) -> int:
        """Return how many more attempts may be started. Prefetched messages are not started, so they do not count."""
        slots = self._slots.total
        storing_limit = max(MIN_STORING_LIMIT, slots, min(STORING_PER_SLOT * slots, MAX_STORING_LIMIT))
        used = self._using_capacity + max(0, self._acknowledging - MAX_UNCOUNTED_SETTLING)
        return slots + storing_limit - used

    def accept(self, leases: Sequence[Lease], asked_at: float) -> None:
        """Start, prefetch or release received messages. `asked_at`: loop time when the queue was asked for them."""
        if not self._readiness.is_open:
            # The container became unready while the receive was under way.
            self._prefetched.start_release(leases, asked_at, "not_ready")
            return
        if self._own_end is not None:
            leases = self._release_surplus(leases, asked_at, self._own_end.allowed)
        need_slot = []
        for lease in leases:
            if self._handler.needs_slot(lease.message):
                need_slot.append(lease)
            else:
                self._start(lease, asked_at, None)
        while need_slot and not self._prefetched and self._has_room():
            self._start(need_slot.pop(0), asked_at, self._slots.acquire())
        if not need_slot:
            return
        if self._slots.are_stuck():
            # All slots are in use for unusually long, so no slot is expected soon. Another sidecar may have a free one.
            self._prefetched.start_release(need_slot, asked_at, "waited")
        else:
            self._prefetched.add(need_slot, asked_at)

    def _release_surplus(self, leases: Sequence[Lease], asked_at: float, allowed: float) -> Sequence[Lease]:
        """Begin to release what may not be begun; return the others. A receive that was overdue can bring too much."""
        keep = max(0, min(len(leases), int(min(allowed, 1e9)) - len(self._prefetched)))
        if keep < len(leases):
            self._prefetched.start_release(leases[keep:], asked_at, "max_messages")
        return leases[:keep]

    def release_slot(self, slot: Slot | None, result: SlotResult) -> None:
        """Free the slot of an attempt, if it has one, and start a prefetched message in it."""
        if slot is not None and slot.release(result):
            self._on_capacity_freed()

    def stop_starting(self) -> None:
        """Start no more prefetched messages."""
        self._is_stopped = True

    def _on_capacity_freed(self) -> None:
        while self._prefetched and self._has_room() and self._may_start():
            message = self._prefetched.take()
            if message is None:
                break
            self._start(message.lease, message.asked_at, self._slots.acquire())
        self._changed.set()

    def _has_room(self) -> bool:
        return self._slots.free > 0 and self.free_capacity() > 0

    def _may_start(self) -> bool:
        return self._readiness.is_open and not self._drain.requested and not self._is_stopped

    def _start(self, lease: Lease, asked_at: float, slot: Slot | None) -> None:
        message = lease.message
        if self._own_end is not None:
            self._own_end.begin()
        queued_s = clock.wall() - message.sent_at if message.sent_at else None
        self._observer(Received(message_id=message.id, receive_count=message.receive_count, queued_s=queued_s))
        task = self._loop.create_task(self._run(lease, message, asked_at, slot), name="message")
        self._tasks.add(task)
        self._using_capacity += 1
        task.add_done_callback(self._ended)

    async def wait(self) -> None:
        """Return when no attempt is under way."""
        while self._tasks:
            await asyncio.wait(set(self._tasks))

    async def cancel(self, until: float) -> None:
        """Cancel all attempts, and release the messages whose settlement was not attempted.

        A release waits for the clean-up of its work for `CLEAN_UP_TIMEOUT_S` only: aborting an upload can take seconds,
        and the process may be killed before. Returns at the loop time `until` at latest; releases that are under way
        then go on.
        """
        for task in self._tasks:
            task.cancel()
        if not self._tasks:
            return
        await asyncio.wait(set(self._tasks), timeout=CLEAN_UP_TIMEOUT_S)
        releasing = [
            asyncio.create_task(self._release_unsettled(held), name="release")
            for held in self._unreported
            if held.settlement is None and not held.was_settlement_attempted
        ]
        if left := {*self._tasks, *releasing}:
            await asyncio.wait(left, timeout=max(0.0, until - self._loop.time()))
        for held in [held for held in self._unreported if held.settlement is not None]:
            # The clean-up of its work still goes on, and the process may end before it. So the end is reported now.
            self._report(held)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            _log.error("a message's task ended with an unexpected error", exc_info=error)

    async def _run(self, lease: Lease, message: Message, asked_at: float, slot: Slot | None) -> None:
        outcome: Outcome | None = None
        uses_capacity = True
        held = self._renewer.hold(lease, asked_at)
        self._unreported[held] = self._loop.time()
        try:
            try:
                async with held:
                    try:
                        held.check()
                        outcome = await self._handle(message, _Fence(self, held, slot))
                    finally:
                        self.release_slot(slot, _slot_result(outcome))
                    if _frees_capacity(message, outcome):
                        uses_capacity = False
                        self._outcome_stored()
                    await self._settler.settle(held, outcome)
            finally:
                self._settled(is_using_capacity=uses_capacity)
            if isinstance(outcome, Done) and outcome.after_ack is not None:
                await outcome.after_ack()
        except LeaseLostError as error:
            if held.settlement is None:
                held.set_settlement("lease_lost", str(error))
        except SourceGoneError as error:
            held.set_settlement("error", str(error))
        except asyncio.CancelledError:
            if held.settlement is None:
                await self._release_unsettled(held)
            raise
        finally:
            self._report(held)

    async def _handle(self, message: Message, fence: _Fence) -> Outcome:
        try:
            return await self._handler.handle(message, fence)
        except (LeaseLostError, SourceGoneError):
            raise
        except Exception as error:  # noqa: BLE001 - a bug costs this message one attempt, not the process
            # `BugBoundary` has caught the bugs of its handler. This one is around it, or in what ends such a message.
            _log.exception("a bug: the message is released")
            return Retry(after_s=backoff_s(message.receive_count), reason=f"a bug: {type(error).__name__}")

    def _outcome_stored(self) -> None:
        """Free the capacity of a message whose outcome is stored, before it is acknowledged."""
        self._using_capacity -= 1
        self._acknowledging += 1
        if self._acknowledging <= MAX_UNCOUNTED_SETTLING:
            self._on_capacity_freed()

    def _settled(self, *, is_using_capacity: bool) -> None:
        """Free the capacity of a message that is settled."""
        if is_using_capacity:
            self._using_capacity -= 1
        else:
            self._acknowledging -= 1
            if self._acknowledging < MAX_UNCOUNTED_SETTLING:
                # Its capacity was freed when its outcome was stored.
                return
        self._on_capacity_freed()

    async def _release_unsettled(self, held: HeldLease) -> None:
        if held.is_over():
            # Another sidecar may have the message by now, so nothing is sent for it.
            held.set_settlement("lease_lost", held.lost_reason or NOT_RENEWED)
            return
        if held.was_settlement_attempted:
            # The queue may still carry out a deletion. A release before it would let another sidecar do the work again.
            held.set_settlement("error", "the queue did not respond to the settlement")
            return
        held.set_settlement("released", "the worker ended before the work did")
        try:
            await held.stop_renewing()
        except LeaseLostError as error:
            held.set_settlement("lease_lost", str(error))
        else:
            # From now on the fence stops the writes of work that is still being cleaned up.
            held.lost_reason = "released"
            await self._settler.release_now([held.lease])

    def _report(self, held: HeldLease) -> None:
        """Report the end of an attempt, once."""
        began_at = self._unreported.pop(held, None)
        if began_at is None:
            return
        if self._own_end is not None:
            self._own_end.end(held.settlement or "error")
            self._changed.set()
        message = held.lease.message
        self._observer(
            Settled(
                message_id=message.id,
                ref=self._handler.ref(message),
                settlement=held.settlement or "error",
                reason=held.settlement_reason,
                held_s=self._loop.time() - began_at,
                receive_count=message.receive_count,
            )
        )


def _frees_capacity(message: Message, outcome: Outcome) -> bool:
    """Tell whether the message uses no capacity from now on: its outcome is stored, and it is short."""
    is_stored = isinstance(outcome, Done) and outcome.state in _STORED_STATES
    return is_stored and len(message.body) + message.attributes_chars <= MAX_UNCOUNTED_CHARS


def _slot_result(outcome: Outcome | None) -> SlotResult:
    match outcome:
        case Done(state="completed" | "succeeded"):
            return "succeeded"
        case Done(state="failed") | Reject(poison=False):
            return "failed"
        case Retry(container_unavailable=True):
            return "refused"
        case _:
            return "unknown"
