from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from dequeuer.core import clock
from tests.controller.stage import EPOCH_S, World


@pytest.fixture
async def world(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    """A world whose processes work, and whose wall clock runs with the event loop."""
    loop = asyncio.get_running_loop()
    monkeypatch.setattr(clock, "wall", lambda: EPOCH_S + loop.time())
    made = World()
    yield made
    made.end_turning()
