"""Concurrency that finds itself: tries a little more and a little less, and keeps what gets more work done.

The sidecar pulls its work, so what the container gets done with all slots in use can be measured. A step up is kept
when it brings a good part of what it adds; a step down, when it costs little. With lanes that ends at their number:
beyond it a message takes longer and nothing more gets done. Logic only: times are passed in.
"""

from __future__ import annotations

import math
from typing import Literal

from dequeuer.concurrency.slots import Verdict
from dequeuer.concurrency.throughput import Throughput
from dequeuer.core.events import LimitChanged, LimitReason, Observer

WORTH = 1 / 3
"""A step up by half is kept if at least a third of that, a sixth, is gained; a step down if less is lost."""
SURE = 2.0
"""Standard errors between a measurement and the mark, for a decision before the measurement is complete."""
BIG_STEP, SMALL_STEP = 2.0, 1.25
LONGEST_HOLD = 32
"""Measurements between two trials once nothing changes any more."""
CEILING_HOLD = 64
"""Measurements for which a number that was refused is not tried again."""
BACKOFF = 0.75
PRECISION = 0.2
"""The standard error that is small enough, as a part of the step that is tried."""
COARSE = 0.2
"""Likewise, while nothing is tried."""
CHANGED = 0.2
"""A measurement that differs so much from the one before, beyond noise, means that the container has changed."""

Direction = Literal["more", "fewer"]


class Limiter:
    """A `Limit` between 1 and a maximum.

    Args:
        maximum: the most slots.
        observer: is told of every step.
    """

    def __init__(self, maximum: int, observer: Observer) -> None:
        self.maximum = maximum
        self.settled = 1
        self.value = 1
        self._observer = observer
        self._busy = 0
        self._changed_at = -math.inf
        self._now = Throughput(1, skip=1)
        self._base: Throughput | None = None
        self._direction: Direction = "more"
        self._step = BIG_STEP
        self._hold = 0
        self._next_hold = 1
        self._ceiling = maximum
        self._ceiling_hold = 0
        self._tell("started")

    def began(self, now: float, busy: int) -> None:
        """A slot is taken."""
        self._now.pass_time(now, self._busy)
        self._busy = busy

    def ended(self, now: float, busy: int, took_s: float, verdict: Verdict) -> None:
        """A slot is free again."""
        self._now.pass_time(now, self._busy)
        self._busy = busy
        if verdict == "refused":
            # A burst of refusals counts once: the others had begun before the step that it caused.
            if now - took_s > self._changed_at:
                self._refused(now)
        elif verdict != "void":
            self._now.add(took_s, good=verdict == "good")
            self._judge(now)

    def _judge(self, now: float) -> None:
        measured = self._now
        if not measured.is_ripe:
            return
        if not measured.was_used:
            self._unused(now)
        elif self.value == self.settled:
            # The last one before a trial is what the trial is compared with; the others only watch for changes.
            if measured.is_complete(self._precision(self._target()) if self._hold == 0 else COARSE):
                self._judge_settled(now, measured)
        elif self._base is not None:
            self._judge_trial(now, measured, self._base)

    def _precision(self, target: int) -> float:
        return PRECISION * abs(target / self.settled - 1)

    def _unused(self, now: float) -> None:
        """Too little was there to be done, and nothing can be learnt."""
        if self.value != self.settled:
            self._miss()
            self._set(now, self.settled, "undone")
        self._measure_anew(skip=1)

    def _judge_settled(self, now: float, measured: Throughput) -> None:
        base, self._base = self._base, measured
        self._forget_ceiling()
        if base is not None:
            ratio = measured.rate / base.rate
            error = math.hypot(measured.error, base.error)
            if abs(math.log(ratio)) > max(CHANGED, 3 * error):
                self._direction = "more" if ratio > 1 else "fewer"
                self._step, self._hold, self._next_hold = BIG_STEP, 0, 1
        if self._hold > 0:
            self._hold -= 1
            self._measure_anew(skip=1)
        else:
            self._try(now)

    def _judge_trial(self, now: float, measured: Throughput, base: Throughput) -> None:
        ratio = measured.rate / base.rate
        mark = 1 + WORTH * (self.value / self.settled - 1)
        error = ratio * math.hypot(measured.error, base.error)
        if abs(ratio - mark) < SURE * error and not measured.is_complete(self._precision(self.value)):
            return
        if ratio > mark:
            self.settled = self.value
            self._base = measured
            self._step, self._hold, self._next_hold = min(BIG_STEP, self._step**2), 0, 1
            self._tell("kept")
            self._try(now)
        else:
            self._miss()
            self._set(now, self.settled, "undone")

    def _refused(self, now: float) -> None:
        if self.value > self.settled:
            self._ceiling, self._ceiling_hold = self.value - 1, CEILING_HOLD
            self._miss()
        else:
            self.settled = max(1, int(self.value * BACKOFF))
            self._base = None
            self._direction, self._step, self._hold = "more", SMALL_STEP, self._next_hold
        self._set(now, self.settled, "refused")

    def _miss(self) -> None:
        """A trial has brought nothing: look the other way next, with smaller steps, and then less often."""
        self._turn()
        if self._step > SMALL_STEP:
            self._step = max(SMALL_STEP, math.sqrt(self._step))
        else:
            self._hold = self._next_hold
            self._next_hold = min(LONGEST_HOLD, 2 * self._next_hold)

    def _forget_ceiling(self) -> None:
        if self._ceiling_hold > 0:
            self._ceiling_hold -= 1
            if self._ceiling_hold == 0:
                self._ceiling = self.maximum

    def _try(self, now: float) -> None:
        """Begin a trial."""
        target = self._target()
        if target != self.settled:
            self._set(now, target, self._direction)
        else:
            self._measure_anew(skip=1)

    def _target(self) -> int:
        """Return what is tried next: if there is no room in the one direction, in the other."""
        for _ in range(2):
            if self._direction == "more":
                wanted = max(self.settled + 1, round(self.settled * self._step))
                target = max(self.settled, min(wanted, self._ceiling, self.maximum))
            else:
                target = max(1, min(self.settled - 1, round(self.settled / self._step)))
            if target != self.settled:
                return target
            self._turn()
        return self.settled

    def _turn(self) -> None:
        self._direction = "fewer" if self._direction == "more" else "more"

    def _set(self, now: float, value: int, reason: LimitReason) -> None:
        # Whoever was begun under the old limit says little about the new one.
        skip = max(self.value, value)
        self.value = value
        self._changed_at = now
        self._measure_anew(skip)
        self._tell(reason)

    def _measure_anew(self, skip: int) -> None:
        last = self._now
        self._now = Throughput(self.value, skip)
        self._now.pass_time(last.last, self._busy)

    def _tell(self, reason: LimitReason) -> None:
        self._observer(LimitChanged(limit=self.value, settled=self.settled, reason=reason))
