"""The page of a gateway with a sidecar and a container, as processes: what is live, and what ends it."""

from __future__ import annotations

import json
import signal
import socket
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from tests.integration.cloud import Bucket, Cloud, Queue
from tests.integration.container import Container, Reply
from tests.integration.gateway_process import Gateway
from tests.integration.sidecar import Sidecar, async_settings
from tests.integration.ui.ui_process import Ui
from tests.integration.waiting import eventually


@pytest.fixture
def queue(cloud: Cloud) -> Queue:
    return cloud.queue(max_receives=10)


@pytest.fixture
def gateway(cloud: Cloud, queue: Queue, bucket: Bucket) -> Iterator[Gateway]:
    with Gateway(cloud.url, bucket, queue.url) as running:
        running.wait_started()
        yield running


@pytest.fixture
def sidecar(cloud: Cloud, queue: Queue, bucket: Bucket, container: Container) -> Iterator[Sidecar]:
    with Sidecar(async_settings(cloud, queue, bucket, container.port)) as running:
        yield running


@pytest.fixture
def ui(gateway: Gateway, sidecar: Sidecar) -> Iterator[Ui]:
    metrics = f"api=http://127.0.0.1:{sidecar.admin_port},http://127.0.0.1:{gateway.admin_port}"
    with Ui(f"http://127.0.0.1:{gateway.port}", "--metrics", metrics) as running:
        running.wait_started()
        yield running


def is_known(api: dict[str, Any]) -> bool:
    """Return whether a page was told of one completed request, the queue and the sidecar: each is asked by itself."""
    return api["completed"] == 1 and None not in (api["ready"], api["queue"])


def test_a_request_that_is_submitted_with_the_page_is_seen_to_its_end(ui: Ui, container: Container) -> None:
    container.reply = lambda _request: Reply(body=b'{"pi": 3.140}')
    with ui.look() as events:
        status, submitted = ui.call("POST", "/api/apis/api/requests", '{"name": "you"}')
        assert status == 200
        ended = {"id": submitted["id"], "status": "completed"}
        told = events.until("requests", lambda found: any({**one, **ended} == one for one in found["requests"]))
        assert told["api"] == "api"
        snapshot = events.until("snapshot", lambda found: bool(found["apis"]) and is_known(found["apis"][0]))
    [api] = snapshot["apis"]
    assert (api["ready"], api["queue"]["dead"], snapshot["faults"]) == (True, 0, [])
    status, document = ui.call("GET", f"/api/apis/api/requests/{submitted['id']}")
    assert (status, document["result"], document["attempts"][0]["outcome"]) == (200, {"pi": 3.14}, "completed")


def test_a_gateway_that_is_started_again_is_seen_to_be_away_and_back(
    ui: Ui, gateway: Gateway, cloud: Cloud, queue: Queue, bucket: Bucket
) -> None:
    with ui.look() as events:
        events.until("snapshot", lambda found: found["apis"] and not found["faults"])
        gateway.kill()
        events.until("snapshot", lambda found: any("gateway is away" in fault for fault in found["faults"]))
        status, fields = ui.call("GET", "/api/apis/api/requests")
        assert (status, "away" in fields["error"]["message"]) == (502, True)
        with Gateway(cloud.url, bucket, queue.url, port=gateway.port) as again:
            again.wait_started()
            events.until("snapshot", lambda found: not any("gateway is away" in fault for fault in found["faults"]))


def test_sigterm_ends_the_streams_and_the_process_with_status_0(ui: Ui) -> None:
    with ui.look() as events:
        events.until("snapshot", lambda _: True)
        ui.terminate()
        assert {name for name, _ in events} <= {"snapshot", "requests"}
        assert ui.wait() == 0
    assert ui.events("ui_draining")


def test_a_second_signal_skips_the_requests_under_way_and_the_status_is_1(ui: Ui, gateway: Gateway) -> None:
    gateway.process.send_signal(signal.SIGSTOP)
    try:
        with closing(socket.create_connection(("127.0.0.1", ui.port))) as waiting:
            waiting.sendall(f"GET /api/apis HTTP/1.1\r\nHost: 127.0.0.1:{ui.port}\r\n\r\n".encode())
            # A request that came later is answered: the first one is under way.
            assert ui.call("GET", "/none")[0] == 404
            ui.terminate()
            eventually(lambda: ui.events("ui_draining"), "the drain")
            ui.terminate()
            assert ui.wait() == 1
    finally:
        gateway.process.send_signal(signal.SIGCONT)


def test_a_port_that_is_taken_ends_it_with_status_1_and_says_so(gateway: Gateway) -> None:
    with Sidecar(
        {"DEQUEUER_LOG_FORMAT": "json", "DEQUEUER_UI_PORT": str(gateway.port)},
        *("ui", "--gateway", f"http://127.0.0.1:{gateway.port}"),
    ) as running:
        assert running.wait() == 1
        [line] = running.events("ui_cannot_listen")
        assert str(gateway.port) in line["addresses"]


def test_bad_settings_end_it_with_status_2(gateway: Gateway) -> None:
    with Sidecar({"DEQUEUER_UI_HOST": "0.0.0.0"}, "ui", "--gateway", f"http://127.0.0.1:{gateway.port}") as running:
        assert running.wait() == 2
        assert "DEQUEUER_UI_TOKEN_FILE" in "\n".join(running.lines)
    assert json.loads(gateway.call("/_apis")[1])["apis"]
