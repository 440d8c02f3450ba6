"""The metrics of the process, as Prometheus reads them."""

from __future__ import annotations

import re

from tests.integration.cloud import Bucket, Cloud, Queue
from tests.integration.container import Container, Reply, in_turn
from tests.integration.servers import free_port
from tests.integration.sidecar import Sidecar, async_settings, batch_settings
from tests.integration.waiting import eventually

FAMILIES = {
    "cortex_async_latency": "histogram",
    "cortex_async_request_count": "counter",
    "cortex_batch_succeeded": "counter",
    "cortex_batch_failed": "counter",
    "cortex_time_per_batch": "histogram",
    "dequeuer_messages_total": "counter",
    "dequeuer_in_flight": "gauge",
    "dequeuer_slots": "gauge",
    "dequeuer_slots_busy": "gauge",
    "dequeuer_paused": "gauge",
    "dequeuer_source_calls_total": "counter",
    "dequeuer_store_calls_total": "counter",
    "dequeuer_store_call_seconds": "histogram",
    "dequeuer_queue_time_seconds": "histogram",
    "dequeuer_probe_healthy": "gauge",
    "dequeuer_leases_lost_total": "counter",
    "dequeuer_build_info": "gauge",
}


def families(text: str) -> dict[str, str]:
    """Return the families that have both HELP and TYPE, by their type."""
    helped = set(re.findall(r"^# HELP (\S+) \S", text, re.MULTILINE))
    return {name: kind for name, kind in re.findall(r"^# TYPE (\S+) (\S+)$", text, re.MULTILINE) if name in helped}


def test_every_family_is_there_from_the_first_scrape_on(cloud: Cloud, queue: Queue, bucket: Bucket) -> None:
    nobody = free_port()
    for settings in (async_settings(cloud, queue, bucket, nobody), batch_settings(cloud, queue, nobody)):
        with Sidecar(settings) as sidecar:
            _, text = eventually(lambda s=sidecar: (found := s.get("/metrics"))[0] == 200 and found, "a scrape")  # type: ignore[misc]
        assert FAMILIES.items() <= families(text).items()
        assert "_created" not in text


def test_answers_are_counted_under_cortex_s_names(
    cloud: Cloud, queue: Queue, bucket: Bucket, container: Container
) -> None:
    container.reply = in_turn(Reply(status=503, headers={"Retry-After": "0"}), Reply(), Reply(status=500), Reply())
    with Sidecar(async_settings(cloud, queue, bucket, container.port, DEQUEUER_WORKERS="3")) as sidecar:
        for _ in range(3):
            request_id = bucket.submit(queue)
            eventually(lambda r=request_id: bucket.ended(r), "the request to end")  # type: ignore[misc]
        eventually(lambda: sidecar.metric("dequeuer_in_flight") == 0, "nothing to be in flight")
        _, text = sidecar.get("/metrics")
    samples = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    counts = {name: float(value) for name, value in samples.items() if name.startswith("cortex_async_request_count")}
    assert counts == {
        'cortex_async_request_count{status_code="200"}': 2,
        'cortex_async_request_count{status_code="500"}': 1,
        'cortex_async_request_count{status_code="503"}': 1,
    }
    buckets = [name for name in samples if name.startswith("cortex_async_latency_bucket{") and '"200"' in name]
    ends = [re.findall(r'le="([^"]+)"', name)[0] for name in buckets]
    assert ends == ["0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "1", "2.5", "5", "10", "+Inf"]
    assert float(samples['cortex_async_latency_count{status_code="200"}']) == 2
    assert float(samples['dequeuer_messages_total{settlement="completed"}']) == 2
    assert float(samples['dequeuer_messages_total{settlement="failed"}']) == 1
    assert float(samples['dequeuer_messages_total{settlement="retried"}']) == 1
    assert float(samples["dequeuer_slots"]) == 3
    assert float(samples["dequeuer_queue_time_seconds_count"]) == 4
