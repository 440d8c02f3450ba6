"""Cortex's autoscaler (pkg/autoscaler in cortexlabs/cortex 0.42): every 10 s it limits a step, then it stabilises."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

from bench.scaling.autoscaler import Observation
from bench.scaling.history import History

TICK_S = 10.0
"""How often it decides, and how often the number in flight is sampled."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CortexRules:
    """The section `autoscaling` of cortex.yaml, with Cortex's defaults; times in seconds."""

    target_in_flight: float
    min_replicas: int = 1
    max_replicas: int = 100
    window_s: float = 60.0
    downscale_stabilization_s: float = 300.0
    upscale_stabilization_s: float = 60.0
    max_downscale_factor: float = 0.75
    max_upscale_factor: float = 1.5
    downscale_tolerance: float = 0.05
    upscale_tolerance: float = 0.05


class CortexAutoscaler:
    """Decides every 10 s from the mean of the samples in the window.

    Args:
        rules: of the API.
        started_s: when the autoscaler was started; for a stabilization period after it nothing is scaled that way.
    """

    def __init__(self, rules: CortexRules, started_s: float = 0.0) -> None:
        self._rules = rules
        self._started_s = started_s
        self._samples = History(rules.window_s)
        self._recommendations = History(max(rules.downscale_stabilization_s, rules.upscale_stabilization_s))
        self._next_look_s = started_s + TICK_S

    @property
    def next_look_s(self) -> float:
        """When it looks next."""
        return self._next_look_s

    def look(self, seen: Observation) -> int:
        """Take a sample and decide. While there is no sample in the window nothing changes."""
        self._next_look_s = seen.now_s + TICK_S
        if seen.in_flight is not None:
            self._samples.add(seen.now_s, seen.in_flight)
        samples = list(self._samples.after(seen.now_s - self._rules.window_s))
        if not samples:
            return seen.replicas
        return self.decide(seen.now_s, seen.replicas, sum(samples) / len(samples))

    def decide(self, now_s: float, replicas: int, in_flight: float) -> int:
        """Return the replicas for a mean number in flight."""
        wanted = self._recommend(replicas, in_flight)
        self._recommendations.add(now_s, wanted)
        if wanted < replicas:
            return self._stabilized_down(now_s, replicas, wanted)
        if wanted > replicas:
            return self._stabilized_up(now_s, replicas, wanted)
        return replicas

    def _recommend(self, replicas: int, in_flight: float) -> int:
        rules = self._rules
        raw = in_flight / rules.target_in_flight
        wanted = ceil(raw)
        if replicas * (1 - rules.downscale_tolerance) < raw < replicas * (1 + rules.upscale_tolerance):
            wanted = replicas
        wanted = max(wanted, min(replicas - 1, ceil(replicas * rules.max_downscale_factor)))
        wanted = min(wanted, max(replicas + 1, ceil(replicas * rules.max_upscale_factor)))
        return max(rules.min_replicas, min(rules.max_replicas, wanted))

    def _stabilized_down(self, now_s: float, replicas: int, wanted: int) -> int:
        period_s = self._rules.downscale_stabilization_s
        if now_s - self._started_s < period_s:
            return replicas
        highest = max(self._recommendations.since(now_s - period_s))
        return max(wanted, min(replicas, int(highest)))

    def _stabilized_up(self, now_s: float, replicas: int, wanted: int) -> int:
        period_s = self._rules.upscale_stabilization_s
        if now_s - self._started_s < period_s:
            return replicas
        lowest = min(self._recommendations.since(now_s - period_s))
        return min(wanted, max(replicas, int(lowest)))
