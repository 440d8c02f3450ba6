"""What an autoscaler sees of the cluster, and what it says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """What can be seen at a moment.

    Attributes:
        now_s: the time, from the beginning of the simulation.
        in_flight: requests that wait or run, as the queue counts them; None while the counts cannot be read.
        replicas: the number of replicas that the Deployment is to have. Pods that drain do not count.
    """

    now_s: float
    in_flight: int | None
    replicas: int


class Autoscaler(Protocol):
    """Decides the number of replicas."""

    @property
    def next_look_s(self) -> float:
        """When it looks at the cluster next. It is never less than the time of the last look."""

    def look(self, seen: Observation) -> int:
        """Return how many replicas there are to be; `seen.replicas` when nothing changes."""
