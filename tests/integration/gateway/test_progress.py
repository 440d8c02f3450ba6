"""A container reports how far its request is, and the report is in the bucket while the request runs."""

from __future__ import annotations

import http.client
import json
import threading
from contextlib import closing
from urllib.parse import urlsplit

from tests.integration.cloud import Bucket, Cloud, Queue
from tests.integration.container import Container, Reply, Request
from tests.integration.sidecar import Sidecar, async_settings
from tests.integration.waiting import DEADLINE_S, eventually


def report(url: str, body: bytes) -> int:
    """Send a report; return the status of the response."""
    address = urlsplit(url)
    assert address.hostname == "127.0.0.1"
    with closing(http.client.HTTPConnection(address.hostname, address.port, timeout=DEADLINE_S)) as connection:
        connection.request("POST", address.path, body)
        return connection.getresponse().status


def test_reports_are_stored_while_the_request_runs(
    cloud: Cloud, queue: Queue, bucket: Bucket, container: Container
) -> None:
    may_end = threading.Event()
    statuses: list[int] = []
    urls: list[str] = []

    def work(request: Request) -> Reply:
        urls.extend(request.header("X-Dequeuer-Progress-URL"))
        statuses.extend(report(urls[0], body) for body in (b'{"progress": 0.4, "message": "page 4"}', b"nonsense"))
        may_end.wait(DEADLINE_S)
        return Reply()

    container.reply = work
    with Sidecar(async_settings(cloud, queue, bucket, container.port, DEQUEUER_PROGRESS="true")):
        request_id = bucket.submit(queue)
        content, content_type = eventually(lambda: bucket.get(request_id, "progress.json"), "the report to be stored")
        stored = json.loads(content)
        assert content_type == "application/json"
        assert (stored["progress"], stored["message"]) == (0.4, "page 4")
        may_end.set()
        assert eventually(lambda: bucket.ended(request_id), "the request to end") == "completed"
        assert statuses == [204, 400]
        assert report(urls[0], b'{"progress": 1}') == 404
    assert len(container.requests) == 1
