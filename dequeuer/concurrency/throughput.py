"""The throughput with one number of slots, and how precisely it is known."""

from __future__ import annotations

import math

MIN_SAMPLES = 4
"""Messages that a measurement needs; it also needs as many as there are slots."""
MAX_SAMPLES_PER_SLOT = 30
"""More messages than these for each slot add no precision."""
MIN_SLOTS_COUNTED = 10
"""With fewer slots than these, `MAX_SAMPLES_PER_SLOT` is applied as if there were this many."""
MIN_DURATION_S = 0.5
"""The shortest measurement: a short delay caused by other processes on the node must not look like a slow container."""
MIN_UTILIZATION = 0.8
"""The share of the slots that must be in use. With less the queue is measured, not the container."""
MIN_NOISE = 0.1
"""Relative standard deviation of the times, at least: a few times that are equal by chance do not prove that noise is
absent."""


class Throughput:
    """Measures from the moment when all slots have new messages. Times are seconds of any one clock.

    By Little's law the throughput is the number of busy slots divided by the time that a message takes. That is far
    less noisy than counting messages between two moments. The time of failed messages counts, but they do not count as
    work.

    Args:
        limit: slots.
        skip: messages that are not counted because they began with another number of slots.
    """

    def __init__(self, limit: int, skip: int) -> None:
        self.limit = limit
        self._skip = skip
        self._began_at: float | None = None
        self.last_at = 0.0
        """Time of the last change."""
        self._busy_slot_s = 0.0
        self._count = 0
        self._succeeded = 0
        self._sum_s = 0.0
        self._sum_squares = 0.0
        self._succeeded_s = 0.0

    def record_busy(self, now: float, busy: int) -> None:
        """Record that `busy` slots were in use until now."""
        if self._began_at is not None:
            self._busy_slot_s += busy * (now - self.last_at)
        self.last_at = now

    def add(self, took_s: float, *, succeeded: bool) -> None:
        """Record a message that ended at the time of the last `record_busy`."""
        if self._skip > 0:
            self._skip -= 1
            if self._skip == 0:
                self._began_at = self.last_at
            return
        self._count += 1
        self._sum_s += took_s
        self._sum_squares += took_s * took_s
        if succeeded:
            self._succeeded += 1
            self._succeeded_s += took_s

    @property
    def has_enough_samples(self) -> bool:
        """Whether the measurement can be used at all."""
        return self._count >= max(MIN_SAMPLES, self.limit) and self._duration_s() >= MIN_DURATION_S

    def is_precise_enough(self, max_error: float) -> bool:
        """Tell whether `error` is at most `max_error`, or more messages would not make it smaller."""
        return self.has_enough_samples and (
            self.error <= max_error or self._count >= MAX_SAMPLES_PER_SLOT * max(MIN_SLOTS_COUNTED, self.limit)
        )

    @property
    def was_saturated(self) -> bool:
        """Whether the slots were in use, and some messages succeeded."""
        return self._succeeded > 0 and self._busy_slot_s >= MIN_UTILIZATION * self.limit * self._duration_s()

    @property
    def rate(self) -> float:
        """Successful messages a second; defined only when it `was_saturated`."""
        return self._succeeded / self._sum_s * self._busy_slot_s / self._duration_s()

    @property
    def error(self) -> float:
        """The standard error of `rate`, relative to it; 1 when nothing is known."""
        if not self._succeeded or not self._sum_s:
            return 1.0
        rate = self._succeeded / self._sum_s
        variance = (self._succeeded - 2 * rate * self._succeeded_s + rate * rate * self._sum_squares) / self._count
        noise = max(MIN_NOISE, math.sqrt(max(0.0, variance)) * self._count / self._succeeded)
        # With few messages the standard deviation itself is not precise.
        return min(1.0, noise / math.sqrt(self._count) * (1 + 2 / self._count))

    def _duration_s(self) -> float:
        return self.last_at - self._began_at if self._began_at is not None else 0.0
