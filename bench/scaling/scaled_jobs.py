"""KEDA's ScaledJob with the strategy `default`: as many Jobs as there is work for, and none is ever ended."""

from __future__ import annotations

from math import ceil

from bench.scaling.autoscaler import Observation


class ScaledJobs:
    """Starts Jobs at each poll. The number of replicas is that of the Jobs that have not ended.

    Args:
        target: messages for a Job (`queueLength`).
        most: the most Jobs at a time (`maxReplicaCount`).
        polling_s: `pollingInterval`.
    """

    def __init__(self, *, target: float, most: int = 100, polling_s: float = 10.0) -> None:
        self._target = target
        self._most = most
        self._polling_s = polling_s
        self._next_look_s = 0.0

    @property
    def next_look_s(self) -> float:
        """When it looks next."""
        return self._next_look_s

    def look(self, seen: Observation) -> int:
        """Return the number of Jobs with those that are started now; while the metric cannot be read none is."""
        self._next_look_s = seen.now_s + self._polling_s
        wanted = ceil((seen.in_flight or 0) / self._target)
        return max(seen.replicas, min(wanted, self._most))
