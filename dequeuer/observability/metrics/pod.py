"""Metrics of the pod that a sidecar runs in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from prometheus_client import CollectorRegistry

from dequeuer.core.events import DeletionCostFailed, DeletionCostWritten, Event
from dequeuer.observability.metrics.series import Values


class PodMetrics:
    """An observer of the deletion cost."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._cost = Values(
            registry,
            "gauge",
            "dequeuer_pod_deletion_cost",
            "The deletion cost that was last written to this pod; 0 before that, and while it is off.",
        ).child()
        writes = Values(
            registry,
            "counter",
            "dequeuer_pod_deletion_cost_writes_total",
            "Attempts to write the deletion cost of this pod, by result.",
            ["result"],
        )
        self._written, self._failed = writes.child("written"), writes.child("failed")
        self.handlers: dict[type[Event], Callable[[Any], None]] = {
            DeletionCostWritten: self._cost_written,
            DeletionCostFailed: self._cost_failed,
        }

    def __call__(self, event: Event) -> None:
        """Count one event."""
        handler = self.handlers.get(type(event))
        if handler is not None:
            handler(event)

    def _cost_written(self, event: DeletionCostWritten) -> None:
        self._written.value += 1
        self._cost.value = event.cost

    def _cost_failed(self, _event: DeletionCostFailed) -> None:
        self._failed.value += 1
