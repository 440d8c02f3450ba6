"""Metrics of the proxy. A request changes plain numbers; all text is made when they are scraped."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest

from dequeuer.observability.metrics.families import LATENCY_BUCKETS_S, LONG_BUCKETS_S, add_build_info
from dequeuer.observability.metrics.pod import PodMetrics
from dequeuer.observability.metrics.probes import ProbeMetrics
from dequeuer.observability.metrics.series import Histograms, Value, Values
from dequeuer.proxy.record import RequestRecord

METHODS: Final = (b"GET", b"HEAD", b"POST", b"PUT", b"DELETE", b"PATCH", b"OPTIONS")
"""Those with a label of their own: a client chooses its methods, and could fill the memory with them."""
OTHER: Final = "other"
REJECTIONS: Final = frozenset(
    {"queue_full", "queue_timeout", "not_ready", "bad_request", "too_large", "not_implemented", "timeout"}
)
"""timeout here is 408: the client was too slow. With 504 it was the container."""
FAILURES: Final = frozenset({"upstream_unreachable", "upstream_broken", "upstream_malformed", "timeout"})
ABANDONED: Final = frozenset({"client_gone", "cut"})
_FAST_BUCKETS_S: Final = (0.001, 0.0025, *LATENCY_BUCKETS_S, 30, 60)


class ProxyMetrics:
    """A `RequestObserver`; `render` returns Prometheus' text format 0.0.4."""

    def __init__(self) -> None:
        self._registry = registry = CollectorRegistry()
        self.probes = ProbeMetrics(registry)
        """An observer of events."""
        self.pod = PodMetrics(registry)
        """An observer of events."""

        def counter(name: str, text: str, *labels: str) -> Values:
            return Values(registry, "counter", name, text, labels)

        def gauge(name: str, text: str) -> Value:
            return Values(registry, "gauge", name, text).child()

        def histogram(name: str, text: str, bounds: tuple[float, ...]) -> Histograms:
            return Histograms(registry, name, text, bounds)

        self.in_flight = gauge(
            "cortex_in_flight_requests", "Requests that are executed or wait: the mean of ten samples, one a second."
        )
        self._requests = counter(
            "dequeuer_proxy_requests_total",
            "Requests that ended, by method and by the class of the status; none: the client left before one.",
            *("method", "status"),
        )
        self._by_method_and_status: dict[tuple[bytes, int], Value] = {}
        self._latency = histogram(
            "dequeuer_proxy_request_seconds",
            "Time from the head of a request to the end of its response.",
            LONG_BUCKETS_S,
        ).child()
        self._first_byte = histogram(
            "dequeuer_proxy_first_byte_seconds",
            "Time from the admission of a request to the head of its response.",
            LONG_BUCKETS_S,
        ).child()
        self._queue_time = histogram(
            "dequeuer_proxy_queue_seconds", "Time from the head of a request to its admission.", _FAST_BUCKETS_S
        ).child()
        self._bytes_in = counter("dequeuer_proxy_request_bytes_total", "Bytes of the bodies of requests.").child()
        self._bytes_out = counter("dequeuer_proxy_response_bytes_total", "Bytes of the bodies of responses.").child()
        rejected = counter("dequeuer_proxy_rejected_total", "Requests that the container did not get.", "reason")
        failed = counter("dequeuer_proxy_upstream_errors_total", "Requests that failed at the container.", "reason")
        abandoned = counter("dequeuer_proxy_abandoned_total", "Requests whose connection broke.", "reason")
        # A timeout is the container's (504) unless it is found to be the client's (408).
        self._by_reason = {
            reason: family.child(reason)
            for family, reasons in ((rejected, REJECTIONS), (failed, FAILURES), (abandoned, ABANDONED))
            for reason in sorted(reasons)
        }
        self._slow_client = rejected.child("timeout")
        self._executing = gauge("dequeuer_proxy_executing", "Requests that the container has now.")
        self._queued = gauge("dequeuer_proxy_queued", "Requests that wait now.")
        self._limit = gauge("dequeuer_proxy_concurrency_limit", "Requests that the container gets at a time.")
        self._connections = gauge("dequeuer_proxy_connections", "Connections of clients.")
        self._upgrades = gauge("dequeuer_proxy_upgrades", "Connections that were upgraded, WebSockets for example.")
        self._refresh: Callable[[], None] = lambda: None
        for method in METHODS:
            self._child(method, 200)
        add_build_info(registry)
        ProcessCollector(registry=registry)

    def read_from(
        self,
        *,
        executing: Callable[[], int],
        queued: Callable[[], int],
        limit: Callable[[], int],
        connections: Callable[[], int],
    ) -> None:
        """Read these numbers when they are scraped."""

        def refresh() -> None:
            self._executing.value, self._queued.value = executing(), queued()
            self._limit.value, self._connections.value = limit(), connections()

        self._refresh = refresh

    def render(self) -> bytes:
        """Return all metrics."""
        self._refresh()
        return generate_latest(self._registry)

    # RequestObserver.

    def request_ended(self, record: RequestRecord) -> None:
        """Count a request."""
        key = (record.method, record.status)
        child = self._by_method_and_status.get(key)
        if child is None:
            child = self._child(*key)
        child.value += 1
        if record.admitted_at:
            self._queue_time.observe(record.admitted_at - record.began_at)
            if record.first_byte_at:
                self._first_byte.observe(record.first_byte_at - record.admitted_at)
        self._latency.observe(record.ended_at - record.began_at)
        self._bytes_in.value += record.bytes_in
        self._bytes_out.value += record.bytes_out
        if record.reason:
            reason = self._slow_client if record.is_client_timeout else self._by_reason.get(record.reason)
            if reason is not None:
                reason.value += 1

    def upgrade_opened(self) -> None:
        """Count a tunnel."""
        self._upgrades.value += 1

    def upgrade_closed(self) -> None:
        """Count it no more."""
        self._upgrades.value -= 1

    def _child(self, method: bytes, status: int) -> Value:
        """Return the counter, and remember it for pairs of which there is a bounded number."""
        name = method.decode() if method in METHODS else OTHER
        child = self._requests.child(name, f"{status // 100}xx" if status else "none")
        if method in METHODS:
            self._by_method_and_status[method, status] = child
        return child
