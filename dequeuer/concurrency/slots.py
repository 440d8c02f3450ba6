"""Worker slots: how many there are, how many are in use, and how soon one becomes free."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Literal, Protocol

from dequeuer.concurrency.slot_times import SlotTimes
from dequeuer.core.events import Observer, SlotsChanged

SlotResult = Literal["succeeded", "failed", "refused", "unknown"]
"""What one use of a slot shows about the container.

succeeded: it did the work. failed: the message failed for good, or an attempt at a batch failed: usually because the
work failed, but also when its input is missing, or when its last attempt did not reach the container. refused: it was
busy, could not be reached, or broke the connection. unknown: the attempt ended for another reason, for example a lost
lease.
"""


class ConcurrencyLimit(Protocol):
    """The number of slots."""

    @property
    def value(self) -> int:
        """The present number; at least 1."""

    def slot_acquired(self, now: float, busy: int) -> None:
        """Record that a slot was acquired; `busy` slots are in use now, this one included."""

    def slot_released(self, now: float, busy: int, took_s: float, result: SlotResult) -> None:
        """Record that a slot was released after `took_s`; `busy` slots are still in use. May change `value`."""


class FixedLimit:
    """`ConcurrencyLimit` that never changes."""

    def __init__(self, value: int) -> None:
        self.value = value

    def slot_acquired(self, now: float, busy: int) -> None:
        """Do nothing."""

    def slot_released(self, now: float, busy: int, took_s: float, result: SlotResult) -> None:
        """Do nothing."""


class Slot:
    """One slot, in use until it is released."""

    __slots__ = ("_release",)

    def __init__(self, release: Callable[[Slot, SlotResult], None]) -> None:
        self._release: Callable[[Slot, SlotResult], None] | None = release

    def release(self, result: SlotResult) -> bool:
        """Free the slot. Only the first call has an effect; it returns True."""
        release, self._release = self._release, None
        if release is None:
            return False
        release(self, result)
        return True


class Slots:
    """All slots of one worker. Create it while the event loop runs.

    Args:
        limit: how many there are.
        observer: receives each change.
    """

    def __init__(self, limit: ConcurrencyLimit, observer: Observer) -> None:
        self._limit = limit
        self._observer = observer
        self._times = SlotTimes()
        # Looked up once: in Python 3.11 each look for the running loop is a system call.
        self._now = asyncio.get_running_loop().time
        self._busy = 0

    @property
    def total(self) -> int:
        """How many slots there are."""
        return self._limit.value

    @property
    def free(self) -> int:
        """How many can be acquired. Below zero after the limit was lowered, until enough slots are released."""
        return self._limit.value - self._busy

    def report(self) -> None:
        """Emit the present numbers."""
        self._observer(SlotsChanged(busy=self._busy, total=self._limit.value))

    def acquire(self) -> Slot:
        """Acquire a slot. The caller checks `free` before."""
        now = self._now()
        slot = Slot(self._released)
        self._busy += 1
        self._times.acquired(slot, now)
        self._limit.slot_acquired(now, self._busy)
        self.report()
        return slot

    def _released(self, slot: Slot, result: SlotResult) -> None:
        now = self._now()
        self._busy -= 1
        took_s = self._times.released(slot, now, is_typical=result in {"succeeded", "failed"})
        self._limit.slot_released(now, self._busy, took_s, result)
        self.report()

    def expected_messages(self, within_s: float) -> int:
        """Return how many messages all slots together are expected to take within `within_s`; see `SlotTimes`."""
        return self._times.expected_messages(self._now(), self._limit.value, within_s)

    def are_stuck(self) -> bool:
        """Tell whether no slot is free, and none is likely to become free soon."""
        return self.free <= 0 and self._times.count_active(self._now()) == 0
