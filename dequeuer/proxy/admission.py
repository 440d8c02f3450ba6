"""Which requests the container gets: bounded, first come first served. No task and no timer of its own."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Literal, Protocol

from dequeuer.concurrency.slots import ConcurrencyLimit, SlotResult

RejectionReason = Literal["queue_timeout", "not_ready"]


class QueueFullError(Exception):
    """As many requests are executed and wait as are allowed."""


class Waiter(Protocol):
    """A request that may have to wait."""

    def admitted(self) -> None:
        """Begin. Never called from inside `enter`."""

    def rejected(self, reason: RejectionReason) -> None:
        """Give up: it has waited for too long. It is not waited for any more, and must not `leave`."""


class Admission:
    """Lets a number of requests be executed at a time, and a number of others wait for that.

    Args:
        limit: how many are executed.
        max_queued: how many wait. While the container is not ready all wait, as many as both numbers together.
        queue_timeout_s: how long one waits at most; 0: there is no limit.
        ready_timeout_s: how long one waits for the readiness of the container, at most.
        now: the time, seconds.
    """

    def __init__(
        self,
        *,
        limit: ConcurrencyLimit,
        max_queued: int,
        queue_timeout_s: float,
        ready_timeout_s: float,
        now: Callable[[], float],
    ) -> None:
        self._limit = limit
        self._max_queued = max_queued
        self._queue_timeout_s = queue_timeout_s
        self._ready_timeout_s = ready_timeout_s
        self._now = now
        self._is_ready = False
        self._unready_since = now()
        self._is_granting = False
        # When each began; those that wait in the order in which they came. A plain dict keeps the places of those that
        # were taken from its front: with a long queue, each look for the first one would pass over all of them.
        self._executing: dict[Waiter, float] = {}
        self._waiting: OrderedDict[Waiter, float] = OrderedDict()

    @property
    def executing(self) -> int:
        """How many are executed."""
        return len(self._executing)

    @property
    def queued(self) -> int:
        """How many wait."""
        return len(self._waiting)

    def enter(self, waiter: Waiter) -> bool:
        """Take a request in; return whether it may begin at once. Raises `QueueFullError`."""
        if self._is_ready and not self._waiting and len(self._executing) < self._limit.value:
            self._acquire(waiter)
            return True
        if len(self._executing) + len(self._waiting) >= self._limit.value + self._max_queued:
            raise QueueFullError
        self._waiting[waiter] = self._now()
        return False

    def leave(self, waiter: Waiter, result: SlotResult) -> None:
        """End a request, whether it waits or is executed. `result`: what it shows of the container."""
        began_at = self._executing.pop(waiter, None)
        if began_at is None:
            self._waiting.pop(waiter, None)
            return
        now = self._now()
        self._limit.slot_released(now, len(self._executing), now - began_at, result)
        self._grant()

    def set_ready(self, is_ready: bool) -> None:  # noqa: FBT001 - the state that it is set to
        """Record whether the container is ready. Nothing is admitted while it is not; what is executed goes on."""
        if is_ready and not self._is_ready:
            self._is_ready = True
            self._grant()
        elif not is_ready and self._is_ready:
            self._is_ready = False
            self._unready_since = self._now()

    def expire(self) -> None:
        """Reject the requests that have waited for too long; to be called about twice a second."""
        now = self._now()
        while self._waiting:
            waiter, since = next(iter(self._waiting.items()))
            if not self._is_ready and now - max(since, self._unready_since) >= self._ready_timeout_s:
                reason: RejectionReason = "not_ready"
            elif self._queue_timeout_s and now - since >= self._queue_timeout_s:
                reason = "queue_timeout"
            else:
                return
            del self._waiting[waiter]
            waiter.rejected(reason)

    def _acquire(self, waiter: Waiter) -> None:
        now = self._now()
        self._executing[waiter] = now
        self._limit.slot_acquired(now, len(self._executing))

    def _grant(self) -> None:
        """Admit those that have waited longest."""
        if self._is_granting:
            return  # a request that was admitted has ended at once: the loop below goes on
        self._is_granting = True
        try:
            while self._is_ready and self._waiting and len(self._executing) < self._limit.value:
                waiter = next(iter(self._waiting))
                del self._waiting[waiter]
                self._acquire(waiter)
                waiter.admitted()
        finally:
            self._is_granting = False
