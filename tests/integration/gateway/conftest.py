"""Gateways that serve the API `api` from the queue and the bucket of each test, and a sidecar whose container waits."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.integration.cloud import Bucket, Cloud, Queue
from tests.integration.container import Container
from tests.integration.gateway.held import Held
from tests.integration.gateway_process import Gateway
from tests.integration.sidecar import Sidecar, async_settings


@pytest.fixture
def gateway(cloud: Cloud, queue: Queue, bucket: Bucket) -> Iterator[Gateway]:
    with Gateway(cloud.url, bucket, queue.url) as running:
        running.wait_started()
        yield running


@pytest.fixture
def gateways(cloud: Cloud, bucket: Bucket, queue: Queue) -> Iterator[list[Gateway]]:
    """Two of them, side by side."""
    with Gateway(cloud.url, bucket, queue.url) as one, Gateway(cloud.url, bucket, queue.url) as other:
        one.wait_started()
        other.wait_started()
        yield [one, other]


@pytest.fixture
def held(container: Container) -> Iterator[Held]:
    holding = Held(container)
    yield holding
    holding.may_answer.set()


@pytest.fixture
def sidecar(cloud: Cloud, queue: Queue, bucket: Bucket, container: Container) -> Iterator[Sidecar]:
    with Sidecar(async_settings(cloud, queue, bucket, container.port, DEQUEUER_CANCEL_CHECK_INTERVAL="0.5")) as running:
        yield running
