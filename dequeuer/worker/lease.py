"""Held leases: each is renewed while the work runs, about every half of its length, and fenced when it is lost."""

from __future__ import annotations

import asyncio
import math
import random
from types import TracebackType
from typing import Self

from dequeuer.core.errors import LeaseLostError, SourceDeniedError, SourceUnavailableError
from dequeuer.core.events import LeaseLost, Observer, Settlement
from dequeuer.core.queue_limits import MAX_VISIBILITY_TIMEOUT_S
from dequeuer.sources.base import Lease, lease_margin_s

MAX_RENEWAL_PAUSE_S = 1.0
"""The longest pause before a renewal is sent again while the queue is unavailable."""
LAST_RENEWAL_TIMEOUT_S = 1.0
"""How long a settlement waits for a renewal that is under way."""
NOT_RENEWED = "not renewed in time"


def poll_wait_s(wanted_s: int, length_s: int) -> int:
    """Return how long a long poll may wait: a lease begins with the poll, and a third of it must be left afterwards."""
    return max(1, min(wanted_s, length_s * 2 // 3))


class HeldLease:
    """The lease of one message while it is worked on, and how the message was settled.

    Used as an async context manager. When the lease is lost, the task that entered is cancelled, and leaving raises
    `LeaseLostError`.
    """

    def __init__(self, renewer: LeaseRenewer, lease: Lease, asked_at: float) -> None:
        self.lease = lease
        self.asked_at = asked_at
        self.stop_at = renewer.stop_at(asked_at)
        """Loop time at which the work must stop unless the lease is renewed: `lease_margin_s` before the lease ends."""
        self.lost_reason: str | None = None
        """Why the lease is lost; None while it is held."""
        self.renewal: asyncio.Task[None] | None = None
        """The last renewal."""
        self.is_renewal_paused = False
        self.is_settling = False
        """Whether a settlement may have been sent. Then a refused renewal does not mean that the lease is lost."""
        self.was_settlement_attempted = False
        """Whether a settlement that the queue may have was attempted. It stays True when the attempt fails. Then no
        release follows at the end of the process."""
        self.settlement: Settlement | None = None
        """How the message was settled; None: not yet, or it is not known."""
        self.settlement_reason = ""
        self._renewer = renewer
        self._loop = renewer.loop
        self._time = self._loop.time
        self._task: asyncio.Task[object] | None = None
        self._cancellations_at_entry = 0
        self._is_cancelled_by_fence = False

    def check(self) -> None:
        """Raise `LeaseLostError` when the lease is over, even before a timer has fenced it."""
        # After a SIGSTOP or a stall of the event loop the work may run before the timer.
        if self.lost_reason is None and self.is_over():
            self._mark_lost(NOT_RENEWED)
        if self.lost_reason is not None:
            raise LeaseLostError(self.lost_reason)

    def set_settlement(self, settlement: Settlement, reason: str) -> None:
        """Record how the message was settled."""
        self.settlement = settlement
        self.settlement_reason = reason

    def is_over(self) -> bool:
        """Tell whether the lease is lost, or was not renewed in time."""
        return self.lost_reason is not None or self._time() >= self.stop_at

    def max_release_s(self) -> float:
        """Return for how long a release can hide the message at most: what is left of the 12 hours of SQS."""
        left_s = self.asked_at + MAX_VISIBILITY_TIMEOUT_S - self._time()
        return max(0.0, left_s - self._renewer.margin_s)

    async def stop_renewing(self) -> None:
        """Start no further renewal; wait for one that is under way, `LAST_RENEWAL_TIMEOUT_S` at most.

        A renewal after a release would hide the message again. When a renewal and an acknowledgement run at the same
        time and the renewal is refused, there are two possible reasons: the message is deleted, or the receipt is
        stale. SQS accepts a deletion with a stale receipt, but deletes nothing. So a settlement waits for the renewal.
        A renewal that takes longer than `LAST_RENEWAL_TIMEOUT_S` may still run beside the settlement; when it is
        refused, the refusal is ignored (`is_settling`).

        Raises:
            LeaseLostError: the lease is over, the renewal was refused, or the process was paused (SIGSTOP) until the
                lease was over.
        """
        self.check()
        self._renewer.pause(self)
        if self.renewal is not None and not self.renewal.done():
            await asyncio.wait({self.renewal}, timeout=LAST_RENEWAL_TIMEOUT_S)
            # The wait may have lasted past `stop_at`. While the work runs, the renewal has fenced the lease then. At
            # the end of the process nothing fences it: a release may still be sent until the lease ends, one margin
            # later. A deletion may not: `Settler` checks the lease again.
            if self.lost_reason is None and self._time() >= self.stop_at + self._renewer.margin_s:
                raise LeaseLostError(NOT_RENEWED)
        if self.lost_reason is not None:
            raise LeaseLostError(self.lost_reason)
        self.is_settling = True

    def resume_renewing(self) -> None:
        """Renew again: the queue was unavailable, and the message is still held."""
        self.is_settling = False
        self._renewer.resume(self)

    def fence(self, reason: str) -> None:
        """Mark the lease as lost, and cancel the work."""
        self._mark_lost(reason)
        if self._task is not None and not self._is_cancelled_by_fence:
            self._is_cancelled_by_fence = True
            self._task.cancel()

    def _mark_lost(self, reason: str) -> None:
        if self.lost_reason is None:
            self.lost_reason = reason
            self._renewer.report_lost(self, reason)

    async def __aenter__(self) -> Self:
        task = asyncio.current_task(self._loop)
        if task is None:
            raise RuntimeError("a lease can be held only by a task")
        self._task, self._cancellations_at_entry = task, task.cancelling()
        self._renewer.add(self)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _tb: TracebackType | None
    ) -> None:
        self._renewer.remove(self)
        task, self._task = self._task, None
        if self.lost_reason is None or task is None:
            return
        # Only the cancellation by `fence` is swallowed. A cancellation from outside goes on.
        is_from_outside = self._is_cancelled_by_fence and task.uncancel() > self._cancellations_at_entry
        is_by_fence = self._is_cancelled_by_fence and not is_from_outside
        if kind is None or (issubclass(kind, asyncio.CancelledError) and is_by_fence):
            raise LeaseLostError(self.lost_reason) from error


class LeaseRenewer:
    """Renews held leases. Create it while the event loop runs.

    A renewal is due half a length after the work began or the renewal before ended. The first one is earlier when less
    than 70 % of a length was left before `stop_at`; and after a renewal that took a quarter of the length or more the
    next one follows at once. One task schedules all of them; each renewal is a task of its own.

    Args:
        length_s: length of a lease: the visibility timeout that a receive and each renewal set, seconds.
        observer: receives each loss of a lease.
    """

    def __init__(self, length_s: float, observer: Observer) -> None:
        self.length_s = length_s
        self.margin_s = lease_margin_s(length_s)
        """Work stops this long before the queue can deliver the message to another sidecar, seconds."""
        self._observer = observer
        self._due_at: dict[HeldLease, float] = {}
        """When each lease is due, the soonest first: all leases have one length, so they become due in the order in
        which they are added. A dict, not a heap: a settled message is removed at once, and its body is freed."""
        self._timers: dict[HeldLease, asyncio.TimerHandle] = {}
        """Leases that do not fit into the order of `_due_at`: after a long poll, after `resume`, and at the end of the
        12 hours. Each has a timer."""
        self._held: set[HeldLease] = set()
        self._renewals: set[asyncio.Task[None]] = set()
        self._has_due = asyncio.Event()
        self.loop = asyncio.get_running_loop()
        """Looked up once: in Python 3.11 each look is a system call."""

    def __len__(self) -> int:
        return len(self._held)

    def stop_at(self, asked_at: float) -> float:
        """Return when the work on a message must stop. `asked_at`: when the queue was asked for it. Loop times."""
        return asked_at + self.length_s - self.margin_s

    def hold(self, lease: Lease, asked_at: float) -> HeldLease:
        """Return the context for the work on a message.

        Args:
            lease: the claim on it.
            asked_at: loop time when the queue was asked for it. The lease is counted from this time, because it is not
                known when the queue delivered the message: its response may have been under way, or unread, for long.
        """
        return HeldLease(self, lease, asked_at)

    def add(self, held: HeldLease) -> None:
        """Begin to renew a lease."""
        self._held.add(held)
        left_s = held.stop_at - self.loop.time()
        if left_s < self.length_s * 0.7:
            # It came at the end of a long poll, so it is due before others that were added earlier.
            self._timers[held] = self.loop.call_later(left_s / 2, self._start_by_timer, held)
        else:
            self._schedule(held)

    def remove(self, held: HeldLease) -> None:
        """Stop renewing a lease."""
        self._held.discard(held)
        self._unschedule(held)

    def pause(self, held: HeldLease) -> None:
        """Start no renewal until `resume`; the lease stays held."""
        held.is_renewal_paused = True
        self._unschedule(held)

    def resume(self, held: HeldLease) -> None:
        """Renew a paused lease when half of it is over, or at once."""
        held.is_renewal_paused = False
        if held in self._held and (held.renewal is None or held.renewal.done()):
            due_in_s = held.stop_at - self.length_s / 2 - self.loop.time()
            self._timers[held] = self.loop.call_later(max(0.0, due_in_s), self._start_by_timer, held)

    def report_lost(self, held: HeldLease, reason: str) -> None:
        """Emit that a lease is lost."""
        self._observer(LeaseLost(message_id=held.lease.message.id, reason=reason))

    def _schedule(self, held: HeldLease) -> None:
        due_at = self.loop.time() + self.length_s / 2
        if due_at > held.stop_at:
            # The last renewal before the 12 hours are used up was for less than a whole length: half a length later it
            # may be over. While no renewal runs, nothing else fences the lease.
            self._timers[held] = self.loop.call_at(held.stop_at, self._start_by_timer, held)
            return
        self._due_at[held] = due_at
        self._has_due.set()

    def _unschedule(self, held: HeldLease) -> None:
        self._due_at.pop(held, None)
        if (timer := self._timers.pop(held, None)) is not None:
            timer.cancel()

    async def run(self) -> None:
        """Renew until cancelled."""
        try:
            while True:
                if not self._due_at:
                    self._has_due.clear()
                    await self._has_due.wait()
                await asyncio.sleep(next(iter(self._due_at.values())) - self.loop.time())
                # Leases that would be due a little later are renewed now: one request carries ten.
                renew_until = self.loop.time() + self.length_s / 10
                for held in [held for held, due_at in self._due_at.items() if due_at <= renew_until]:
                    del self._due_at[held]
                    self._start(held)
        finally:
            for timer in self._timers.values():
                timer.cancel()
            for task in self._renewals:
                task.cancel()

    def _start_by_timer(self, held: HeldLease) -> None:
        del self._timers[held]
        self._start(held)

    def _start(self, held: HeldLease) -> None:
        task = held.renewal = self.loop.create_task(self._renew(held), name="renew-lease")
        self._renewals.add(task)
        task.add_done_callback(self._renewals.discard)

    async def _renew(self, held: HeldLease) -> None:
        try:
            async with asyncio.timeout_at(held.stop_at) as end:
                await self._extend(held, end)
        except LeaseLostError as error:
            reason = f"renewal refused: {error}"
        except TimeoutError:
            reason = NOT_RENEWED
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            # This task was not cancelled: the request that it waits for was.
            reason = "the renewal request was cancelled"
        except Exception as error:  # noqa: BLE001 - after any error the lease is not renewed any more
            reason = f"renewal failed: {type(error).__name__}"
        else:
            return
        # Once a settlement may have been sent, only the response to it shows whether the lease was lost.
        if held in self._held and not held.is_settling:
            held.fence(reason)

    async def _extend(self, held: HeldLease, end: asyncio.Timeout) -> None:
        """Send a renewal until the queue accepts it. `end` is the timeout of this task: it moves with the lease."""
        loop = self.loop
        while held in self._held and not held.is_renewal_paused:
            now = loop.time()
            if held.is_over():
                # After a stall. The queue may deliver the message at any time; a renewal would only delay that.
                raise TimeoutError
            left_s = held.asked_at + MAX_VISIBILITY_TIMEOUT_S - now - self.margin_s
            # The queue accepts whole seconds only.
            granted_s = self.length_s if left_s >= self.length_s else math.floor(left_s)
            if granted_s < self.length_s / 2:
                # The 12 hours are used up. Wait until the work must stop: then the timeout `end` of this task raises
                # `TimeoutError`.
                await asyncio.sleep(held.stop_at - now)
            try:
                await held.lease.extend(granted_s)
            except (SourceUnavailableError, SourceDeniedError):
                max_pause_s = min(MAX_RENEWAL_PAUSE_S, self.length_s / 10)
                await asyncio.sleep(random.uniform(0.1, max_pause_s))  # noqa: S311 - jitter
                continue
            held.stop_at = now + granted_s - self.margin_s
            end.reschedule(held.stop_at)
            if loop.time() - now < self.length_s / 4:
                if held in self._held and not held.is_renewal_paused:
                    self._schedule(held)
                return
            # After so slow a response, another half of the length would leave too little: renew again at once.
