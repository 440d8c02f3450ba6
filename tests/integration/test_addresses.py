"""On which addresses the sidecar connects to the container."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.integration.cloud import Bucket, Cloud, Queue
from tests.integration.container import Container
from tests.integration.sidecar import Sidecar, async_settings
from tests.integration.waiting import eventually


@pytest.mark.parametrize("more", [{}, {"DEQUEUER_USER_HOST": "::1"}])
def test_a_container_that_listens_on_ipv6_only(
    cloud: Cloud, queue: Queue, bucket: Bucket, tmp_path: Path, more: dict[str, str]
) -> None:
    probes = tmp_path / "probes.json"
    with Container(host="::1") as container:
        probe = {"httpGet": {"path": "/ready", "port": container.port}, "periodSeconds": 1}
        probes.write_text(json.dumps({"api": probe}), encoding="utf-8")
        settings = async_settings(cloud, queue, bucket, container.port, DEQUEUER_PROBES_PATH=str(probes), **more)
        requests = [bucket.submit(queue) for _ in range(3)]
        with Sidecar(settings) as sidecar:
            sidecar.wait_ready()
            for request_id in requests:
                assert eventually(lambda r=request_id: bucket.ended(r), "the request to end") == "completed"  # type: ignore[misc]
        assert len(container.requests) == 3
        assert container.looks


def test_another_host_is_the_only_one(cloud: Cloud, queue: Queue, bucket: Bucket) -> None:
    with Container(host="::1") as container:
        settings = async_settings(cloud, queue, bucket, container.port, DEQUEUER_USER_HOST="127.0.0.1")
        with Sidecar(settings) as sidecar:
            eventually(lambda: sidecar.events("probe_failing"), "a failed probe")
            assert sidecar.get("/healthz") == (500, "unhealthy")
        assert container.requests == []


def test_without_keep_alive_each_request_has_a_connection_of_its_own(
    cloud: Cloud, queue: Queue, bucket: Bucket, container: Container
) -> None:
    settings = async_settings(cloud, queue, bucket, container.port, DEQUEUER_CONTAINER_KEEPALIVE="false")
    requests = [bucket.submit(queue) for _ in range(5)]
    with Sidecar(settings):
        for request_id in requests:
            assert eventually(lambda r=request_id: bucket.ended(r), "the request to end") == "completed"  # type: ignore[misc]
    assert len({request.client for request in container.requests}) == 5
