"""The exposition: exactly as Cortex fixed it, and bounded for any events."""

from __future__ import annotations

import shutil
import subprocess
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import REGISTRY
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families

from dequeuer.core import events
from dequeuer.core.events import (
    BatchEnded,
    ConsumptionPaused,
    ContainerProtocolChanged,
    CredentialsRenewalFailed,
    CredentialsRenewed,
    DeletionCostFailed,
    DeletionCostWritten,
    Event,
    GateChanged,
    LeaseLost,
    LimitChanged,
    Posted,
    Probed,
    Received,
    ReleasedUnstarted,
    ResponseStarted,
    Settled,
    SlotsChanged,
    SourceCalled,
    StoreCalled,
)
from dequeuer.observability.metrics import Metrics
from dequeuer.observability.metrics.series import MAX_CHILDREN

FAMILIES = {
    "cortex_async_latency": "histogram",
    "cortex_async_request_count": "counter",
    "cortex_batch_succeeded": "counter",
    "cortex_batch_failed": "counter",
    "cortex_time_per_batch": "histogram",
    "dequeuer_messages_total": "counter",
    "dequeuer_messages_received_total": "counter",
    "dequeuer_messages_acked_total": "counter",
    "dequeuer_leases_lost_total": "counter",
    "dequeuer_credentials_expiry_timestamp_seconds": "gauge",
    "dequeuer_credentials_refresh_errors_total": "counter",
    "dequeuer_in_flight": "gauge",
    "dequeuer_slots_busy": "gauge",
    "dequeuer_slots": "gauge",
    "dequeuer_paused": "gauge",
    "dequeuer_concurrency_limit": "gauge",
    "dequeuer_concurrency_maximum": "gauge",
    "dequeuer_concurrency_changes_total": "counter",
    "dequeuer_messages_given_back_total": "counter",
    "dequeuer_message_held_seconds": "histogram",
    "dequeuer_queue_time_seconds": "histogram",
    "dequeuer_queue_messages_total": "counter",
    "dequeuer_queue_errors_total": "counter",
    "dequeuer_source_calls_total": "counter",
    "dequeuer_source_call_seconds": "histogram",
    "dequeuer_store_calls_total": "counter",
    "dequeuer_store_call_seconds": "histogram",
    "dequeuer_refused_total": "counter",
    "dequeuer_refused": "gauge",
    "dequeuer_ready": "gauge",
    "dequeuer_container_not_http": "gauge",
    "dequeuer_pod_deletion_cost": "gauge",
    "dequeuer_pod_deletion_cost_writes_total": "counter",
    "dequeuer_probe_healthy": "gauge",
    "dequeuer_probes_total": "counter",
    "dequeuer_build_info": "gauge",
    "process_virtual_memory_bytes": "gauge",
    "process_resident_memory_bytes": "gauge",
    "process_start_time_seconds": "gauge",
    "process_cpu_seconds_total": "counter",
    "process_open_fds": "gauge",
    "process_max_fds": "gauge",
}
HEADS = {
    "cortex_async_latency": "Time from the POST to the status line of the container, in seconds.",
    "cortex_async_request_count": "Requests that the container answered.",
    "cortex_batch_succeeded": "Batches that succeeded.",
    "cortex_batch_failed": "Failed attempts at batches.",
    "cortex_time_per_batch": "Time of a successful batch in the container, in seconds.",
}
LATENCY_LE = ["0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "1", "2.5", "5", "10", "+Inf"]


def head(name: str) -> str:
    return f"# HELP {name} {HEADS[name]}\n# TYPE {name} {FAMILIES[name]}\n"


def cortex_part(metrics: Metrics) -> str:
    whole = metrics.render().decode()
    return whole[: whole.index("# HELP dequeuer_")]


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    found = [
        sample.value
        for family in parse(metrics)
        for sample in family.samples
        if sample.name == name and sample.labels == labels
    ]
    assert len(found) <= 1
    return found[0] if found else None


def parse(metrics: Metrics) -> list[Metric]:
    return list(text_string_to_metric_families(metrics.render().decode()))


def settled(settlement: Any = "completed", held_s: float = 1.0) -> Settled:
    return Settled(message_id="m", ref="r", settlement=settlement, reason="", held_s=held_s, receive_count=1)


@pytest.mark.parametrize("kind", ["async", "batch"])
def test_every_family_has_help_and_type_from_the_first_scrape_on(kind: Any) -> None:
    lines = Metrics(kind, "api", "job", 4).render().decode().splitlines()
    types = dict(line.split(" ")[2:] for line in lines if line.startswith("# TYPE "))
    helps = [line.split(" ")[2] for line in lines if line.startswith("# HELP ")]
    assert types == FAMILIES
    assert sorted(helps) == sorted(FAMILIES)


def test_credentials_show_when_they_end_and_what_failed_for_every_provider_from_the_start() -> None:
    metrics = Metrics("async", "api", "", 1)
    for provider in ("environment", "web_identity", "container", "imds", "sdk"):
        labels = {"provider": provider}
        assert value(metrics, "dequeuer_credentials_expiry_timestamp_seconds", **labels) == 0
        assert value(metrics, "dequeuer_credentials_refresh_errors_total", **labels) == 0
    metrics(CredentialsRenewed(provider="web_identity", expires_at=1.75e9, is_first=True, reason=""))
    metrics(CredentialsRenewalFailed(provider="web_identity", reason="STS: 500", valid_for_s=800))
    labels = {"provider": "web_identity"}
    assert value(metrics, "dequeuer_credentials_expiry_timestamp_seconds", **labels) == 1.75e9
    assert value(metrics, "dequeuer_credentials_refresh_errors_total", **labels) == 1


def test_cortex_families_of_an_async_api_before_and_after_an_answer() -> None:
    metrics = Metrics("async", "api", "", 1)
    assert cortex_part(metrics) == "".join(head(name) for name in HEADS)

    metrics(ResponseStarted(kind="async", status_code=200, duration_s=0.3))
    metrics(ResponseStarted(kind="async", status_code=200, duration_s=1.0))  # a bound belongs to its bucket
    counts = [0, 0, 0, 0, 0, 0, 1, 2, 2, 2, 2, 2]
    buckets = "".join(
        f'cortex_async_latency_bucket{{le="{le}",status_code="200"}} {float(count)}\n'
        for le, count in zip(LATENCY_LE, counts, strict=True)
    )
    assert cortex_part(metrics) == (
        head("cortex_async_latency")
        + buckets
        + 'cortex_async_latency_count{status_code="200"} 2.0\n'
        + 'cortex_async_latency_sum{status_code="200"} 1.3\n'
        + head("cortex_async_request_count")
        + 'cortex_async_request_count{status_code="200"} 2.0\n'
        + head("cortex_batch_succeeded")
        + head("cortex_batch_failed")
        + head("cortex_time_per_batch")
    )


def test_cortex_families_of_a_batch_api_start_at_zero_and_count() -> None:
    metrics = Metrics("batch", "api", "job-1", 1)
    labels = '{api_name="api",job_id="job-1"}'
    assert f"cortex_batch_succeeded{labels} 0.0\n" in cortex_part(metrics)
    assert f"cortex_batch_failed{labels} 0.0\n" in cortex_part(metrics)
    assert f"cortex_time_per_batch_count{labels} 0.0\n" in cortex_part(metrics)

    metrics(BatchEnded(succeeded=True, duration_s=20.0))
    metrics(BatchEnded(succeeded=False, duration_s=0.1))
    metrics(BatchEnded(succeeded=False, duration_s=0.1))
    text = cortex_part(metrics)
    assert f"{head('cortex_batch_succeeded')}cortex_batch_succeeded{labels} 1.0\n" in text
    assert f"{head('cortex_batch_failed')}cortex_batch_failed{labels} 2.0\n" in text
    assert f"cortex_time_per_batch_count{labels} 1.0\n" in text, "failed batches have no time"
    assert 'cortex_time_per_batch_bucket{api_name="api",job_id="job-1",le="10"} 0.0\n' in text
    assert 'cortex_time_per_batch_bucket{api_name="api",job_id="job-1",le="30"} 1.0\n' in text
    assert f"cortex_time_per_batch_sum{labels} 20.0\n" in text


def test_no_total_or_created_series_on_fixed_names_and_label_values_are_left_alone() -> None:
    name = 'x"\n# TYPE cortex_batch_failed_total counter\ncortex_batch_succeeded_total 1'
    metrics = Metrics("batch", name, "cortex_batch_failed_total ", 1)
    metrics(ResponseStarted(kind="async", status_code=200, duration_s=0.3))
    lines = metrics.render().decode().splitlines()
    names = {line.split("{")[0].split(" ")[0] for line in lines if not line.startswith("#")}
    assert not [shown for shown in names if shown.endswith("_created")]
    assert not [shown for shown in names if shown.startswith("cortex_") and shown.endswith("_total")]
    # The parser, like OpenMetrics, adds `_total` to counters that lack it.
    labels = {"api_name": name, "job_id": "cortex_batch_failed_total "}
    assert value(metrics, "cortex_batch_failed_total", **labels) == 0


def test_the_default_registry_stays_empty() -> None:
    before = {family.name for family in REGISTRY.collect()}
    Metrics("async", "api", "", 1)
    assert {family.name for family in REGISTRY.collect()} == before


@pytest.mark.parametrize(
    ("code", "label"),
    [(100, "100"), (200, "200"), (599, "599"), (99, "other"), (600, "other"), (-1, "other"), (0, "other")],
)
def test_only_valid_status_codes_are_labels(code: int, label: str) -> None:
    metrics = Metrics("async", "api", "", 1)
    metrics(ResponseStarted(kind="async", status_code=code, duration_s=0.1))
    assert f'\ncortex_async_request_count{{status_code="{label}"}} 1.0\n' in metrics.render().decode()
    assert value(metrics, "cortex_async_latency_count", status_code=label) == 1


def test_answers_to_batches_are_not_async_requests() -> None:
    metrics = Metrics("batch", "api", "job", 1)
    metrics(ResponseStarted(kind="batch", status_code=200, duration_s=0.1))
    metrics(ResponseStarted(kind="completion", status_code=404, duration_s=0.1))
    assert "cortex_async_request_count{" not in metrics.render().decode()


def test_messages_in_flight_are_those_received_and_not_settled() -> None:
    metrics = Metrics("async", "api", "", 1)
    for at in range(3):
        metrics(Received(message_id=str(at), receive_count=1, queued_s=None))
    assert value(metrics, "dequeuer_in_flight") == 3
    metrics(settled("completed", held_s=2))
    metrics(settled("retried", held_s=2))
    assert value(metrics, "dequeuer_in_flight") == 1
    assert value(metrics, "dequeuer_messages_received_total") == 3
    assert value(metrics, "dequeuer_messages_total", settlement="completed") == 1
    assert value(metrics, "dequeuer_messages_total", settlement="retried") == 1
    assert value(metrics, "dequeuer_messages_total", settlement="poison") == 0, "there from the start"
    assert value(metrics, "dequeuer_message_held_seconds_sum") == 4


def test_calls_by_operation_and_error() -> None:
    metrics = Metrics("async", "api", "", 1)
    metrics(SourceCalled(op="ack", messages=7, duration_s=0.2, error=None))
    metrics(SourceCalled(op="ack", messages=5, duration_s=0.2, error="unavailable", detail="x"))
    metrics(SourceCalled(op="receive", messages=9, duration_s=20, error=None))
    metrics(StoreCalled(op="get", duration_s=0.1, error="missing"))
    assert value(metrics, "dequeuer_messages_acked_total") == 7
    assert value(metrics, "dequeuer_source_calls_total", op="ack", error="none") == 1
    assert value(metrics, "dequeuer_source_calls_total", op="ack", error="unavailable") == 1
    assert value(metrics, "dequeuer_source_calls_total", op="renew", error="denied") == 0
    assert value(metrics, "dequeuer_source_call_seconds_bucket", op="receive", le="10.0") is None
    assert value(metrics, "dequeuer_source_call_seconds_bucket", op="receive", le="10") == 0
    assert value(metrics, "dequeuer_source_call_seconds_bucket", op="receive", le="30") == 1
    assert value(metrics, "dequeuer_store_calls_total", op="get", error="missing") == 1
    assert value(metrics, "dequeuer_store_call_seconds_count", op="get") == 1
    assert value(metrics, "dequeuer_store_call_seconds_count", op="put") == 0


def test_gauges_show_the_latest() -> None:
    metrics = Metrics("async", "api", "", 4)
    assert value(metrics, "dequeuer_slots") == 4
    assert value(metrics, "dequeuer_ready") == 0
    metrics(SlotsChanged(busy=3, total=8))
    for is_paused in (True, False):
        metrics(ConsumptionPaused(is_paused=is_paused))
        assert value(metrics, "dequeuer_paused") == is_paused
    metrics(GateChanged(is_open=True))
    metrics(LeaseLost(message_id="m", reason="late"))
    probed = Probed(probe="web:http_get", ok=True, healthy=True, changed=True, detail="", warning=False)
    metrics(probed)
    assert value(metrics, "dequeuer_slots_busy") == 3
    assert value(metrics, "dequeuer_slots") == 8
    assert value(metrics, "dequeuer_ready") == 1
    assert value(metrics, "dequeuer_leases_lost_total") == 1
    assert value(metrics, "dequeuer_probe_healthy", probe="web:http_get") == 1
    assert value(metrics, "dequeuer_probes_total", probe="web:http_get", ok="true") == 1
    assert value(metrics, "dequeuer_probes_total", probe="web:http_get", ok="false") == 0
    metrics(GateChanged(is_open=False))
    assert value(metrics, "dequeuer_ready") == 0


def test_the_deletion_cost_is_the_last_one_that_was_written() -> None:
    metrics = Metrics("async", "api", "", 4)
    assert value(metrics, "dequeuer_pod_deletion_cost") == 0
    metrics(DeletionCostWritten(cost=4))
    metrics(DeletionCostFailed(reason="not allowed"))
    assert value(metrics, "dequeuer_pod_deletion_cost") == 4
    assert value(metrics, "dequeuer_pod_deletion_cost_writes_total", result="written") == 1
    assert value(metrics, "dequeuer_pod_deletion_cost_writes_total", result="failed") == 1


def test_automatic_concurrency_and_messages_given_back() -> None:
    metrics = Metrics("async", "api", "", 50)
    assert value(metrics, "dequeuer_concurrency_limit") == value(metrics, "dequeuer_concurrency_maximum") == 50
    metrics(LimitChanged(limit=1, baseline=1, reason="started"))
    metrics(LimitChanged(limit=2, baseline=1, reason="more"))
    metrics(ReleasedUnstarted(messages=3, reason="waited"))
    metrics(ReleasedUnstarted(messages=2, reason="waited"))
    assert value(metrics, "dequeuer_concurrency_limit") == 1
    assert value(metrics, "dequeuer_concurrency_maximum") == 50
    assert value(metrics, "dequeuer_concurrency_changes_total", reason="more") == 1
    assert value(metrics, "dequeuer_concurrency_changes_total", reason="refused") == 0
    assert value(metrics, "dequeuer_messages_given_back_total", reason="waited") == 5
    assert value(metrics, "dequeuer_messages_given_back_total", reason="drain") == 0


def test_a_negative_duration_counts_as_zero() -> None:
    metrics = Metrics("async", "api", "", 1)
    for queued_s in (-3.0, float("nan"), None, 2.0):
        metrics(Posted(queued_s=queued_s))
    assert value(metrics, "dequeuer_queue_time_seconds_count") == 3
    assert value(metrics, "dequeuer_queue_time_seconds_sum") == 2
    assert value(metrics, "dequeuer_queue_time_seconds_bucket", le="0.005") == 2


def test_probe_names_without_end_become_other() -> None:
    metrics = Metrics("async", "api", "", 1)
    for at in range(MAX_CHILDREN + 50):
        metrics(Probed(probe=f"probe {at}", ok=True, healthy=True, changed=True, detail="", warning=False))
    text = metrics.render().decode()
    assert text.count("dequeuer_probe_healthy{") == MAX_CHILDREN + 1
    assert 'dequeuer_probe_healthy{probe="other"} 1.0\n' in text


EVENTS = st.one_of(*(st.from_type(kind) for kind in get_args(events.Event)))


@settings(deadline=None)
@given(st.lists(EVENTS, max_size=60))
def test_with_any_events_the_exposition_is_valid_and_bounded(happened: list[Event]) -> None:
    metrics = Metrics("async", "api", "", 1)
    before = len(metrics.render().splitlines())
    for event in happened:
        metrics(event)
    families = parse(metrics)
    assert {family.type for family in families} == {"counter", "gauge", "histogram"}
    codes = {e.status_code if 100 <= e.status_code < 600 else 0 for e in happened if isinstance(e, ResponseStarted)}
    probes = {e.probe for e in happened if isinstance(e, Probed)}
    # An async status code brings 14 lines of the histogram and one of the counter, a probe three.
    batch_lines = 23 if any(isinstance(event, BatchEnded) for event in happened) else 0
    assert len(metrics.render().splitlines()) <= before + len(codes) * 15 + len(probes) * 3 + batch_lines
    settled_ones = sum(isinstance(event, Settled) for event in happened)
    received = sum(isinstance(event, Received) for event in happened)
    assert value(metrics, "dequeuer_in_flight") == received - settled_ones


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
@pytest.mark.parametrize("kind", ["async", "batch"])
def test_promtool_complains_only_about_the_names_of_cortex(kind: Any) -> None:
    metrics = Metrics(kind, "api", "job", 1)
    metrics(ResponseStarted(kind="async", status_code=200, duration_s=0.3))
    metrics(BatchEnded(succeeded=True, duration_s=0.3))
    metrics(Probed(probe="web", ok=True, healthy=True, changed=True, detail="", warning=False))
    promtool = shutil.which("promtool")
    assert promtool is not None
    done = subprocess.run(
        [promtool, "check", "metrics"], input=metrics.render(), capture_output=True, check=False, timeout=60
    )
    findings = (done.stdout + done.stderr).decode().splitlines()
    assert [line for line in findings if not line.startswith("cortex_")] == []


def test_refusals_are_counted_by_code_and_shown_while_they_last() -> None:
    metrics = Metrics("async", "api", "", 1)
    assert value(metrics, "dequeuer_refused", service="s3", op="put") == 0
    for code in ("AccessDenied", "KMS.DisabledException", "ANewOne", "AccessDenied"):
        metrics(StoreCalled(op="put", duration_s=0.1, error="denied", code=code))
    metrics(SourceCalled(op="ack", messages=0, duration_s=0.1, error="denied", code="KmsDisabled"))
    metrics(StoreCalled(op="get", duration_s=0.0, error=None))
    metrics(StoreCalled(op="put", duration_s=0.1, error="unavailable"))
    assert value(metrics, "dequeuer_refused_total", service="s3", op="put", code="AccessDenied") == 2
    assert value(metrics, "dequeuer_refused_total", service="s3", op="put", code="KmsDisabled") == 1
    assert value(metrics, "dequeuer_refused_total", service="s3", op="put", code="other") == 1
    assert value(metrics, "dequeuer_refused", service="s3", op="put") == 1
    assert value(metrics, "dequeuer_refused", service="sqs", op="ack") == 1
    metrics(StoreCalled(op="put", duration_s=0.0, error=None))
    assert value(metrics, "dequeuer_refused", service="s3", op="put") == 0
    assert value(metrics, "dequeuer_refused", service="sqs", op="ack") == 1


def test_a_refusal_lasts_while_objects_of_its_kind_are_refused() -> None:
    metrics = Metrics("async", "api", "", 1)
    metrics(StoreCalled(op="put", duration_s=0.1, error="denied", code="AccessDenied", key="a/result.json"))
    metrics(StoreCalled(op="put", duration_s=0.0, error=None, key="a/status/in_progress"))
    assert value(metrics, "dequeuer_refused", service="s3", op="put") == 1
    metrics(StoreCalled(op="put", duration_s=0.0, error=None, key="b/result.json"))
    assert value(metrics, "dequeuer_refused", service="s3", op="put") == 0


def test_a_container_that_does_not_speak_http() -> None:
    metrics = Metrics("async", "api", "", 4)
    assert value(metrics, "dequeuer_container_not_http") == 0
    metrics(ContainerProtocolChanged(looks_like="TLS"))
    assert value(metrics, "dequeuer_container_not_http") == 1
    metrics(ContainerProtocolChanged(looks_like=""))
    assert value(metrics, "dequeuer_container_not_http") == 0


def test_several_queues_are_counted_one_by_one() -> None:
    metrics = Metrics("async", "api", "", 1, ["high", "low"])
    metrics(SourceCalled(op="receive", messages=7, duration_s=0.1, error=None, queue="high"))
    metrics(SourceCalled(op="receive", messages=2, duration_s=0.1, error=None, queue="low"))
    metrics(SourceCalled(op="ack", messages=0, duration_s=0.1, error="denied", queue="low"))
    told = metrics.render().decode().splitlines()
    assert 'dequeuer_queue_messages_total{op="receive",queue="high"} 7.0' in told
    assert 'dequeuer_queue_messages_total{op="receive",queue="low"} 2.0' in told
    assert 'dequeuer_queue_messages_total{op="ack",queue="low"} 0.0' in told
    assert 'dequeuer_queue_errors_total{op="ack",queue="low"} 1.0' in told
    assert 'dequeuer_source_calls_total{error="none",op="receive"} 2.0' in told


def test_one_queue_has_no_series_of_its_own() -> None:
    metrics = Metrics("async", "api", "", 1)
    metrics(SourceCalled(op="receive", messages=7, duration_s=0.1, error=None))
    assert 'queue="' not in metrics.render().decode()
