"""One proxy with a container that records, for all tests that send bytes through it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.integration.proxy.proxy_process import IMPATIENT, Proxy
from tests.integration.proxy.recorder import Recorder, recording


@pytest.fixture(scope="session")
def shared_recorder() -> Iterator[Recorder]:
    with recording() as recorder:
        yield recorder


@pytest.fixture(scope="session")
def shared_proxy(shared_recorder: Recorder) -> Iterator[int]:
    with Proxy(shared_recorder.port, **IMPATIENT) as proxy:
        proxy.wait_ready()
        yield proxy.port
