"""Metrics of the gateway."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final, get_args

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest

from dequeuer.core.events import (
    CopyEnded,
    CopyResult,
    CredentialsRenewalFailed,
    CredentialsRenewed,
    Event,
    GatewayMeasured,
    GatewayRequestEnded,
    RequestSplit,
    SourceCalled,
    StatusClass,
    StoreCalled,
)
from dequeuer.observability.metrics.families import LONG_BUCKETS_S, CallFamilies, CredentialFamilies, add_build_info
from dequeuer.observability.metrics.series import Histograms, Value, Values

USUAL_STATUSES: Final[tuple[StatusClass, ...]] = ("2xx", "4xx", "5xx")
"""These have a member from the start: the rate of a counter needs a first value of zero."""
USUAL_REASONS: Final = (
    *("unauthorized", "forbidden", "too_many_requests", "payload_too_large", "headers_too_large"),
    *("too_many_waiting", "unavailable", "store_refused", "bug"),
)


class GatewayMetrics:
    """An observer that counts; `render` returns the numbers in Prometheus' text format 0.0.4.

    Args:
        api_names: of the APIs that the gateway serves.
    """

    def __init__(self, api_names: Collection[str] = ()) -> None:
        self._registry = registry = CollectorRegistry()

        def counter(name: str, text: str, *labels: str) -> Values:
            return Values(registry, "counter", name, text, labels)

        def gauge(name: str, text: str) -> Value:
            return Values(registry, "gauge", name, text).child()

        self._requests = counter(
            "dequeuer_gateway_requests_total",
            "Requests that ended, by route and by the class of the status; none: the client left before one.",
            *("route", "status"),
        )
        self._seconds = Histograms(
            registry,
            "dequeuer_gateway_request_seconds",
            "Time from the head of a request to its response, by route; of a stream to its end.",
            LONG_BUCKETS_S,
            ["route"],
        )
        self._by_api = counter(
            "dequeuer_gateway_api_requests_total",
            "Requests that ended, by API and by the class of the status; other: APIs that are not served.",
            *("api_name", "status"),
        )
        self._rejected = counter(
            "dequeuer_gateway_rejected_total", "Requests that the gateway itself refused, by reason.", "reason"
        )
        self._splits = counter(
            "dequeuer_gateway_split_requests_total",
            "Requests to a TrafficSplitter, by the API that each is for.",
            *("splitter", "api_name"),
        )
        self._copies = counter(
            "dequeuer_gateway_copies_total",
            "Copies of requests for the shadow of a TrafficSplitter, by result.",
            *("splitter", "result"),
        )
        self._in_flight = gauge("dequeuer_gateway_in_flight", "Requests that have no whole response yet.")
        self._submissions = gauge(
            "dequeuer_gateway_submissions", "Requests of async APIs that are being read, stored or enqueued."
        )
        self._waiting = gauge(
            "dequeuer_gateway_waiting", "Clients that wait for a request of an async API, or follow its events."
        )
        self._job_streams = gauge("dequeuer_gateway_job_streams", "Clients that follow the events of a job.")
        self._source = CallFamilies(registry, "source", "the queue")
        self._store = CallFamilies(registry, "store", "the store")
        self._credentials = CredentialFamilies(registry)
        add_build_info(registry)
        ProcessCollector(registry=registry)
        for reason in USUAL_REASONS:
            self._rejected.child(reason)
        for status in USUAL_STATUSES:
            for api_name in api_names:
                self._by_api.child(api_name, status)

    def declare_routes(self, routes: Collection[str]) -> None:
        """Give routes their members. Further ones get theirs with their first request."""
        for route in routes:
            self._seconds.child(route)
            for status in USUAL_STATUSES:
                self._requests.child(route, status)

    def declare_split(self, splitter: str, api_names: Collection[str], *, has_shadow: bool) -> None:
        """Give a splitter its members. `api_names`: of the APIs that it sends requests to."""
        for api_name in api_names:
            self._splits.child(splitter, api_name)
        for result in get_args(CopyResult) if has_shadow else ():
            self._copies.child(splitter, result)

    def __call__(self, event: Event) -> None:
        """Count one event."""
        match event:
            case GatewayRequestEnded():
                self._request_ended(event)
            case RequestSplit():
                self._splits.child(event.splitter, event.api_name).value += 1
            case CopyEnded():
                self._copies.child(event.splitter, event.result).value += 1
            case GatewayMeasured():
                self._in_flight.value = event.in_flight
                self._submissions.value = event.submissions
                self._waiting.value = event.waiting
                self._job_streams.value = event.job_streams
            case SourceCalled():
                self._source.count(event)
            case StoreCalled():
                self._store.count(event)
            case CredentialsRenewed():
                self._credentials.expiry[event.provider].value = event.expires_at or 0
            case CredentialsRenewalFailed():
                self._credentials.errors[event.provider].value += 1
            case _:
                pass

    def render(self) -> bytes:
        """Return all metrics."""
        return generate_latest(self._registry)

    def render_with(self, measured: GatewayMeasured) -> bytes:
        """Return all metrics, with what the gateway does now."""
        self(measured)
        return self.render()

    def _request_ended(self, event: GatewayRequestEnded) -> None:
        self._requests.child(event.route, event.status).value += 1
        self._seconds.child(event.route).observe(event.duration_s)
        if event.api_name:
            self._by_api.child(event.api_name, event.status).value += 1
        if event.reason:
            self._rejected.child(event.reason).value += 1
