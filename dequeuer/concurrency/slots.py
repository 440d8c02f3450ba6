"""The places in the container: how many there are, which are taken, and how soon one is free."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Literal, Protocol

from dequeuer.concurrency.pace import Pace
from dequeuer.core.events import Observer, SlotsChanged

Verdict = Literal["good", "bad", "refused", "void"]
"""What a message's time in a slot says: the container did the work; it failed it; it did not take it (busy, or not
reachable); nothing, as something else got in the way."""


class Limit(Protocol):
    """How many slots there may be."""

    @property
    def value(self) -> int:
        """The number at the moment; at least 1."""

    def began(self, now: float, busy: int) -> None:
        """A slot is taken; `busy` are now."""

    def ended(self, now: float, busy: int, took_s: float, verdict: Verdict) -> None:
        """A slot is free again after `took_s`; `busy` are still taken. `value` may change with it."""


class FixedLimit:
    """A number that somebody has chosen."""

    def __init__(self, value: int) -> None:
        self.value = value

    def began(self, now: float, busy: int) -> None:
        """Learn nothing."""

    def ended(self, now: float, busy: int, took_s: float, verdict: Verdict) -> None:
        """Learn nothing."""


class Slot:
    """One place, taken until it is left."""

    __slots__ = ("_leave",)

    def __init__(self, leave: Callable[[Slot, Verdict], None]) -> None:
        self._leave: Callable[[Slot, Verdict], None] | None = leave

    def leave(self, verdict: Verdict) -> None:
        """Free the place; a second time nothing happens."""
        leave, self._leave = self._leave, None
        if leave is not None:
            leave(self, verdict)


class Slots:
    """All places.

    Args:
        limit: how many there are.
        observer: is told of each change.
    """

    def __init__(self, limit: Limit, observer: Observer) -> None:
        self._limit = limit
        self._observer = observer
        self._pace = Pace()
        self._time: Callable[[], float] | None = None
        self._busy = 0
        self.when_left: Callable[[], None] = lambda: None
        """Called when a place is free again, or there are more of them."""

    @property
    def total(self) -> int:
        """How many there are."""
        return self._limit.value

    def _now(self) -> float:
        if self._time is None:
            # Asked for once: in Python 3.11 each look for the running loop is a system call.
            self._time = asyncio.get_running_loop().time
        return self._time()

    @property
    def free(self) -> int:
        """How many can be taken; below zero while there are more taken than there should be."""
        return self._limit.value - self._busy

    def tell(self) -> None:
        """Tell the observer how things stand."""
        self._observer(SlotsChanged(busy=self._busy, total=self._limit.value))

    def take(self) -> Slot:
        """Occupy one; callers look at `free` first."""
        now = self._now()
        slot = Slot(self._left)
        self._busy += 1
        self._pace.began(slot, now)
        self._limit.began(now, self._busy)
        self.tell()
        return slot

    def _left(self, slot: Slot, verdict: Verdict) -> None:
        now = self._now()
        self._busy -= 1
        took_s = self._pace.ended(slot, now, is_typical=verdict in {"good", "bad"})
        self._limit.ended(now, self._busy, took_s, verdict)
        self.tell()
        self.when_left()

    def expected(self, within_s: float) -> int:
        """Return how many messages are expected to find a place `within_s`, beside those that are free now."""
        return self._pace.expected(self._now(), self._limit.value, within_s)

    def are_stuck(self) -> bool:
        """Tell whether no place is likely to be free soon."""
        return self.free <= 0 and self._pace.moving(self._now()) == 0
