"""A sidecar whose clock is an hour off, with many requests in flight."""

from __future__ import annotations

import threading

import pytest

from tests.integration.cloud import Bucket, Cloud, Queue
from tests.integration.container import Container, Reply
from tests.integration.sidecar import Sidecar, async_settings
from tests.integration.skewed import skewed
from tests.integration.waiting import eventually

WORKERS = 20


@pytest.mark.parametrize("off_s", [-3600.0, 3600.0])
def test_no_request_is_denied_because_of_a_clock_that_is_off(
    off_s: float, cloud: Cloud, queue: Queue, bucket: Bucket, container: Container
) -> None:
    everybody, full = threading.Event(), threading.Event()

    def reply(_request: object) -> Reply:
        # Twenty results are written at the same time, directly after the clock was changed.
        if container.running == WORKERS:
            full.set()
        everybody.wait(60)
        return Reply(body=b'{"ok": true}')

    container.reply = reply
    requests = [bucket.submit(queue) for _ in range(2 * WORKERS)]
    with skewed(cloud, off_s) as server:
        # The SDK's clients do not correct the clock.
        slim = {"DEQUEUER_AWS_CLIENT": "slim", "DEQUEUER_WORKERS": str(WORKERS)}
        settings = async_settings(cloud, queue, bucket, container.port, **slim)
        with Sidecar(settings | server.settings(queue)) as sidecar:
            assert full.wait(60)
            refused = server.refused
            assert refused > 0
            server.gathers = refused + WORKERS
            server.off_s = -off_s
            everybody.set()
            eventually(lambda: bucket.completed() == len(requests) and queue.is_empty(), "all to be completed")
            assert server.refused >= refused + WORKERS
            assert not sidecar.events("queue_denied") + sidecar.events("store_denied")
            assert {line["settlement"] for line in sidecar.settled(len(requests))} == {"completed"}
            sidecar.terminate()
            assert sidecar.wait() == 0
    assert len(container.requests) == len(requests)
