"""A store that lacks some header fields: requests complete, and each missing feature is logged once."""

from __future__ import annotations

from tests.integration.cloud import Bucket, Cloud, Queue
from tests.integration.container import Container
from tests.integration.gateway_process import Gateway
from tests.integration.refusing import RefusingCloud
from tests.integration.sidecar import Sidecar, async_settings
from tests.integration.waiting import eventually

UNKNOWN = {"if-none-match", "x-amz-checksum-crc32"}


def test_a_sidecar_works_around_what_the_store_lacks(
    cloud: Cloud, queue: Queue, bucket: Bucket, container: Container
) -> None:
    with RefusingCloud(cloud) as refusing:
        refusing.lacks = UNKNOWN
        settings = async_settings(cloud, queue, bucket, container.port) | refusing.settings(queue)
        with Sidecar(settings) as sidecar:
            for _ in range(3):
                request_id = bucket.submit(queue)
                assert eventually(lambda r=request_id: bucket.ended(r), "the request to end") == "completed"  # type: ignore[misc]
            missing = [line["feature"] for line in sidecar.events("store_feature_missing")]
            # The SDK sends a checksum with DeleteObjects as well.
            assert sorted({*missing} - {"bulk_deletions"}) == ["checksums", "conditional_writes"]
            assert len(missing) == len({*missing})
            assert sidecar.get("/healthz") == (200, "healthy")
    assert len(container.requests) == 3


def test_a_gateway_works_around_what_the_store_lacks(cloud: Cloud, queue: Queue, bucket: Bucket) -> None:
    with RefusingCloud(cloud) as refusing:
        refusing.lacks = UNKNOWN
        with Gateway(refusing.url, bucket, refusing.queue_url(queue)) as gateway:
            gateway.wait_started()
            for _ in range(3):
                request_id = gateway.submit()
                assert bucket.get(request_id, "payload") == (b"payload", "application/x-www-form-urlencoded")
            [line] = eventually(lambda: gateway.events("store_feature_missing"), "the lack to be logged")
            assert (line["level"], line["feature"]) == ("warning", "checksums")
