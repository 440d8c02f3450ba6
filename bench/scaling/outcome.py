"""What a run came to."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """The cluster at a moment; `pods` counts those that start and drain, too."""

    at_s: float
    replicas: int
    pods: int
    in_flight: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One run.

    Attributes:
        waits_s: of each finished request: from its submission to its end, less its own work.
        unfinished: requests that were not finished at the end.
        pod_s: seconds of all pods, from creation to end.
        repeated_s: seconds of work that had to begin again.
        first_replica_s: when a number of replicas above 0 was first set during the run; None: never.
    """

    waits_s: tuple[float, ...]
    unfinished: int
    pod_s: float
    repeated_s: float
    samples: tuple[Sample, ...]
    first_replica_s: float | None

    @property
    def pod_hours(self) -> float:
        """Hours of all pods."""
        return self.pod_s / 3600

    @property
    def most_replicas(self) -> int:
        """The highest number of replicas."""
        return max(sample.replicas for sample in self.samples)

    @property
    def most_in_flight(self) -> int:
        """The largest number of requests that waited or ran at the same time."""
        return max(sample.in_flight for sample in self.samples)

    def wait_s(self, percent: float) -> float:
        """Return the wait that this percentage of the requests did not exceed (nearest rank)."""
        ordered = sorted(self.waits_s)
        return ordered[max(0, ceil(len(ordered) * percent / 100) - 1)]
