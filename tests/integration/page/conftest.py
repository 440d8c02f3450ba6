"""A browser, and a server and a page for each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.integration.page.chromium import WHY_NOT, Look, chromium, looking
from tests.integration.page.contract_server import ContractServer, running
from tests.integration.page.world import World, usual


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One for all tests. Its event loop runs until the end, so no test here may be a coroutine."""
    if WHY_NOT:
        pytest.skip(WHY_NOT)
    with chromium() as started:
        yield started


@pytest.fixture
def world() -> World:
    """What the server tells; tests change it before the page is opened."""
    return usual()


@pytest.fixture
def server(world: World) -> Iterator[ContractServer]:
    """The scripted server."""
    with running(world) as started:
        yield started


@pytest.fixture
def look(browser: Browser, server: ContractServer) -> Iterator[Look]:
    """A page of the scripted server. Nothing must go wrong in it."""
    with looking(browser, server.url) as page:
        yield page
