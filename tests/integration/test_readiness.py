"""The gate, with probes.json as Cortex writes it: nothing is received for a container that is not ready."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.integration.cloud import Bucket, Cloud, Queue
from tests.integration.container import Container, Held
from tests.integration.servers import free_port
from tests.integration.sidecar import Sidecar, async_settings
from tests.integration.waiting import eventually

RECEIVED = 'dequeuer_source_calls_total{error="none",op="receive"}'


@pytest.fixture
def probed(cloud: Cloud, queue: Queue, bucket: Bucket, container: Container, tmp_path: Path) -> dict[str, str]:
    """Settings with a probe of `/ready` beside the default one."""
    probe = {"httpGet": {"path": "/ready", "port": container.port}, "periodSeconds": 1, "failureThreshold": 2}
    file = tmp_path / "probes.json"
    file.write_text(json.dumps({"api": probe}), encoding="utf-8")
    return async_settings(cloud, queue, bucket, container.port, DEQUEUER_PROBES_PATH=str(file))


def test_a_container_that_listens_but_is_not_ready(
    probed: dict[str, str], queue: Queue, bucket: Bucket, container: Container
) -> None:
    container.health = 503
    request_id = bucket.submit(queue)
    with Sidecar(probed) as sidecar:
        eventually(lambda: sidecar.events("started") and container.looks >= 3, "some looks at the container")
        assert sidecar.get("/healthz") == (500, "unhealthy")
        assert sidecar.get("/livez")[0] == 200
        assert sidecar.metric(RECEIVED) == 0
        container.health = 399
        assert eventually(lambda: bucket.ended(request_id), "the request to end") == "completed"
        assert sidecar.get("/healthz") == (200, "healthy")
        [line] = sidecar.settled(1)
        assert line["receive_count"] == 1
    assert len(container.requests) == 1


def test_a_container_that_is_no_longer_ready_gets_nothing_more(
    probed: dict[str, str], queue: Queue, bucket: Bucket, container: Container
) -> None:
    with Sidecar(probed) as sidecar:
        sidecar.wait_ready()
        eventually(lambda: sidecar.metric(RECEIVED), "a poll")
        container.health = 500
        eventually(lambda: sidecar.get("/healthz") == (500, "unhealthy"), "the gate to close")
        # One poll may have been open; its messages are released at once, and received again later.
        requests = [bucket.submit(queue) for _ in range(3)]
        looks = container.looks
        eventually(lambda: container.looks >= looks + 4, "some more looks")
        assert container.requests == []
        polls = sidecar.metric(RECEIVED)
        eventually(lambda: container.looks >= looks + 6, "some more looks")
        assert sidecar.metric(RECEIVED) == polls
        container.health = 200
        for request_id in requests:
            assert eventually(lambda r=request_id: bucket.ended(r), "the end") == "completed"  # type: ignore[misc]
    assert len(container.requests) == 3


def test_sigterm_while_the_container_is_not_ready(cloud: Cloud, queue: Queue, bucket: Bucket) -> None:
    with Sidecar(async_settings(cloud, queue, bucket, free_port())) as sidecar:
        request_id = bucket.submit(queue)
        eventually(lambda: sidecar.events("started"), "the start")
        sidecar.terminate()
        assert sidecar.wait() == 0
    assert queue.take() == (request_id, 1)


def test_a_gate_that_closes_while_all_workers_are_busy(
    probed: dict[str, str], queue: Queue, bucket: Bucket, container: Container
) -> None:
    container.reply = held = Held()
    with Sidecar(probed) as sidecar:
        first = bucket.submit(queue)
        eventually(lambda: container.requests, "the container to have the request")
        second = bucket.submit(queue)
        polls = sidecar.metric(RECEIVED)
        container.health = 500
        eventually(lambda: sidecar.get("/healthz") == (500, "unhealthy"), "the gate to close")
        held.release.set()
        # Running work is finished; other messages stay in the queue with an unchanged receive count.
        assert eventually(lambda: bucket.ended(first), "the request to end") == "completed"
        looks = container.looks
        eventually(lambda: container.looks >= looks + 3, "some more looks")
        assert sidecar.metric(RECEIVED) == polls
        container.health = 200
        assert eventually(lambda: bucket.ended(second), "the request to end") == "completed"
        assert [line["receive_count"] for line in sidecar.settled(2)] == [1, 1]
    assert len(container.requests) == 2


def test_a_container_that_is_down_longer_than_its_probe_needs_to_notice_costs_one_attempt(
    cloud: Cloud, queue: Queue, bucket: Bucket, tmp_path: Path
) -> None:
    port = free_port()
    # The probe alone would notice after 60 to 90 s; five attempts are used up after 15 s.
    probe = {"tcpSocket": {"port": port}, "periodSeconds": 30, "failureThreshold": 3}
    file = tmp_path / "probes.json"
    file.write_text(json.dumps({"api": probe}), encoding="utf-8")
    settings = async_settings(cloud, queue, bucket, port, DEQUEUER_PROBES_PATH=str(file))
    with Sidecar(settings) as sidecar:
        with Container(port=port):
            first = bucket.submit(queue)
            assert eventually(lambda: bucket.ended(first), "the first request to end") == "completed"
        requests = [bucket.submit(queue) for _ in range(30)]
        eventually(lambda: sidecar.events("container_not_ready"), "a request that finds nobody", 30)
        eventually(lambda: sidecar.events("probe_failing"), "the probe to be run again", 20)
        with Container(port=port):
            for request_id in requests:
                assert eventually(lambda r=request_id: bucket.ended(r), "the end") == "completed"  # type: ignore[misc]
        refused = [line for line in sidecar.events("message_settled") if line["settlement"] == "retried"]
    assert len(refused) == 1, refused
