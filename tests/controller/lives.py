"""Runs one controller on the jobs of a world."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from dequeuer.jobs.documents import JobEnd, JobError
from dequeuer.jobs.layout import JobKeys
from dequeuer.jobs.state import state_of
from tests.controller.stage import KEYS, World


@asynccontextmanager
async def running(world: World, **more: Any) -> AsyncIterator[None]:
    controller, drain = world.controller(**more)
    task = asyncio.create_task(controller.run())
    yield
    drain.request()
    await task


@asynccontextmanager
async def until_over(world: World, *, within_s: float = 600.0) -> AsyncIterator[None]:
    async with running(world):
        yield
        await world.until(world.is_over, within_s)


async def run_to_end(world: World) -> JobEnd:
    async with until_over(world):
        pass
    return world.end()


def error_of(end: JobEnd) -> JobError:
    assert end.error is not None
    return end.error


def state(world: World, keys: JobKeys = KEYS) -> str:
    return state_of(world.names(keys), keys.kind)
