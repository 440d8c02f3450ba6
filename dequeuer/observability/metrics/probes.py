"""Metrics of the readiness of the container, which every sidecar has."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from prometheus_client import CollectorRegistry

from dequeuer.core.errors import clip
from dequeuer.core.events import Event, GateChanged, Probed
from dequeuer.observability.metrics.series import Values


class ProbeMetrics:
    """An observer. The names of probes are known only after their first run."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._ready = Values(
            registry, "gauge", "dequeuer_ready", "Whether the container is ready (1): all its probes pass."
        ).child()
        self._healthy = Values(
            registry,
            "gauge",
            "dequeuer_probe_healthy",
            "Whether a probe passes (1), after its thresholds are applied.",
            ["probe"],
        )
        self._runs = Values(
            registry, "counter", "dequeuer_probes_total", "Runs of a probe, by result.", ["probe", "ok"]
        )
        self.handlers: dict[type[Event], Callable[[Any], None]] = {
            Probed: self._probed,
            GateChanged: self._gate_changed,
        }

    def __call__(self, event: Event) -> None:
        """Count one event."""
        handler = self.handlers.get(type(event))
        if handler is not None:
            handler(event)

    def _probed(self, event: Probed) -> None:
        probe = clip(event.probe)
        # Both results exist from the first run on: the rate of a counter needs a first value of zero.
        results = {ok: self._runs.child(probe, str(ok).lower()) for ok in (True, False)}
        results[event.ok].value += 1
        self._healthy.child(probe).value = event.healthy

    def _gate_changed(self, event: GateChanged) -> None:
        self._ready.value = event.is_open
