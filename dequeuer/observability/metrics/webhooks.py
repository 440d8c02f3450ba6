"""Metrics of the program that delivers webhooks."""

from __future__ import annotations

from typing import get_args

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest

from dequeuer.core.events import (
    Event,
    SlotsChanged,
    SourceCalled,
    StoreCalled,
    WebhookAttempted,
    WebhookEnd,
    WebhookEnded,
    WebhookResult,
)
from dequeuer.observability.metrics.families import CALL_BUCKETS_S, CallFamilies, add_build_info
from dequeuer.observability.metrics.series import Histograms, Values


class WebhookMetrics:
    """An observer that counts; `render` returns the numbers in Prometheus' text format 0.0.4."""

    def __init__(self) -> None:
        self._registry = registry = CollectorRegistry()
        attempts = Values(
            registry, "counter", "dequeuer_webhook_attempts_total", "Deliveries of webhooks, by result.", ["result"]
        )
        self._attempts = {result: attempts.child(result) for result in get_args(WebhookResult)}
        ended = Values(registry, "counter", "dequeuer_webhooks_ended_total", "Webhooks, by their end.", ["end"])
        self._ended = {end: ended.child(end) for end in get_args(WebhookEnd)}
        self._seconds = Histograms(
            registry, "dequeuer_webhook_attempt_seconds", "Time that a delivery took, in seconds.", CALL_BUCKETS_S
        ).child()
        self._in_flight = Values(
            registry, "gauge", "dequeuer_webhook_deliveries_in_flight", "Deliveries under way."
        ).child()
        self._source = CallFamilies(registry, "source", "the queue")
        self._store = CallFamilies(registry, "store", "the store")
        add_build_info(registry)
        ProcessCollector(registry=registry)

    def __call__(self, event: Event) -> None:
        """Count one event."""
        match event:
            case WebhookAttempted():
                self._attempts[event.result].value += 1
                self._seconds.observe(event.duration_s)
            case WebhookEnded():
                self._ended[event.end].value += 1
            case SlotsChanged():
                self._in_flight.value = event.busy
            case SourceCalled():
                self._source.count(event)
            case StoreCalled():
                self._store.count(event)
            case _:
                pass

    def render(self) -> bytes:
        """Return all metrics."""
        return generate_latest(self._registry)
