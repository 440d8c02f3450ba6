"""Holding leases: renewed at half their length for as long as the work runs, fenced off when lost."""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Callable
from types import TracebackType
from typing import Self

from dequeuer.core.errors import LeaseLostError, SourceDeniedError, SourceUnavailableError
from dequeuer.core.events import LeaseLost, Observer
from dequeuer.core.queue_limits import MAX_VISIBILITY_TIMEOUT_S
from dequeuer.sources.base import Lease, lease_margin_s

RENEWAL_RETRY_S = 1.0
LAST_RENEWAL_S = 1.0
"""How long a release waits for a renewal under way."""


def poll_wait_s(wanted_s: int, length_s: int) -> int:
    """Return how long a poll may wait: a lease counts from the poll's beginning, and some of it must be left."""
    return max(1, min(wanted_s, length_s * 2 // 3))


class Hold:
    """One lease while it is worked under: an async context manager, and the `Fence` of the work.

    Losing the lease cancels the task that entered; leaving then raises `LeaseLostError`.
    """

    def __init__(self, keeper: LeaseKeeper, lease: Lease, asked_at: float) -> None:
        self.lease = lease
        self.asked_at = asked_at
        self.ends_at = keeper.ends_at(asked_at)
        self._keeper = keeper
        self._loop = keeper.loop
        self._time = self._loop.time
        self._task: asyncio.Task[object] | None = None
        self._cancellations = 0
        self._cancelled = False
        self.lost: str | None = None
        self.renewal: asyncio.Task[None] | None = None
        self.is_paused = False
        self.is_settling = False
        self.when_answered: Callable[[], None] = lambda: None

    def check(self) -> None:
        """Raise `LeaseLostError` once the lease is over, even if no timer had a chance to say so yet."""
        # After a SIGSTOP or a stalled loop the work may run before the timer that would fence it.
        if self.lost is None and self.is_over():
            self._lose("not renewed in time")
        if self.lost is not None:
            raise LeaseLostError(self.lost)

    def release_slot(self) -> None:
        """Pass on that the container has given its whole answer."""
        self.when_answered()

    def is_over(self) -> bool:
        """Tell whether the lease is lost, or its time is over."""
        return self.lost is not None or self._time() >= self.ends_at

    def longest_release_s(self) -> float:
        """Return for how long the queue would hide the message at most: what is left of its 12 hours."""
        left = self.asked_at + MAX_VISIBILITY_TIMEOUT_S - self._time()
        return max(0.0, left - self._keeper.margin_s)

    async def stop_renewing(self) -> None:
        """Begin no further renewal. One under way is waited for, `LAST_RENEWAL_S` at most.

        After a release it would hide the message again. Beside an acknowledgement its refusal would be ambiguous:
        the message is deleted, or the receipt is stale and SQS accepts the deletion without deleting anything.

        Raises:
            LeaseLostError: the renewal was refused, or the process was stopped until the lease was over.
        """
        self._keeper.pause(self)
        if self.renewal is not None and not self.renewal.done():
            await asyncio.wait({self.renewal}, timeout=LAST_RENEWAL_S)
            # A renewal ends with the time of the work at the latest; the margin after that is for the release.
            if self.lost is None and self._time() >= self.ends_at + self._keeper.margin_s:
                raise LeaseLostError("not renewed in time")
        if self.lost is not None:
            raise LeaseLostError(self.lost)
        self.is_settling = True

    def resume_renewing(self) -> None:
        """Renew again: the queue could not be reached, and the message is still held."""
        self.is_settling = False
        self._keeper.resume(self)

    def fence(self, reason: str) -> None:
        """Declare the lease lost and stop the work."""
        self._lose(reason)
        if self._task is not None and not self._cancelled:
            self._cancelled = True
            self._task.cancel()

    def _lose(self, reason: str) -> None:
        if self.lost is None:
            self.lost = reason
            self._keeper.report(self, reason)

    async def __aenter__(self) -> Self:
        task = asyncio.current_task(self._loop)
        if task is None:
            raise RuntimeError("a lease is held by a task")
        self._task, self._cancellations = task, task.cancelling()
        self._keeper.add(self)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _tb: TracebackType | None
    ) -> None:
        self._keeper.remove(self)
        task, self._task = self._task, None
        if self.lost is None or task is None:
            return
        # Swallows our own cancellation only: one from outside must go on.
        from_outside = self._cancelled and task.uncancel() > self._cancellations
        if kind is None or (issubclass(kind, asyncio.CancelledError) and self._cancelled and not from_outside):
            raise LeaseLostError(self.lost) from error


class LeaseKeeper:
    """Renews every held lease when half of it is over. One task serves all.

    Args:
        length_s: visibility time-out that a receive and each renewal give, seconds.
        observer: is told of each lease lost.
    """

    def __init__(self, length_s: float, observer: Observer) -> None:
        self.length_s = length_s
        self.margin_s = lease_margin_s(length_s)
        """Work stops this much before the queue would hand the message to somebody else."""
        self._observer = observer
        # When each is to be renewed, soonest first: all leases have one length, so they come due in
        # the order in which they are put in. What is settled leaves at once, and its body with it.
        self._due: dict[Hold, float] = {}
        self._late: dict[Hold, asyncio.TimerHandle] = {}
        self._held: set[Hold] = set()
        self._renewing: set[asyncio.Task[None]] = set()
        self._news = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The running loop. Looked up once: in Python 3.11 each look is a system call."""
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
        return self._loop

    def __len__(self) -> int:
        return len(self._held)

    def ends_at(self, asked_at: float) -> float:
        """Return when the work on what was asked for then is to stop, unless it is renewed; loop times."""
        return asked_at + self.length_s - self.margin_s

    def hold(self, lease: Lease, asked_at: float) -> Hold:
        """Return the context under which `lease` is worked. `asked_at`: loop time when the queue was asked for it."""
        return Hold(self, lease, asked_at)

    def add(self, hold: Hold) -> None:
        """Begin to renew."""
        self._held.add(hold)
        left_s = hold.ends_at - self.loop.time()
        if left_s < self.length_s * 0.7:
            # It came at the end of a long poll: too late for its place in the order of what is due.
            self._late[hold] = self.loop.call_later(left_s / 2, self._start_late, hold)
        else:
            self._schedule(hold)

    def remove(self, hold: Hold) -> None:
        """Stop renewing."""
        self._held.discard(hold)
        self._cancel_next(hold)

    def pause(self, hold: Hold) -> None:
        """Begin no renewal until `resume`; the lease stays held."""
        hold.is_paused = True
        self._cancel_next(hold)

    def resume(self, hold: Hold) -> None:
        """Renew what was paused: when half of its lease is over, or at once."""
        hold.is_paused = False
        if hold in self._held and (hold.renewal is None or hold.renewal.done()):
            loop = asyncio.get_running_loop()
            due = hold.ends_at - self.length_s / 2
            self._late[hold] = loop.call_later(max(0.0, due - loop.time()), self._start_late, hold)

    def _cancel_next(self, hold: Hold) -> None:
        self._due.pop(hold, None)
        if (timer := self._late.pop(hold, None)) is not None:
            timer.cancel()

    def report(self, hold: Hold, reason: str) -> None:
        """Tell that a lease is lost."""
        self._observer(LeaseLost(message_id=hold.lease.message.id, reason=reason))

    def _schedule(self, hold: Hold) -> None:
        self._due[hold] = self.loop.time() + self.length_s / 2
        self._news.set()

    async def run(self) -> None:
        """Renew until cancelled."""
        loop = asyncio.get_running_loop()
        try:
            while True:
                if not self._due:
                    self._news.clear()
                    await self._news.wait()
                await asyncio.sleep(next(iter(self._due.values())) - loop.time())
                # Those that would come due a little later go along: one request carries ten.
                horizon = loop.time() + self.length_s / 10
                for hold in [hold for hold, due in self._due.items() if due <= horizon]:
                    del self._due[hold]
                    self._start(hold)
        finally:
            for timer in self._late.values():
                timer.cancel()
            for task in self._renewing:
                task.cancel()

    def _start_late(self, hold: Hold) -> None:
        del self._late[hold]
        self._start(hold)

    def _start(self, hold: Hold) -> None:
        task = hold.renewal = asyncio.get_running_loop().create_task(self._renew(hold), name="renew-lease")
        self._renewing.add(task)
        task.add_done_callback(self._renewing.discard)

    async def _renew(self, hold: Hold) -> None:
        try:
            async with asyncio.timeout_at(hold.ends_at) as end:
                await self._extend(hold, end)
        except LeaseLostError as error:
            reason = f"renewal refused: {error}"
        except TimeoutError:
            reason = "not renewed in time"
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            # Nobody asked this task to end: what it waited for was cut off.
            reason = "renewal was cut off"
        except Exception as error:  # noqa: BLE001 - whatever it is, the lease is not held any longer
            reason = f"renewal failed: {type(error).__name__}"
        else:
            return
        # Once the settlement was sent, the queue's answer to that decides.
        if hold in self._held and not hold.is_settling:
            hold.fence(reason)

    async def _extend(self, hold: Hold, end: asyncio.Timeout) -> None:
        """Ask until the queue agrees; `end` is the end of the lease, and moves with it."""
        loop = asyncio.get_running_loop()
        while hold in self._held and not hold.is_paused:
            now = loop.time()
            if hold.is_over():
                # After a stall: the queue may hand the message out any moment, and a renewal would only delay that.
                raise TimeoutError
            length = hold.asked_at + MAX_VISIBILITY_TIMEOUT_S - now - self.margin_s
            # Whole seconds: that is what the queue is asked for.
            length = self.length_s if length >= self.length_s else math.floor(length)
            if length < self.length_s / 2:
                # The last renewal reached to the end of the 12 hours: let the time run out.
                await asyncio.sleep(hold.ends_at - now)
            try:
                await hold.lease.extend(length)
            except (SourceUnavailableError, SourceDeniedError):
                longest_s = min(RENEWAL_RETRY_S, self.length_s / 10)
                await asyncio.sleep(random.uniform(0.1, longest_s))  # noqa: S311 - jitter
                continue
            hold.ends_at = now + length - self.margin_s
            end.reschedule(hold.ends_at)
            if loop.time() - now < self.length_s / 4:
                if hold in self._held and not hold.is_paused:
                    self._schedule(hold)
                return
            # So slow an answer has used up the time until the next renewal: ask again at once.
