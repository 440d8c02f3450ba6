"""Throughput and latency of one API over the last seconds, from the counters of its programs."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from dequeuer.ui.readings import Totals

WINDOW_S: Final = 10.0
MAX_SAMPLES: Final = 64
MAX_SOURCES: Final = 200
"""Above it, those that do not answer any more are forgotten; what they have counted is not."""
MAX_BUCKETS: Final = 256
"""With more of them together the latency is not known: what is added up must not grow with each look."""
QUANTILES: Final[Mapping[str, float]] = {"p50": 0.5, "p95": 0.95, "p99": 0.99}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """Of the last seconds. `latency_s`: by quantile; None: nothing ended in them, or it is not measured."""

    per_s: float
    failed_per_s: float
    latency_s: Mapping[str, float] | None


class RateWindow:
    """Adds up the counters of several programs, which may begin again at 0 when one is started anew."""

    def __init__(self) -> None:
        self._last: dict[str, Totals] = {}
        self._earlier = Totals()
        """Of programs that were started anew, before that, and of those that are forgotten."""
        self._increase = Totals()
        """Since the first look."""
        self._window: deque[tuple[float, Totals]] = deque(maxlen=MAX_SAMPLES)

    def add(self, at_s: float, totals: Mapping[str, Totals]) -> None:
        """Add a look. `at_s`: of a clock that is never set; `totals`: by program, of those that answered."""
        for source, now in totals.items():
            last = self._last.get(source)
            if last is not None:
                begins_anew = now.completed < last.completed or now.failed < last.failed
                if begins_anew:
                    self._earlier = _plus(self._earlier, last)
                self._increase = _plus(self._increase, now if begins_anew else _minus(now, last))
            self._last[source] = now
        if len(self._last) > MAX_SOURCES:
            for source in [one for one in self._last if one not in totals]:
                self._earlier = _plus(self._earlier, self._last.pop(source))
        if totals:
            self._window.append((at_s, self._increase))
        while len(self._window) > 1 and at_s - self._window[0][0] > WINDOW_S:
            self._window.popleft()

    def forget_looks(self) -> None:
        """Forget the rates. What was counted stays, and what is counted until the next look is no peak."""
        self._window.clear()

    @property
    def totals(self) -> Totals:
        """All that was counted, as far as it is known."""
        whole = self._earlier
        for one in self._last.values():
            whole = _plus(whole, one)
        return whole

    def rates(self) -> Rates | None:
        """Return the rates; None: not known yet."""
        if len(self._window) < 2:
            return None
        (from_s, first), (to_s, last) = self._window[0], self._window[-1]
        if to_s <= from_s:
            return None
        ended = _minus(last, first)
        return Rates(
            per_s=ended.completed / (to_s - from_s),
            failed_per_s=ended.failed / (to_s - from_s),
            latency_s=_latency(ended.buckets),
        )


def _latency(buckets: Mapping[float, float]) -> Mapping[str, float] | None:
    found = {name: quantile(buckets, share) for name, share in QUANTILES.items()}
    known = {name: value for name, value in found.items() if value is not None}
    return known if len(known) == len(found) else None


def quantile(buckets: Mapping[float, float], share: float) -> float | None:
    """Return the seconds that this share took at most, as Prometheus' `histogram_quantile`; None: nothing was counted.

    Within a bucket the values are taken as spread evenly; above the last bound, as that bound.
    """
    bounds = sorted(buckets)
    if not bounds or buckets[bounds[-1]] <= 0:
        return None
    rank = share * buckets[bounds[-1]]
    below_s, below = 0.0, 0.0
    for bound in bounds:
        if buckets[bound] >= rank:
            if bound == float("inf"):
                return below_s
            inside = buckets[bound] - below
            return below_s + (bound - below_s) * ((rank - below) / inside if inside > 0 else 1.0)
        below_s, below = bound, buckets[bound]
    return below_s


def _plus(one: Totals, other: Totals) -> Totals:
    bounds = one.buckets.keys() | other.buckets.keys()
    if len(bounds) > MAX_BUCKETS:
        bounds = set()
    return Totals(
        completed=one.completed + other.completed,
        failed=one.failed + other.failed,
        buckets={bound: one.buckets.get(bound, 0.0) + other.buckets.get(bound, 0.0) for bound in bounds},
    )


def _minus(one: Totals, other: Totals) -> Totals:
    return Totals(
        completed=max(0.0, one.completed - other.completed),
        failed=max(0.0, one.failed - other.failed),
        buckets={bound: max(0.0, count - other.buckets.get(bound, 0.0)) for bound, count in one.buckets.items()},
    )
