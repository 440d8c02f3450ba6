"""The autoscalers that are compared, and the pods that they scale."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from bench.scaling.autoscaler import Autoscaler
from bench.scaling.behavior import KUBERNETES_DEFAULT, Behavior, Direction, Policy
from bench.scaling.cluster import PodSpec
from bench.scaling.cortex import CortexAutoscaler, CortexRules
from bench.scaling.keda import Keda, ScaledObject

PODS: Final = PodSpec()
MEAN_WORK_S: Final = 16.0


def _cortex_factors(*, up_period_s: int, down_period_s: int) -> Behavior:
    """Return Cortex's stabilization and factors; a step is as long as the periods say."""
    return Behavior(
        up=Direction(
            stabilization_s=60,
            policies=(
                Policy(kind="Percent", value=50, period_s=up_period_s),
                Policy(kind="Pods", value=1, period_s=up_period_s),
            ),
            tolerance=0.05,
        ),
        down=Direction(
            stabilization_s=300,
            policies=(
                Policy(kind="Percent", value=25, period_s=down_period_s),
                Policy(kind="Pods", value=1, period_s=down_period_s),
            ),
            tolerance=0.05,
        ),
    )


CORTEX_EACH_SYNC: Final = _cortex_factors(up_period_s=15, down_period_s=15)
"""Cortex's numbers, as they stand in cortex.yaml: a step each 15 s, once stabilization is over."""

CORTEX_PACE: Final = _cortex_factors(up_period_s=60, down_period_s=300)
"""The pace that Cortex has in fact: it stabilises limited recommendations, so each step takes a whole period."""

CHART_BEHAVIOR: Final = Behavior(
    up=Direction(
        stabilization_s=0,
        policies=(Policy(kind="Percent", value=100, period_s=15), Policy(kind="Pods", value=4, period_s=15)),
    ),
    down=Direction(
        stabilization_s=300,
        policies=(Policy(kind="Percent", value=25, period_s=15), Policy(kind="Pods", value=1, period_s=15)),
    ),
)
"""The chart's defaults: up like Kubernetes, down in Cortex's steps."""

CHART: Final = ScaledObject(
    target=float(PODS.concurrency), behavior=CHART_BEHAVIOR, min_replicas=1, polling_s=10, cooldown_s=300
)
"""The chart's defaults."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """An autoscaler with its name in the tables; `make` is told the fewest replicas."""

    name: str
    make: Callable[[int], Autoscaler]


def keda(name: str, spec: ScaledObject) -> Candidate:
    """Return a candidate of KEDA."""
    return Candidate(name=name, make=lambda least: Keda(replace(spec, min_replicas=least)))


def _cortex(least: int) -> Autoscaler:
    return CortexAutoscaler(CortexRules(target_in_flight=float(PODS.concurrency), min_replicas=least))


CANDIDATES: Final = (
    Candidate(name="Cortex", make=_cortex),
    keda("KEDA, Cortex's pace", replace(CHART, behavior=CORTEX_PACE, polling_s=30)),
    keda("KEDA, Cortex's factors each sync", replace(CHART, behavior=CORTEX_EACH_SYNC, polling_s=30)),
    keda("KEDA, defaults of KEDA and Kubernetes", replace(CHART, behavior=KUBERNETES_DEFAULT, polling_s=30)),
    keda("**the chart's defaults**", CHART),
    keda("the chart's defaults, Prometheus trigger", replace(CHART, window_s=60)),
)
