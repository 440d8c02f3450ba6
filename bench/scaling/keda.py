"""KEDA with one trigger: the operator goes to zero and back, an HPA does the rest.

The HPA asks KEDA for the metric at each of its syncs, so `pollingInterval` only delays the first replica and the last.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from bench.scaling.autoscaler import Observation
from bench.scaling.behavior import Behavior
from bench.scaling.history import History
from bench.scaling.hpa import SYNC_S, Hpa, HpaSpec

SCRAPE_S = 10.0
"""How often Prometheus samples the number in flight, for a trigger of that kind."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fallback:
    """`spec.fallback`: what the HPA is told once the metric could not be read more than `failure_threshold` times."""

    failure_threshold: int
    replicas: int
    behavior: Literal["static", "currentReplicasIfHigher"] = "static"


@dataclass(frozen=True, slots=True, kw_only=True)
class ScaledObject:
    """A ScaledObject with one trigger.

    Attributes:
        target: of the metric for each replica: `queueLength` of aws-sqs-queue, `threshold` of prometheus.
        window_s: the mean of this time is the metric, as in a query of Prometheus; 0: the value of the moment, as
            aws-sqs-queue reads it from the queue, visible and in flight.
        activation: the metric must be above it for the first replica.
    """

    target: float
    behavior: Behavior
    min_replicas: int = 0
    max_replicas: int = 100
    polling_s: float = 30.0
    cooldown_s: float = 300.0
    activation: float = 0.0
    window_s: float = 0.0
    fallback: Fallback | None = None


class Keda:
    """The operator's loop and the HPA that it made; each has its own times.

    Args:
        spec: the object.
        first_poll_s, first_sync_s: when the two loops look first; they are not synchronised with each other.
    """

    def __init__(self, spec: ScaledObject, *, first_poll_s: float = 0.0, first_sync_s: float = 7.0) -> None:
        self._spec = spec
        low = max(1, spec.min_replicas)
        self._hpa = Hpa(
            HpaSpec(target=spec.target, min_replicas=low, max_replicas=spec.max_replicas, behavior=spec.behavior)
        )
        self._samples = History(spec.window_s)
        self._next_poll_s = first_poll_s
        self._next_sync_s = first_sync_s
        self._next_scrape_s = SCRAPE_S if spec.window_s else float("inf")
        self._last_active_s: float | None = None
        self._failures = 0

    @property
    def next_look_s(self) -> float:
        """When the next of its loops is due."""
        return min(self._next_poll_s, self._next_sync_s, self._next_scrape_s)

    def look(self, seen: Observation) -> int:
        """Do what is due."""
        now_s, replicas = seen.now_s, seen.replicas
        if now_s >= self._next_scrape_s:
            self._next_scrape_s = now_s + SCRAPE_S
            if seen.in_flight is not None:
                self._samples.add(now_s, seen.in_flight)
        metric = self._metric(seen)
        if now_s >= self._next_poll_s:
            self._next_poll_s = now_s + self._spec.polling_s
            replicas = self._poll(now_s, replicas, metric)
        if now_s >= self._next_sync_s:
            self._next_sync_s = now_s + SYNC_S
            if replicas > 0:
                metric = self._with_fallback(replicas, metric)
            replicas = self._hpa.decide(now_s, replicas, metric)
        return replicas

    def _metric(self, seen: Observation) -> float | None:
        if not self._spec.window_s:
            return seen.in_flight
        samples = list(self._samples.after(seen.now_s - self._spec.window_s))
        return sum(samples) / len(samples) if samples else None

    def _poll(self, now_s: float, replicas: int, metric: float | None) -> int:
        spec = self._spec
        if metric is not None and metric > spec.activation:
            self._last_active_s = now_s
            return replicas or max(1, spec.min_replicas)
        if metric is None:
            return replicas
        if replicas > 0 and spec.min_replicas == 0:
            rests = self._last_active_s is None or self._last_active_s + spec.cooldown_s < now_s
            return 0 if rests else replicas
        return max(replicas, spec.min_replicas)

    def _with_fallback(self, replicas: int, metric: float | None) -> float | None:
        self._failures = 0 if metric is not None else self._failures + 1
        fallback = self._spec.fallback
        if fallback is None or self._failures <= fallback.failure_threshold:
            return metric
        wanted = fallback.replicas
        if fallback.behavior == "currentReplicasIfHigher":
            wanted = max(wanted, replicas)
        return wanted * self._spec.target
