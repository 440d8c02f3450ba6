"""`spec.behavior` of a HorizontalPodAutoscaler: how far one direction may go, and how its limit is calculated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import Literal

from bench.scaling.history import History


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """At most `value` percent, or pods, of change in a period."""

    kind: Literal["Percent", "Pods"]
    value: int
    period_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Direction:
    """`scaleUp` or `scaleDown`.

    Attributes:
        stabilization_s: up: the lowest recommendation of this time counts; down: the highest one.
        policies: the limits; with `Max` that which allows most counts, with `Min` that which allows least.
        tolerance: a ratio of metric and target this near to 1 changes nothing.
    """

    stabilization_s: int
    policies: Sequence[Policy]
    select: Literal["Max", "Min", "Disabled"] = "Max"
    tolerance: float = 0.1

    @property
    def longest_period_s(self) -> int:
        """The longest period of a policy."""
        return max(policy.period_s for policy in self.policies)


@dataclass(frozen=True, slots=True, kw_only=True)
class Behavior:
    """Both directions."""

    up: Direction
    down: Direction


KUBERNETES_DEFAULT = Behavior(
    up=Direction(
        stabilization_s=0,
        policies=(Policy(kind="Pods", value=4, period_s=15), Policy(kind="Percent", value=100, period_s=15)),
    ),
    down=Direction(stabilization_s=300, policies=(Policy(kind="Percent", value=100, period_s=15),)),
)
"""What Kubernetes does without `behavior`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """Replicas that were added and removed, each with its time."""

    added: History
    removed: History

    def replicas_before(self, now_s: float, replicas: int, period_s: float) -> int:
        """Return how many replicas there were when a period began that ends now."""
        start_s = now_s - period_s
        return replicas - int(sum(self.added.after(start_s))) + int(sum(self.removed.after(start_s)))


def most_replicas(direction: Direction, changes: Changes, now_s: float, replicas: int) -> int:
    """Return the upper limit that `scaleUp` sets now. Percents are rounded up, so that one replica can grow."""
    if direction.select == "Disabled":
        return replicas
    limits = []
    for policy in direction.policies:
        before = changes.replicas_before(now_s, replicas, policy.period_s)
        limits.append(before + policy.value if policy.kind == "Pods" else ceil(before * (1 + policy.value / 100)))
    return max(replicas, max(limits) if direction.select == "Max" else min(limits))


def fewest_replicas(direction: Direction, changes: Changes, now_s: float, replicas: int) -> int:
    """Return the lower limit that `scaleDown` sets now. What remains of a percentage is rounded down."""
    if direction.select == "Disabled":
        return replicas
    limits = []
    for policy in direction.policies:
        before = changes.replicas_before(now_s, replicas, policy.period_s)
        limits.append(before - policy.value if policy.kind == "Pods" else int(before * (1 - policy.value / 100)))
    return min(replicas, min(limits) if direction.select == "Max" else max(limits))
