"""Counters, gauges and histograms without locks, each with a bounded number of label sets, for prometheus_client.

Only the event loop may use them. An increment costs a tenth of an increment of prometheus_client's own metrics, and
every message makes about a dozen.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from typing import Generic, Literal, TypeVar

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector, CollectorRegistry

MAX_CHILDREN = 600
"""Label sets of one family. Every HTTP status code fits; further label sets are counted together as `other`."""

T = TypeVar("T")


class Value:
    """One counter or gauge. Callers change `value`."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value: float = 0


class Histogram:
    """One histogram. `counts` are for each bucket, not cumulative; the last one is the bucket `+Inf`."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def observe(self, value: float) -> None:
        """Count one value. A negative value (the clocks of two machines differ) or NaN counts as zero."""
        if not value > 0:
            value = 0.0
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value


class _Members(Generic[T]):
    """The members of a family, by their label values in the order of `labels`."""

    def __init__(self, labels: Sequence[str], make: Callable[[], T]) -> None:
        self.labels = labels
        self.members: dict[tuple[str, ...], T] = {}
        self._make = make

    def get(self, values: tuple[str, ...]) -> T:
        if values not in self.members and len(self.members) >= MAX_CHILDREN:
            values = ("other",) * len(self.labels)
        child = self.members.get(values)
        if child is None:
            child = self.members[values] = self._make()
        return child


class Values(Collector):
    """A family of counters or gauges. Hazard: prometheus_client adds `_total` to the name of a counter."""

    def __init__(
        self,
        registry: CollectorRegistry,
        kind: Literal["counter", "gauge"],
        name: str,
        text: str,
        labels: Sequence[str] = (),
    ) -> None:
        self._family = CounterMetricFamily if kind == "counter" else GaugeMetricFamily
        self._name, self._text = name, text
        self._members = _Members(labels, Value)
        registry.register(self)

    def child(self, *values: str) -> Value:
        """Return the member with these label values; scrapes contain it from now on."""
        return self._members.get(values)

    def collect(self) -> Iterator[Metric]:
        """Yield every member, for a scrape."""
        family = self._family(self._name, self._text, labels=self._members.labels)
        for values, member in self._members.members.items():
            family.add_metric(values, member.value)
        yield family


class Histograms(Collector):
    """A family of histograms with the same upper bounds."""

    def __init__(
        self,
        registry: CollectorRegistry,
        name: str,
        text: str,
        bounds: Sequence[float],
        labels: Sequence[str] = (),
    ) -> None:
        self._name, self._text = name, text
        # Written as Go writes them ("1", not "1.0"): a sum over pods of Cortex's image and of this one must match.
        self._le = [*(f"{bound:g}" for bound in bounds), "+Inf"]
        self._members = _Members(labels, lambda: Histogram(bounds))
        registry.register(self)

    def child(self, *values: str) -> Histogram:
        """Return the member with these label values; scrapes contain it from now on."""
        return self._members.get(values)

    def collect(self) -> Iterator[Metric]:
        """Yield every member with cumulative buckets, for a scrape."""
        family = HistogramMetricFamily(self._name, self._text, labels=self._members.labels)
        for values, member in self._members.members.items():
            below = 0
            buckets = []
            for le, count in zip(self._le, member.counts, strict=True):
                below += count
                buckets.append((le, float(below)))
            family.add_metric(values, buckets, member.total)
        yield family
