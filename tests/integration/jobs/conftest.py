from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.cloud import Bucket, Cloud
from tests.integration.gateway_process import Gateway
from tests.integration.jobs.controller import write_apis


@pytest.fixture
def apis(tmp_path: Path) -> Path:
    return write_apis(tmp_path)


@pytest.fixture
def gateway(cloud: Cloud, bucket: Bucket, apis: Path) -> Iterator[Gateway]:
    with Gateway(cloud.url, bucket, "", apis=apis) as running:
        running.wait_started()
        yield running
