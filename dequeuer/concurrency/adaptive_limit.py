"""`DEQUEUER_WORKERS=auto`: finds the number of slots above which more slots bring little more throughput.

The sidecar pulls its work, so it can measure the throughput with all slots in use. It compares the throughput of the
baseline (the number found so far) with that of trials, which have more slots or fewer. A trial with more slots is
kept when the throughput grows by enough, compared with the slots that were added; a trial with fewer slots is kept when
the throughput falls only a little. For a container that works on a fixed number of requests at a time this ends at that
number: with more slots each message takes longer, and the throughput does not rise. No input or output: times are
passed in.
"""

from __future__ import annotations

import math
from typing import Literal

from dequeuer.concurrency.slots import SlotResult
from dequeuer.concurrency.throughput import Throughput
from dequeuer.core.events import LimitChanged, LimitReason, Observer

MIN_GAIN_SHARE = 1 / 3
"""The gain in throughput that a trial needs, as a share of the gain in slots: 50 % more slots are kept for at least
17 % more throughput. A trial with fewer slots is kept when it loses less than this share of the
loss in slots: half of the slots may cost up to 17 % of the throughput."""
DECISION_STANDARD_ERRORS = 2.0
"""A measurement that is this many standard errors from the threshold allows a decision before it is precise enough."""
MAX_STEP_FACTOR, MIN_STEP_FACTOR = 2.0, 1.25
"""A trial multiplies, or divides, the number of slots by a factor in this range."""
MAX_TRIAL_PAUSE = 32
"""The most measurements of the baseline between two trials. It is reached when the results do not change any more."""
REFUSAL_MEMORY_MEASUREMENTS = 64
"""A number whose trial ended with a refusal, and every larger one, is not tried again during this many measurements of
the baseline."""
REFUSAL_FACTOR = 0.75
"""The number of slots is multiplied by this when the container refuses work and no trial with more slots is
running."""
TRIAL_ERROR_SHARE = 0.2
"""The standard error that is allowed when a trial is decided, as a share of its step: a step of 50 % allows 10 %."""
MAX_BASELINE_ERROR = 0.2
"""The relative standard error that is allowed while the baseline is only watched for changes."""
CHANGE_THRESHOLD = 0.2
"""When the throughput of the baseline changes by more than this, as the logarithm of the ratio (+22 %, -18 %), and by
more than noise, the container has changed."""

Direction = Literal["more", "fewer"]


class AdaptiveLimit:
    """`ConcurrencyLimit` between 1 and a maximum.

    Args:
        maximum: the most slots.
        observer: receives every step.
    """

    def __init__(self, maximum: int, observer: Observer) -> None:
        self.maximum = maximum
        self.baseline = 1
        """The best number found so far."""
        self.value = 1
        """The present number: the baseline, or the number that is on trial."""
        self._observer = observer
        self._busy = 0
        self._changed_at = -math.inf
        self._measurement = Throughput(1, skip=1)
        self._baseline_throughput: Throughput | None = None
        self._direction: Direction = "more"
        self._step_factor = MAX_STEP_FACTOR
        self._measurements_until_trial = 0
        self._next_trial_pause = 1
        self._max_accepted = maximum
        self._measurements_until_max_accepted_expires = 0
        self._report("started")

    def slot_acquired(self, now: float, busy: int) -> None:
        """Record that a slot was acquired."""
        self._measurement.record_busy(now, self._busy)
        self._busy = busy

    def slot_released(self, now: float, busy: int, took_s: float, result: SlotResult) -> None:
        """Record that a slot was released; begin, keep or undo a trial when enough is known."""
        self._measurement.record_busy(now, self._busy)
        self._busy = busy
        if result == "refused":
            # A burst of refusals counts once: the other messages began before the step that the first refusal caused.
            if now - took_s > self._changed_at:
                self._reduce(now)
        elif result != "unknown":
            self._measurement.add(took_s, succeeded=result == "succeeded")
            self._evaluate(now)

    def _evaluate(self, now: float) -> None:
        measured = self._measurement
        if not measured.has_enough_samples:
            return
        if not measured.has_rate:
            self._discard(now)
        elif self.value == self.baseline:
            # The last measurement before a trial is compared with the trial. The others only detect changes.
            is_before_trial = self._measurements_until_trial == 0
            max_error = self._max_error(self._next_value()) if is_before_trial else MAX_BASELINE_ERROR
            if measured.is_precise_enough(max_error):
                self._evaluate_baseline(now, measured)
        elif self._baseline_throughput is not None:
            self._evaluate_trial(now, measured, self._baseline_throughput)

    def _max_error(self, trial_value: int) -> float:
        return TRIAL_ERROR_SHARE * abs(trial_value / self.baseline - 1)

    def _discard(self, now: float) -> None:
        """Discard a measurement with too little work, or without a success: no rate can be calculated from it."""
        if self.value != self.baseline:
            self._record_failed_trial()
            self._set(now, self.baseline, "undone")
        self._restart_measurement(skip=1)

    def _evaluate_baseline(self, now: float, measured: Throughput) -> None:
        before, self._baseline_throughput = self._baseline_throughput, measured
        self._expire_max_accepted()
        if before is not None:
            ratio = measured.rate / before.rate
            error = math.hypot(measured.error, before.error)
            if abs(math.log(ratio)) > max(CHANGE_THRESHOLD, 3 * error):
                self._direction = "more" if ratio > 1 else "fewer"
                self._step_factor, self._measurements_until_trial, self._next_trial_pause = MAX_STEP_FACTOR, 0, 1
        if self._measurements_until_trial > 0:
            self._measurements_until_trial -= 1
            self._restart_measurement(skip=1)
        else:
            self._begin_trial(now)

    def _evaluate_trial(self, now: float, measured: Throughput, baseline: Throughput) -> None:
        ratio = measured.rate / baseline.rate
        threshold = 1 + MIN_GAIN_SHARE * (self.value / self.baseline - 1)
        error = ratio * math.hypot(measured.error, baseline.error)
        is_clear = abs(ratio - threshold) >= DECISION_STANDARD_ERRORS * error
        if not is_clear and not measured.is_precise_enough(self._max_error(self.value)):
            return
        if ratio > threshold:
            self.baseline = self.value
            self._baseline_throughput = measured
            self._step_factor = min(MAX_STEP_FACTOR, self._step_factor**2)
            self._measurements_until_trial, self._next_trial_pause = 0, 1
            self._report("kept")
            self._begin_trial(now)
        else:
            self._record_failed_trial()
            self._set(now, self.baseline, "undone")

    def _reduce(self, now: float) -> None:
        """End a trial, or lower the baseline: the container refused work."""
        if self.value > self.baseline:
            self._max_accepted = self.value - 1
            self._measurements_until_max_accepted_expires = REFUSAL_MEMORY_MEASUREMENTS
            self._record_failed_trial()
        else:
            self.baseline = max(1, int(self.value * REFUSAL_FACTOR))
            self._baseline_throughput = None
            self._direction, self._step_factor = "more", MIN_STEP_FACTOR
            self._measurements_until_trial = self._next_trial_pause
        self._set(now, self.baseline, "refused")

    def _record_failed_trial(self) -> None:
        """Try the other direction next, with a smaller step. After the smallest step the next trial waits longer."""
        self._reverse_direction()
        if self._step_factor > MIN_STEP_FACTOR:
            self._step_factor = max(MIN_STEP_FACTOR, math.sqrt(self._step_factor))
        else:
            self._measurements_until_trial = self._next_trial_pause
            self._next_trial_pause = min(MAX_TRIAL_PAUSE, 2 * self._next_trial_pause)

    def _expire_max_accepted(self) -> None:
        if self._measurements_until_max_accepted_expires > 0:
            self._measurements_until_max_accepted_expires -= 1
            if self._measurements_until_max_accepted_expires == 0:
                self._max_accepted = self.maximum

    def _begin_trial(self, now: float) -> None:
        value = self._next_value()
        if value != self.baseline:
            self._set(now, value, self._direction)
        else:
            self._restart_measurement(skip=1)

    def _next_value(self) -> int:
        """Return the number for the next trial. Reverses the direction when its end is reached."""
        for _ in range(2):
            if self._direction == "more":
                wanted = max(self.baseline + 1, round(self.baseline * self._step_factor))
                value = max(self.baseline, min(wanted, self._max_accepted, self.maximum))
            else:
                value = max(1, min(self.baseline - 1, round(self.baseline / self._step_factor)))
            if value != self.baseline:
                return value
            self._reverse_direction()
        return self.baseline

    def _reverse_direction(self) -> None:
        self._direction = "fewer" if self._direction == "more" else "more"

    def _set(self, now: float, value: int, reason: LimitReason) -> None:
        # Messages that began under the old number show little about the new one.
        skip = max(self.value, value)
        self.value = value
        self._changed_at = now
        self._restart_measurement(skip)
        self._report(reason)

    def _restart_measurement(self, skip: int) -> None:
        before = self._measurement
        self._measurement = Throughput(self.value, skip)
        self._measurement.record_busy(before.last_at, self._busy)

    def _report(self, reason: LimitReason) -> None:
        self._observer(LimitChanged(limit=self.value, baseline=self.baseline, reason=reason))
