"""The numbers of the proxy."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from dequeuer.core.events import DeletionCostWritten, GateChanged, Probed
from dequeuer.proxy.metrics import ABANDONED, FAILURES, METHODS, REJECTIONS, ProxyMetrics
from dequeuer.proxy.record import RequestRecord


def record(method: bytes = b"GET", status: int = 200, reason: str = "") -> RequestRecord:
    made = RequestRecord(method, b"/", 100.0)
    made.status, made.reason = status, reason
    made.admitted_at, made.first_byte_at, made.ended_at = 101.0, 103.0, 107.0
    made.bytes_in, made.bytes_out = 10, 20
    return made


def samples(metrics: ProxyMetrics) -> dict[str, float]:
    """Return each sample by its name with its labels."""
    found = {}
    for family in text_string_to_metric_families(metrics.render().decode()):
        for sample in family.samples:
            labels = ",".join(f"{name}={value}" for name, value in sorted(sample.labels.items()) if name != "le")
            if not sample.name.endswith("_bucket"):
                found[f"{sample.name}{{{labels}}}" if labels else sample.name] = sample.value
    return found


def test_a_request_is_counted_everywhere() -> None:
    metrics = ProxyMetrics()
    metrics.request_ended(record())
    metrics.request_ended(record(b"POST", 503, "queue_full"))
    found = samples(metrics)
    assert found["dequeuer_proxy_requests_total{method=GET,status=2xx}"] == 1
    assert found["dequeuer_proxy_requests_total{method=POST,status=5xx}"] == 1
    assert found["dequeuer_proxy_rejected_total{reason=queue_full}"] == 1
    assert found["dequeuer_proxy_request_seconds_sum"] == 14
    assert found["dequeuer_proxy_queue_seconds_sum"] == 2
    assert found["dequeuer_proxy_first_byte_seconds_sum"] == 4
    assert found["dequeuer_proxy_request_bytes_total"] == 20
    assert found["dequeuer_proxy_response_bytes_total"] == 40


def test_a_request_that_never_began_has_no_such_times() -> None:
    metrics = ProxyMetrics()
    ended = RequestRecord(b"GET", b"/", 100.0)
    ended.ended_at, ended.reason = 101.0, "client_gone"
    metrics.request_ended(ended)
    found = samples(metrics)
    assert found["dequeuer_proxy_requests_total{method=GET,status=none}"] == 1
    assert found["dequeuer_proxy_queue_seconds_count"] == found["dequeuer_proxy_first_byte_seconds_count"] == 0
    assert found["dequeuer_proxy_abandoned_total{reason=client_gone}"] == 1


def test_the_readiness_of_the_container_is_counted_as_by_every_sidecar() -> None:
    metrics = ProxyMetrics()
    assert samples(metrics)["dequeuer_ready"] == 0
    metrics.probes(Probed(probe="a:http_get", ok=True, healthy=True, changed=True, detail="", warning=False))
    metrics.probes(GateChanged(is_open=True))
    found = samples(metrics)
    assert (found["dequeuer_ready"], found["dequeuer_probe_healthy{probe=a:http_get}"]) == (1, 1)
    assert found["dequeuer_probes_total{ok=true,probe=a:http_get}"] == 1


def test_the_deletion_cost_is_counted_as_by_every_sidecar() -> None:
    metrics = ProxyMetrics()
    metrics.pod(DeletionCostWritten(cost=4))
    found = samples(metrics)
    assert found["dequeuer_pod_deletion_cost"] == found["dequeuer_pod_deletion_cost_writes_total{result=written}"] * 4
    assert found["dequeuer_pod_deletion_cost_writes_total{result=failed}"] == 0


def test_a_timeout_is_the_container_s_or_the_client_s() -> None:
    metrics = ProxyMetrics()
    metrics.request_ended(record(status=408, reason="timeout"))
    metrics.request_ended(record(status=504, reason="timeout"))
    metrics.request_ended(record(status=504, reason="timeout"))
    found = samples(metrics)
    assert found["dequeuer_proxy_rejected_total{reason=timeout}"] == 1
    assert found["dequeuer_proxy_upstream_errors_total{reason=timeout}"] == 2


def test_clients_do_not_choose_the_labels() -> None:
    metrics = ProxyMetrics()
    before = len(metrics.render())
    for number in range(10_000):
        metrics.request_ended(record(b"METHOD%d" % number, 100 + number % 500))
    assert samples(metrics)["dequeuer_proxy_requests_total{method=other,status=2xx}"] == 2000
    assert len(metrics.render()) < before + 2000


def test_every_family_is_there_from_the_first_scrape() -> None:
    found = samples(ProxyMetrics())
    assert found["cortex_in_flight_requests"] == 0
    for method in METHODS:
        assert f"dequeuer_proxy_requests_total{{method={method.decode()},status=2xx}}" in found
    assert {name for name in found if "{reason=" in name} == {
        *(f"dequeuer_proxy_rejected_total{{reason={reason}}}" for reason in REJECTIONS),
        *(f"dequeuer_proxy_upstream_errors_total{{reason={reason}}}" for reason in FAILURES),
        *(f"dequeuer_proxy_abandoned_total{{reason={reason}}}" for reason in ABANDONED),
    }


def test_what_is_read_from_elsewhere_is_read_at_the_scrape() -> None:
    metrics = ProxyMetrics()
    numbers = {"executing": 1, "queued": 2, "limit": 3, "connections": 4}
    metrics.read_from(
        executing=lambda: numbers["executing"],
        queued=lambda: numbers["queued"],
        limit=lambda: numbers["limit"],
        connections=lambda: numbers["connections"],
    )
    metrics.upgrade_opened()
    numbers["queued"] = 7
    found = samples(metrics)
    assert [
        found[f"dequeuer_proxy_{name}"] for name in ("executing", "queued", "concurrency_limit", "connections")
    ] == [*(1, 7, 3, 4)]
    assert found["dequeuer_proxy_upgrades"] == 1
    metrics.upgrade_closed()
    assert samples(metrics)["dequeuer_proxy_upgrades"] == 0
