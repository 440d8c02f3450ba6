from __future__ import annotations

import shutil
import subprocess

import pytest

from dequeuer.core.events import (
    CopyEnded,
    CredentialsRenewalFailed,
    CredentialsRenewed,
    GatewayMeasured,
    GatewayRequestEnded,
    RequestSplit,
    SourceCalled,
    StoreCalled,
)
from dequeuer.observability.metrics.gateway import GatewayMetrics
from dequeuer.observability.metrics.series import MAX_CHILDREN


def samples(metrics: GatewayMetrics) -> dict[str, float]:
    lines = metrics.render().decode().splitlines()
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))}


def ended(route: str = "POST /{api_name}", api_name: str = "text", reason: str = "") -> GatewayRequestEnded:
    return GatewayRequestEnded(route=route, api_name=api_name, status="2xx", duration_s=0.2, reason=reason)


def test_what_is_known_is_there_before_the_first_request() -> None:
    metrics = GatewayMetrics(["text"])
    metrics.declare_routes(["GET /healthz"])
    found = samples(metrics)
    assert found['dequeuer_gateway_api_requests_total{api_name="text",status="5xx"}'] == 0
    assert found['dequeuer_gateway_requests_total{route="GET /healthz",status="4xx"}'] == 0
    assert found['dequeuer_gateway_request_seconds_count{route="GET /healthz"}'] == 0
    assert found['dequeuer_gateway_rejected_total{reason="too_many_requests"}'] == 0


def test_requests_are_counted_by_route_api_and_reason() -> None:
    metrics = GatewayMetrics()
    metrics(ended())
    metrics(ended(reason="unavailable"))
    metrics(ended(route="GET /healthz", api_name=""))
    found = samples(metrics)
    assert found['dequeuer_gateway_requests_total{route="POST /{api_name}",status="2xx"}'] == 2
    assert found['dequeuer_gateway_request_seconds_bucket{le="0.25",route="POST /{api_name}"}'] == 2
    assert found['dequeuer_gateway_api_requests_total{api_name="text",status="2xx"}'] == 2
    assert found['dequeuer_gateway_rejected_total{reason="unavailable"}'] == 1
    assert not any('api_name=""' in name for name in found)


def test_the_requests_of_a_splitter_and_their_copies_are_counted() -> None:
    metrics = GatewayMetrics()
    metrics.declare_split("split", ["a", "b"], has_shadow=True)
    metrics.declare_split("other", ["a"], has_shadow=False)
    metrics(RequestSplit(splitter="split", api_name="a"))
    metrics(CopyEnded(splitter="split", api_name="next", result="slow"))
    found = samples(metrics)
    assert found['dequeuer_gateway_split_requests_total{api_name="a",splitter="split"}'] == 1
    assert found['dequeuer_gateway_split_requests_total{api_name="b",splitter="split"}'] == 0
    assert found['dequeuer_gateway_copies_total{result="slow",splitter="split"}'] == 1
    assert found['dequeuer_gateway_copies_total{result="responded",splitter="split"}'] == 0
    assert not any("copies" in name and 'splitter="other"' in name for name in found)


def test_more_apis_than_there_is_room_for_share_one_label() -> None:
    metrics = GatewayMetrics([f"api-{number}" for number in range(MAX_CHILDREN)])
    metrics(ended(api_name="one-more"))
    found = samples(metrics)
    assert found['dequeuer_gateway_api_requests_total{api_name="other",status="other"}'] == 1
    assert sum(name.startswith("dequeuer_gateway_api_requests_total") for name in found) == MAX_CHILDREN + 1


def test_what_happens_now_is_as_of_the_scrape() -> None:
    metrics = GatewayMetrics()
    metrics.render_with(GatewayMeasured(in_flight=4, submissions=3, waiting=2, job_streams=1))
    found = samples(metrics)
    names = ("in_flight", "submissions", "waiting", "job_streams")
    assert [found[f"dequeuer_gateway_{name}"] for name in names] == [4, 3, 2, 1]


def test_calls_and_credentials_are_counted_as_those_of_the_other_programs() -> None:
    metrics = GatewayMetrics()
    metrics(StoreCalled(op="put", duration_s=0.1, error="denied", code="AccessDenied"))
    metrics(SourceCalled(op="send", messages=0, duration_s=0.1, error="unavailable"))
    metrics(CredentialsRenewed(provider="imds", expires_at=5.0, is_first=True, reason=""))
    metrics(CredentialsRenewalFailed(provider="imds", reason="no", valid_for_s=None))
    found = samples(metrics)
    assert found['dequeuer_store_calls_total{error="denied",op="put"}'] == 1
    assert found['dequeuer_source_calls_total{error="unavailable",op="send"}'] == 1
    assert found['dequeuer_credentials_expiry_timestamp_seconds{provider="imds"}'] == 5
    assert found['dequeuer_credentials_refresh_errors_total{provider="imds"}'] == 1


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
def test_promtool_finds_nothing() -> None:
    metrics = GatewayMetrics(["text"])
    metrics.declare_routes(["POST /{api_name}", "* /{realtime}"])
    metrics(ended(reason="unavailable"))
    promtool = shutil.which("promtool")
    assert promtool is not None
    done = subprocess.run(
        [promtool, "check", "metrics"], input=metrics.render(), capture_output=True, check=False, timeout=60
    )
    assert (done.stdout + done.stderr).decode().splitlines() == []
