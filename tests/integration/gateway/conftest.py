"""A gateway that serves the API `api` from the queue and the bucket of each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.integration.cloud import Bucket, Cloud, Queue
from tests.integration.gateway_process import Gateway


@pytest.fixture
def gateway(cloud: Cloud, queue: Queue, bucket: Bucket) -> Iterator[Gateway]:
    with Gateway(cloud.url, bucket, queue.url) as running:
        running.wait_started()
        yield running
