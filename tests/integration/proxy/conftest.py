"""Containers with proxies beside them, for all tests that send requests through them: one that records, and unmodified ones."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import pytest

from tests.integration.proxy.containers import Container
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A container with its proxy."""

    container: Container
    proxy: Proxy

    @property
    def ports(self) -> tuple[int, int]:
        """Of the container, and of the proxy."""
        return self.container.port, self.proxy.port


class Pairs:
    """One for each kind of server, started at the first use."""

    def __init__(self, stack: ExitStack, folders: pytest.TempPathFactory) -> None:
        self._stack = stack
        self._folders = folders
        self._running: dict[str, Pair] = {}

    def __getitem__(self, server: str) -> Pair:
        if server not in self._running:
            container = self._stack.enter_context(Container(server, self._folders.mktemp(server)))
            container.wait_ready()
            proxy = self._stack.enter_context(Proxy(container.port, DEQUEUER_MAX_CONCURRENCY="2000"))
            proxy.wait_ready()
            self._running[server] = Pair(container=container, proxy=proxy)
        return self._running[server]


@pytest.fixture(scope="session")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pairs]:
    with ExitStack() as stack:
        yield Pairs(stack, tmp_path_factory)


@pytest.fixture
def pair(pairs: Pairs, request: pytest.FixtureRequest) -> Pair:
    """The pair with uvicorn, or with the server that the test is parametrised with."""
    return pairs[getattr(request, "param", "uvicorn")]
