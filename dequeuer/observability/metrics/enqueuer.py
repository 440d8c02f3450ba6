"""Metrics of the enqueuer."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest

from dequeuer.observability.metrics.families import JOB, add_build_info
from dequeuer.observability.metrics.series import Values


class EnqueuerMetrics:
    """The numbers of one job; `render` returns them in Prometheus' text format 0.0.4.

    Args:
        api_name: a label.
        job_id: a label.
    """

    def __init__(self, api_name: str, job_id: str) -> None:
        self._registry = registry = CollectorRegistry()
        job = (api_name, job_id)

        def counter(name: str, text: str) -> Values:
            return Values(registry, "counter", name, text, JOB)

        self._batches = counter("dequeuer_enqueued_batches_total", "Batches of the job in its queue.").child(*job)
        self._items = counter("dequeuer_enqueued_items_total", "Items in these batches.").child(*job)
        self._skipped = counter("dequeuer_enqueue_skipped_total", "Bad items that were left out.").child(*job)
        self._done = Values(
            registry, "gauge", "dequeuer_enqueue_done_ratio", "Share of the job that is enqueued; 0: not known.", JOB
        ).child(*job)
        add_build_info(registry)
        ProcessCollector(registry=registry)

    def update(self, *, batches: int, items: int, skipped: int, done: float | None) -> None:
        """Set the numbers. They begin with those of earlier starts."""
        self._batches.value = batches
        self._items.value = items
        self._skipped.value = skipped
        self._done.value = done or 0.0

    def render(self) -> bytes:
        """Return all metrics."""
        return generate_latest(self._registry)
