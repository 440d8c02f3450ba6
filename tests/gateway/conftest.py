from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
import uvloop
from aiohttp import ClientSession

from dequeuer.core.retry import Backoff
from dequeuer.gateway import job_service, retry
from dequeuer.gateway.application import make_app
from dequeuer.gateway.service import Gateway
from tests.gateway.fakes import URL, FakeQueue, Store, make_gateway, serving
from tests.gateway.jobs import JobStage
from tests.gateway.served import LIMIT, Serve


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
def queue(store: Store) -> FakeQueue:
    return FakeQueue(store)


@pytest.fixture
def gateway(store: Store, queue: FakeQueue) -> Gateway:
    return make_gateway(store, queue)


@pytest.fixture
def serve(store: Store, queue: FakeQueue) -> Serve:
    """Serve a gateway without a file of APIs."""

    @asynccontextmanager
    async def run(queues: dict[str, str] | None = None) -> AsyncIterator[ClientSession]:
        gateway = make_gateway(store, queue, LIMIT)
        app = make_app(gateway, {"api": URL} if queues is None else queues)
        async with serving(app, auto_decompress=False) as session:
            yield session

    return run


@pytest.fixture
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retries follow each other without a pause."""
    policy = replace(retry.REQUEST_RETRIES, backoff=Backoff(initial_s=0.0, max_s=0.0))
    monkeypatch.setattr(retry, "REQUEST_RETRIES", policy)
    monkeypatch.setattr(job_service, "REQUEST_RETRIES", policy)


@pytest.fixture
def stage() -> JobStage:
    return JobStage()


def pytest_asyncio_loop_factories(item: pytest.Function) -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Run the tests of forwarding on the loop of the program, too: it deals with transports itself."""
    loops: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {"asyncio": asyncio.new_event_loop}
    return (
        loops | {"uvloop": uvloop.new_event_loop}
        if item.path.name.startswith(("test_realtime", "test_splitter"))
        else loops
    )
