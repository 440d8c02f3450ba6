"""Priorities with processes and real servers: a gateway that sends to three queues, and a sidecar that works them off."""

from __future__ import annotations

import json
import urllib.error
import urllib.request

import pytest

from tests.integration.cloud import Bucket, Cloud
from tests.integration.container import Container, Reply
from tests.integration.gateway_process import Gateway
from tests.integration.sidecar import Sidecar, async_settings
from tests.integration.waiting import eventually

HEADER = "X-Dequeuer-Priority"


def submit(gateway: Gateway, priority: str | None, payload: bytes) -> str:
    headers = {} if priority is None else {HEADER: priority}
    request = urllib.request.Request(f"http://127.0.0.1:{gateway.port}/api", payload, headers)
    with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310 - loopback
        request_id: str = json.loads(answer.read())["id"]
        return request_id


def test_requests_of_all_priorities_are_done_and_brought_back_to_their_queues(
    cloud: Cloud, bucket: Bucket, container: Container
) -> None:
    own, high, low = (cloud.queue(max_receives=1) for _ in range(3))
    more = {"DEQUEUER_PRIORITY_QUEUES": f"api/high={high.url},api/low={low.url}"}
    settings = async_settings(cloud, own, bucket, container.port)
    del settings["DEQUEUER_QUEUE_URL"]
    settings["DEQUEUER_QUEUE_URLS"] = f"{high.url} 8, {own.url} 2, {low.url} 1"
    container.reply = lambda _request: Reply(body=b'{"ok": true}')
    with Gateway(cloud.url, bucket, own.url, more=more) as gateway:
        gateway.wait_started()
        ids = {name: submit(gateway, name, str(name).encode()) for name in (None, "high", "low")}
        assert [queue.count() for queue in (own, high, low)] == [1, 1, 1]
        with pytest.raises(urllib.error.HTTPError) as refused:
            submit(gateway, "urgent", b"")
        with refused.value as error:
            assert (error.code, json.loads(error.read())["code"]) == (400, "invalid_priority")

        # The message of one queue has no receive left, and goes to the dead letters of that queue.
        assert eventually(low.take, "the message of the low queue") is not None
        eventually(lambda: low.take() is None and low.count() == 0, "the message to be moved")
        with Sidecar(settings):
            for name in (None, "high"):
                document = json.loads(gateway.call(f"/api/{ids[name]}?wait=60")[1])
                assert (document["status"], document["result"]) == ("completed", {"ok": True})
            path = "/api/_dead-letters?priority=low"
            [letter] = json.loads(gateway.call(path)[1])["dead_letters"]
            assert (letter["id"], letter["status"]) == (ids["low"], "in_queue")
            assert json.loads(gateway.call("/api/_dead-letters")[1])["dead_letters"] == []
            status, text = gateway.call(f"{path}&action=redrive", method="PUT")
            assert (status, json.loads(text)["moved"]) == (200, 1)
            assert json.loads(gateway.call(f"/api/{ids['low']}?wait=60")[1])["status"] == "completed"
    assert {request.body for request in container.requests} == {b"None", b"high", b"low"}
    assert not any(request.header(HEADER) for request in container.requests)
