"""An API is paused and resumed, with gateway, sidecar and container as processes."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest

from tests.integration.cloud import Bucket, Cloud, Queue
from tests.integration.container import Container
from tests.integration.gateway_process import Gateway
from tests.integration.sidecar import Sidecar, async_settings
from tests.integration.waiting import eventually

INTERVAL = {"DEQUEUER_PAUSE_CHECK_INTERVAL": "0.2"}


@pytest.fixture
def gateway(cloud: Cloud, queue: Queue, bucket: Bucket) -> Iterator[Gateway]:
    with Gateway(cloud.url, bucket, queue.url, more=INTERVAL) as running:
        running.wait_started()
        yield running


def change(gateway: Gateway, action: str) -> None:
    status, text = gateway.call(f"/api?action={action}", method="PUT")
    assert status == 200, text


def not_ready_reason(sidecar: Sidecar) -> str:
    """Return what the admin server says of a sidecar that is not ready."""
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(f"http://127.0.0.1:{sidecar.admin_port}/healthz", timeout=30)
    with caught.value as answer:
        return answer.headers["X-Dequeuer-Reason"]


def status_of(gateway: Gateway, request_id: str) -> str:
    status: str = json.loads(gateway.call(f"/api/{request_id}")[1])["status"]
    return status


def test_a_paused_api_runs_nothing_also_after_a_restart_and_everything_once_it_is_resumed(
    cloud: Cloud, queue: Queue, bucket: Bucket, container: Container, gateway: Gateway
) -> None:
    change(gateway, "pause")
    assert "paused" in json.loads(gateway.call("/api")[1])
    ids = [gateway.submit(b"%d" % number) for number in range(3)]
    settings = async_settings(cloud, queue, bucket, container.port, DEQUEUER_POLL_WAIT="1", **INTERVAL)
    with Sidecar(settings) as first:
        eventually(lambda: first.events("consumption_paused"), "the sidecar to see the pause")
        eventually(lambda: first.events("started"), "the sidecar to start")
        first.kill()
    with Sidecar(settings) as second:
        eventually(lambda: second.events("started"), "the sidecar to start")
        assert second.metric("dequeuer_paused") == 1
        assert not_ready_reason(second) == "the API is paused: resume it at the gateway"
        assert container.requests == []
        assert {status_of(gateway, request_id) for request_id in ids} == {"in_queue"}
        change(gateway, "resume")
        for request_id in ids:
            assert json.loads(gateway.call(f"/api/{request_id}?wait=60")[1])["status"] == "completed"
        assert "paused" not in json.loads(gateway.call("/api")[1])
        assert sorted(request.body for request in container.requests) == [b"0", b"1", b"2"]
        change(gateway, "pause")
        eventually(lambda: len(second.events("consumption_paused")) == 2, "the second pause to be seen")
