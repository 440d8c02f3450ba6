"""The throughput with one number of slots, and how precisely it is known."""

from __future__ import annotations

import math

MIN_SAMPLES = 4
"""A measurement needs at least this many messages, and at least one for each slot."""
MAX_SAMPLES_PER_SLOT = 30
"""The most messages for each slot that are waited for: then a decision is made with the precision that there is."""
MIN_SLOTS_FOR_MAX_SAMPLES = 10
"""With fewer slots than this, `MAX_SAMPLES_PER_SLOT` is multiplied by this number instead of the number of slots."""
MIN_DURATION_S = 0.5
"""The shortest measurement: a short delay caused by other processes on the node must not look like a slow container."""
MIN_UTILIZATION = 0.8
"""The share of the slots that must be in use on average. With fewer the queue is measured, not the container."""
MIN_NOISE = 0.1
"""The smallest relative standard deviation of the durations that is used: a few durations that are equal by chance do
not prove that there is no noise."""


class Throughput:
    """The throughput while `limit` slots are set. Times are seconds of any one clock.

    The measurement begins when `skip` messages have ended: most that began under the old limit are over by then.

    By Little's law the throughput is the number of busy slots divided by the time that a message takes. That is far
    less noisy than counting messages between two moments. The time of failed messages counts, but they do not count as
    work.

    Args:
        limit: slots.
        skip: messages (at least 1) after whose end the measurement begins. They are not counted.
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
        """Tell whether `error` is at most `max_error`, or the maximum number of messages has been counted."""
        return self.has_enough_samples and (
            self.error <= max_error or self._count >= MAX_SAMPLES_PER_SLOT * max(MIN_SLOTS_FOR_MAX_SAMPLES, self.limit)
        )

    @property
    def has_rate(self) -> bool:
        """Whether a rate can be calculated: enough of the slots were in use, and a message succeeded."""
        return self._succeeded > 0 and self._busy_slot_s >= MIN_UTILIZATION * self.limit * self._duration_s()

    @property
    def rate(self) -> float:
        """Successful messages a second; defined only with `has_rate`."""
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
