"""Servers, started once for all tests that use them; each test has its own queue, bucket and container."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.integration.cloud import Bucket, Cloud, Queue
from tests.integration.container import Container
from tests.integration.servers import SERVERS


@pytest.fixture(scope="session")
def clouds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Cloud]]:
    """Clouds by name, started at the first use."""
    with ExitStack() as stack:
        started = _Clouds(stack, tmp_path_factory)
        yield started


class _Clouds(dict[str, Cloud]):
    def __init__(self, stack: ExitStack, folders: pytest.TempPathFactory) -> None:
        super().__init__()
        self._stack = stack
        self._folders = folders

    def __missing__(self, name: str) -> Cloud:
        url = self._stack.enter_context(SERVERS[name](self._folders.mktemp(name)))
        self[name] = Cloud(name, url)
        return self[name]


@pytest.fixture
def cloud(clouds: dict[str, Cloud], request: pytest.FixtureRequest) -> Cloud:
    """ministack, or the server that the test is parametrised with."""
    return clouds[getattr(request, "param", "ministack")]


@pytest.fixture
def bucket(cloud: Cloud) -> Bucket:
    return cloud.bucket()


@pytest.fixture
def queue(cloud: Cloud) -> Queue:
    return cloud.queue()


@pytest.fixture
def container() -> Iterator[Container]:
    with Container() as running:
        yield running
