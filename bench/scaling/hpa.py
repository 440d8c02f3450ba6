"""The HPA controller of Kubernetes (pkg/controller/podautoscaler) with one external metric of type AverageValue.

Every 15 s: recommendation, stabilization, limits, in this order.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

from bench.scaling.autoscaler import Observation
from bench.scaling.behavior import Behavior, Changes, fewest_replicas, most_replicas
from bench.scaling.history import History

SYNC_S = 15.0
"""`--horizontal-pod-autoscaler-sync-period` of the controller manager."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HpaSpec:
    """A HorizontalPodAutoscaler.

    Attributes:
        target: the value of the metric that a replica is to have (`averageValue`).
        min_replicas: at least 1: zero needs a feature gate, and KEDA never asks for it.
    """

    target: float
    min_replicas: int
    max_replicas: int
    behavior: Behavior


class Hpa:
    """Decides from the value of the metric."""

    def __init__(self, spec: HpaSpec) -> None:
        up, down = spec.behavior.up, spec.behavior.down
        self._spec = spec
        self._recommendations: History | None = None
        self._keep_s = max(up.stabilization_s, down.stabilization_s, 1)
        longest_s = max(up.longest_period_s, down.longest_period_s)
        self._changes = Changes(added=History(longest_s), removed=History(longest_s))

    def decide(self, now_s: float, replicas: int, metric: float | None) -> int:
        """Return the replicas. None instead of a value: it could not be read, and nothing changes."""
        spec = self._spec
        if self._recommendations is None:
            self._recommendations = History(self._keep_s)
            self._recommendations.add(now_s, replicas)
        if replicas == 0:
            return 0
        if replicas > spec.max_replicas:
            wanted = spec.max_replicas
        elif replicas < spec.min_replicas:
            wanted = spec.min_replicas
        elif metric is None:
            return replicas
        else:
            recommended = self._recommend(replicas, metric)
            wanted = self._limited(now_s, replicas, self._stabilized(now_s, replicas, recommended))
            self._recommendations.add(now_s, recommended)
        if wanted > replicas:
            self._changes.added.add(now_s, wanted - replicas)
        elif wanted < replicas:
            self._changes.removed.add(now_s, replicas - wanted)
        return wanted

    def _recommend(self, replicas: int, metric: float) -> int:
        ratio = metric / (self._spec.target * replicas)
        behavior = self._spec.behavior
        if 1 - behavior.down.tolerance <= ratio <= 1 + behavior.up.tolerance:
            return replicas
        return ceil(metric / self._spec.target)

    def _stabilized(self, now_s: float, replicas: int, recommended: int) -> int:
        history = self._recommendations
        if history is None:
            return recommended
        behavior = self._spec.behavior
        lowest = min([recommended, *history.after(now_s - behavior.up.stabilization_s)])
        highest = max([recommended, *history.after(now_s - behavior.down.stabilization_s)])
        return int(min(max(replicas, lowest), highest))

    def _limited(self, now_s: float, replicas: int, wanted: int) -> int:
        spec = self._spec
        if wanted > replicas:
            return min(wanted, spec.max_replicas, most_replicas(spec.behavior.up, self._changes, now_s, replicas))
        if wanted < replicas:
            return max(wanted, spec.min_replicas, fewest_replicas(spec.behavior.down, self._changes, now_s, replicas))
        return wanted


class HpaAutoscaler:
    """An HPA alone: it never leaves zero, and never goes there."""

    def __init__(self, spec: HpaSpec) -> None:
        self._hpa = Hpa(spec)
        self._next_look_s = SYNC_S

    @property
    def next_look_s(self) -> float:
        """When it looks next."""
        return self._next_look_s

    def look(self, seen: Observation) -> int:
        """Read the metric and decide."""
        self._next_look_s = seen.now_s + SYNC_S
        return self._hpa.decide(seen.now_s, seen.replicas, seen.in_flight)
