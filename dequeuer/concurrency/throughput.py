"""How much work gets done under one limit, and how sure that is."""

from __future__ import annotations

import math

FEWEST = 4
"""Messages that a measurement is made of, at least; also as many as there are slots."""
MOST = 30
FEW_SLOTS = 10
"""After so many messages a slot, or for so many slots if there are fewer, it is as sure as it will be."""
SHORTEST_S = 0.5
"""What is quicker is measured for so long: a pause of some other process must not look like the container's."""
USED = 0.8
"""The share of the slots that must have been busy: otherwise the queue was measured, not the container."""
LEAST_NOISE = 0.1
"""Times that are alike by chance are not taken as free of noise."""


class Throughput:
    """Measures from the moment when the slots have been filled anew. Times are seconds of any one clock.

    By Little's law, work done is busy slots by the time that a message takes one; that is far less noisy than
    counting messages between two moments. What failed has taken its time, but is not work done.

    Args:
        limit: slots.
        skip: endings that are not counted, as their work began under another limit.
    """

    def __init__(self, limit: int, skip: int) -> None:
        self.limit = limit
        self._skip = skip
        self._began: float | None = None
        self.last = 0.0
        """When something happened last."""
        self._busy_s = 0.0
        self._count = 0
        self._good = 0
        self._sum_s = 0.0
        self._squares = 0.0
        self._good_s = 0.0

    def pass_time(self, now: float, busy: int) -> None:
        """So many slots were busy until now."""
        if self._began is not None:
            self._busy_s += busy * (now - self.last)
        self.last = now

    def add(self, took_s: float, *, good: bool) -> None:
        """Take note of one ending, just now."""
        if self._skip > 0:
            self._skip -= 1
            if self._skip == 0:
                self._began = self.last
            return
        self._count += 1
        self._sum_s += took_s
        self._squares += took_s * took_s
        if good:
            self._good += 1
            self._good_s += took_s

    @property
    def is_ripe(self) -> bool:
        """Whether it says anything yet."""
        return self._count >= max(FEWEST, self.limit) and self._lasted_s() >= SHORTEST_S

    def is_complete(self, error: float) -> bool:
        """Tell whether waiting for longer is not worth it; `error`: a relative one that is small enough."""
        return self.is_ripe and (self.error <= error or self._count >= MOST * max(FEW_SLOTS, self.limit))

    @property
    def was_used(self) -> bool:
        """Whether there was enough work, and some of it went well."""
        return self._good > 0 and self._busy_s >= USED * self.limit * self._lasted_s()

    @property
    def rate(self) -> float:
        """Messages done a second; only when it `was_used`."""
        return self._good / self._sum_s * self._busy_s / self._lasted_s()

    @property
    def error(self) -> float:
        """The standard error of `rate`, relative to it; 1 when nothing is known."""
        if not self._good or not self._sum_s:
            return 1.0
        rate = self._good / self._sum_s
        spread = (self._good - 2 * rate * self._good_s + rate * rate * self._squares) / self._count
        noise = max(LEAST_NOISE, math.sqrt(max(0.0, spread)) * self._count / self._good)
        # Few messages also know little of their own spread.
        return min(1.0, noise / math.sqrt(self._count) * (1 + 2 / self._count))

    def _lasted_s(self) -> float:
        return self.last - self._began if self._began is not None else 0.0
