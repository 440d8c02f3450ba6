"""Memory of the sidecar: its limit in the pod is 100 MiB."""

from __future__ import annotations

import hashlib
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.integration.cloud import Bucket, Cloud, Queue
from tests.integration.container import Container, Reply
from tests.integration.servers import fauxqs
from tests.integration.sidecar import AWS_CLIENT, Sidecar, async_settings
from tests.integration.waiting import eventually

IS_SDK = AWS_CLIENT.get("DEQUEUER_AWS_CLIENT") == "sdk"
"""With the SDK nothing is streamed: a response waits for parts of all others, and the SDK itself needs more memory."""
WRITE_TIMEOUT_S = 60 if IS_SDK else 10
LARGE_ANSWERS_MIB = 160 if IS_SDK else 90


@pytest.mark.parametrize("cloud", ["fauxqs"], indirect=True)
def test_a_hundred_workers_and_two_thousand_requests(
    cloud: Cloud, queue: Queue, bucket: Bucket, container: Container
) -> None:
    full = threading.Event()

    def reply(_request: object) -> Reply:
        # No response is sent before all workers have been busy at the same time.
        if container.running == 100:
            full.set()
        full.wait(60)
        return Reply(body=b'{"scores": [' + b"0.123456, " * 100 + b"1]}")

    container.reply = reply
    with ThreadPoolExecutor(10) as pool:
        list(pool.map(lambda _: bucket.submit(queue, b"x" * 1024), range(2000)))
    with Sidecar(async_settings(cloud, queue, bucket, container.port, DEQUEUER_WORKERS="100")) as sidecar:
        eventually(lambda: queue.is_empty() and bucket.completed() == 2000, "2,000 results", 300)
        peak = sidecar.peak_mib()
        sidecar.terminate()
        assert sidecar.wait() == 0
    assert container.most_running == 100
    assert peak < 100


@pytest.mark.parametrize("cloud", ["fauxqs"], indirect=True)
@pytest.mark.parametrize("mib", [0.5, 8])
def test_a_hundred_large_responses_at_the_same_time(
    cloud: Cloud, queue: Queue, tmp_path: Path, container: Container, mib: float
) -> None:
    full = threading.Event()
    body = b'["' + b"x" * (int(mib * 2**20) - 4) + b'"]'

    def reply(_request: object) -> Reply:
        # All respond at the same time, and close the connection when the sidecar does not read for some time.
        if container.running == 100:
            full.set()
        full.wait(60)
        return Reply(body=body, write_timeout_s=WRITE_TIMEOUT_S)

    container.reply = reply
    # As in AWS, the queue is in another process than the store, which is busy for seconds with so many parts.
    with fauxqs(tmp_path) as store_url:
        bucket = Cloud("fauxqs", store_url).bucket()
        ids = [bucket.submit(queue, b"{}") for _ in range(100)]
        settings = async_settings(
            cloud, queue, bucket, container.port, DEQUEUER_WORKERS="100", AWS_ENDPOINT_URL_S3=store_url
        )
        with Sidecar(settings) as sidecar:
            eventually(lambda: queue.is_empty() and bucket.completed() == 100, "100 results", 300)
            peak = sidecar.peak_mib()
            sidecar.terminate()
            assert sidecar.wait() == 0
        # No request was sent twice.
        assert len(container.requests) == container.most_running == 100, [
            settled for settled in sidecar.events("message_settled") if settled["settlement"] != "completed"
        ]
        assert bucket.get(ids[0], "result.json") == (body, "application/json")
        assert peak < LARGE_ANSWERS_MIB


def test_a_payload_of_300_megabytes(cloud: Cloud, queue: Queue, bucket: Bucket, container: Container) -> None:
    payload = hashlib.shake_256(b"large").digest(1_000_000) * 300
    with Sidecar(async_settings(cloud, queue, bucket, container.port)) as sidecar:
        request_id = bucket.submit(queue, payload)
        assert eventually(lambda: bucket.ended(request_id), "the request to end", 300) == "completed"
        peak = sidecar.peak_mib()
    assert container.requests[0].digest == hashlib.sha256(payload).hexdigest()
    assert peak < 130
