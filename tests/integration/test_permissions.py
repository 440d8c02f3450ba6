"""The policies of docs/permissions.md are enough, and without each line happens what the page says."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.integration.cloud import CLUSTER, Bucket, Cloud, Queue
from tests.integration.container import Container
from tests.integration.refusing import KEY_ARN, Policy, RefusingCloud
from tests.integration.sidecar import Sidecar, async_settings, batch_settings
from tests.integration.waiting import eventually

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "permissions.md").read_text(encoding="utf-8")


def policy(name: str, queue: Queue, bucket: str = "") -> Policy:
    """Return a policy of the page."""
    [document] = re.findall(rf"```json {name}\n(.*?)```", PAGE, re.DOTALL)
    names = {
        "bucket": bucket,
        "cluster-uid": CLUSTER,
        "api": "api",
        "queue": queue.url.rpartition("/")[2],
        "key": KEY_ARN,
    }
    return Policy.of_document(json.loads(document), **names)


@contextmanager
def running(
    cloud: Cloud, queue: Queue, bucket: Bucket, container: Container, *without: str
) -> Iterator[tuple[Sidecar, RefusingCloud]]:
    granted = policy("async", queue, bucket.name)
    assert set(without) <= set(granted.actions)
    with RefusingCloud(cloud, granted.without(*without), has_key=True) as refusing:
        settings = async_settings(cloud, queue, bucket, container.port) | refusing.settings(queue)
        with Sidecar(settings) as sidecar:
            yield sidecar, refusing


def test_the_policy_of_an_async_api_is_enough(cloud: Cloud, queue: Queue, bucket: Bucket, container: Container) -> None:
    with running(cloud, queue, bucket, container) as (sidecar, refusing):
        request_id = bucket.submit(queue)
        assert eventually(lambda: bucket.ended(request_id), "the request to end") == "completed"
        eventually(lambda: sidecar.events("expiry_rule"), "the lifecycle rule")
        assert not refusing.refused
    assert queue.is_empty()


@pytest.mark.parametrize("action", ["sqs:GetQueueAttributes", "s3:ListBucket", "s3:PutObject", "kms:GenerateDataKey"])
def test_what_ends_the_start(cloud: Cloud, queue: Queue, bucket: Bucket, container: Container, action: str) -> None:
    assert f"| `{action}` | exit 1 at start-up |" in PAGE
    with running(cloud, queue, bucket, container, action) as (sidecar, _):
        assert sidecar.wait() == 1
        assert len(sidecar.events("cannot_go_on")) == 1


@pytest.mark.parametrize(
    "action",
    [
        "s3:DeleteObject",
        "s3:AbortMultipartUpload",
        "s3:GetLifecycleConfiguration",
        "s3:PutLifecycleConfiguration",
        "sqs:ChangeMessageVisibility",
    ],
)
def test_what_work_goes_on_without(
    cloud: Cloud, queue: Queue, bucket: Bucket, container: Container, action: str
) -> None:
    with running(cloud, queue, bucket, container, action) as (sidecar, _):
        request_id = bucket.submit(queue)
        eventually(lambda: "status/completed" in bucket.names(request_id), "the request to be completed")
        eventually(queue.is_empty, "its message to be deleted")
        assert sidecar.get("/healthz") == (200, "healthy")


@pytest.mark.parametrize(
    ("action", "calls"), [("sqs:ReceiveMessage", 0), ("kms:Decrypt", 0), ("s3:GetObject", 0), ("sqs:DeleteMessage", 1)]
)
def test_what_holds_the_queue(
    cloud: Cloud, queue: Queue, bucket: Bucket, container: Container, action: str, calls: int
) -> None:
    with running(cloud, queue, bucket, container, action) as (sidecar, refusing):
        bucket.submit(queue)
        eventually(lambda: refusing.refused[action], "the refusal")
        eventually(lambda: sidecar.get("/healthz") == (500, "unhealthy"), "the sidecar to say so")
        bucket.submit(queue)
        assert queue.count() == 2
        assert len(container.requests) == calls


def test_the_policy_of_a_batch_job_is_enough(cloud: Cloud, queue: Queue, container: Container) -> None:
    queue.send("[1]")
    queue.send_completion("job-1")
    with RefusingCloud(cloud, policy("batch", queue), has_key=True) as refusing:
        with Sidecar(batch_settings(cloud, queue, container.port) | refusing.settings(queue)) as sidecar:
            assert sidecar.wait() == 0
        assert not refusing.refused
    assert container.paths("/on-job-complete") == 1
