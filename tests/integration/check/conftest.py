from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from dequeuer.check import network
from dequeuer.probes import protocol
from tests.integration.check.front import FrontCloud
from tests.integration.check.setup import BLOCKED, DAY_S, SetUp
from tests.integration.cloud import Cloud
from tests.integration.container import Container
from tests.integration.servers import free_port


@pytest.fixture
def setup(cloud: Cloud, container: Container, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SetUp]:
    """A set-up of an async API in which nothing is wrong."""
    # A test process that is stalled takes a second for a fault of what it looks at.
    monkeypatch.setattr(network, "SLOW_NAME_S", 60.0)
    monkeypatch.setattr(protocol, "TIMEOUT_S", 30.0)
    queue, bucket = cloud.queue(max_receives=10), cloud.bucket()
    bucket.s3.put_public_access_block(Bucket=bucket.name, PublicAccessBlockConfiguration=BLOCKED)
    with FrontCloud(cloud) as front:
        made = SetUp(
            cloud=cloud,
            front=front,
            queue=queue,
            bucket=bucket,
            container=container,
            folder=tmp_path,
            admin_port=free_port(),
        )
        made.set_attributes(made.dead_letters, MessageRetentionPeriod=str(14 * DAY_S))
        # The same as the default probe, with more than its second.
        made.file("probes.json", f'{{"api": {{"tcpSocket": {{"port": {container.port}}}, "timeoutSeconds": 30}}}}')
        made.program("sidecar")
        made.flags = ["--pod-grace", "60"]
        yield made
