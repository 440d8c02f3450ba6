from __future__ import annotations

import asyncio
import os
import random
from collections.abc import AsyncIterator, Iterator

import pytest

from dequeuer.core import clock
from tests.controller.stage import EPOCH_S, World


@pytest.fixture
def seed() -> Iterator[int]:
    """What all pauses are drawn from. pytest shows it for a test that fails; CONTROLLER_SEED repeats it."""
    state = random.getstate()
    number = int(os.environ.get("CONTROLLER_SEED") or int.from_bytes(os.urandom(4), "big"))
    print(f"CONTROLLER_SEED={number}")
    random.seed(number)
    yield number
    random.setstate(state)


@pytest.fixture
async def world(monkeypatch: pytest.MonkeyPatch, seed: int) -> AsyncIterator[World]:
    """A world whose processes work, and whose wall clock runs with the event loop."""
    loop = asyncio.get_running_loop()
    monkeypatch.setattr(clock, "wall", lambda: EPOCH_S + loop.time())
    made = World()
    yield made
    made.end_turning()
