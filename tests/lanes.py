"""A container that serves a fixed number of requests at a time, under full load, in virtual time."""

from __future__ import annotations

import heapq
import random
from collections import deque
from collections.abc import Callable
from itertools import count

from dequeuer.concurrency.slots import ConcurrencyLimit, SlotResult


class Lanes:
    """Serves `lanes` requests at a time, in the order of arrival. Further requests wait, or are refused.

    Attributes:
        lanes: how many requests are served at a time.
        refuses_above: when so many are there, others are refused at once; None: all others wait.
        supply: messages that are still in the queue.
    """

    def __init__(
        self,
        limit: ConcurrencyLimit,
        lanes: int,
        takes_s: Callable[[], float],
        *,
        refuses_above: int | None = None,
        slows_down: Callable[[int], float] = lambda _inside: 1.0,
        before_s: float = 0.0,
    ) -> None:
        """`slows_down`: factor on the time, by the number of requests that are served; `before_s`: time of a slot before the
        request reaches the container.
        """
        self.lanes = lanes
        self.takes_s = takes_s
        self.refuses_above = refuses_above
        self.supply = 10**9
        self.now = 0.0
        self.most_busy = 0
        self.refused = 0
        self.limits: list[int] = []
        self._limit = limit
        self._slows_down = slows_down
        self._before_s = before_s
        self._busy = 0
        self._inside = 0
        self._line: deque[float] = deque()
        self._numbers = count()
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._done: list[float] = []

    def run(self, seconds: float) -> float:
        """Let time pass; return the messages per second of its second half."""
        ends = self.now + seconds
        self._fill()
        while self._events and self._events[0][0] <= ends:
            self.now, _, happen = heapq.heappop(self._events)
            happen()
            self._fill()
        self.now = ends
        return sum(at > ends - seconds / 2 for at in self._done) / (seconds / 2)

    def _after(self, seconds: float, happen: Callable[[], None]) -> None:
        heapq.heappush(self._events, (self.now + seconds, next(self._numbers), happen))

    def _fill(self) -> None:
        while self._busy < self._limit.value and self.supply > 0:
            self.supply -= 1
            self._busy += 1
            self.most_busy = max(self.most_busy, self._busy)
            self._limit.slot_acquired(self.now, self._busy)
            began = self.now
            self._after(self._before_s, lambda began=began: self._arrive(began))  # type: ignore[misc]  # a closure

    def _arrive(self, began: float) -> None:
        if self.refuses_above is not None and self._inside + len(self._line) >= self.refuses_above:
            self._after(0.001, lambda: self._end(began, "refused"))
            return
        self._line.append(began)
        self._serve()

    def _serve(self) -> None:
        while self._line and self._inside < self.lanes:
            self._inside += 1
            began = self._line.popleft()
            takes_s = self.takes_s() * self._slows_down(self._inside)
            self._after(takes_s, lambda began=began: self._leave(began))  # type: ignore[misc]  # a closure

    def _leave(self, began: float) -> None:
        self._inside -= 1
        self._done.append(self.now)
        self._end(began, "succeeded")
        self._serve()

    def _end(self, began: float, result: SlotResult) -> None:
        self._busy -= 1
        self.refused += result == "refused"
        self._limit.slot_released(self.now, self._busy, self.now - began, result)
        self.limits.append(self._limit.value)


def alike(mean_s: float) -> Callable[[], float]:
    """Return times that are all equal."""
    return lambda: mean_s


def noisy(mean_s: float) -> Callable[[], float]:
    """Return times within 30 % of the mean."""
    return lambda: mean_s * random.uniform(0.7, 1.3)


def wild(mean_s: float) -> Callable[[], float]:
    """Return exponential times: a third is longer than the mean, some are five times as long."""
    return lambda: random.expovariate(1 / mean_s)
