from __future__ import annotations

import asyncio
from collections.abc import Mapping

import pytest

from dequeuer.controller.launchers.base import LauncherUnavailableError, ProcessState
from dequeuer.controller.processes import JobProcesses
from dequeuer.jobs.layout import JobKeys
from tests.controller.stage import KEYS, FakeLauncher, World, make_spec

pytestmark = pytest.mark.looptime


class AwayLauncher(FakeLauncher):
    """A launcher that cannot be reached until a time."""

    until = 0.0

    async def observe(self, keys: JobKeys) -> Mapping[str, ProcessState]:
        if asyncio.get_running_loop().time() < self.until:
            raise LauncherUnavailableError("away")
        return await super().observe(keys)


async def test_processes_are_stopped_when_the_launcher_was_away_at_first(world: World) -> None:
    launcher = AwayLauncher(world)
    processes = JobProcesses(KEYS, launcher)
    await processes.start(make_spec(), "worker-0")
    launcher.until = asyncio.get_running_loop().time() + 60
    await processes.stop_all()
    assert world.stopped == ["worker-0"]
    assert not launcher.processes


async def test_a_drain_ends_although_the_launcher_is_away(world: World) -> None:
    controller, drain = world.controller()
    [launcher] = world.launchers
    away = AwayLauncher(world)
    away.until = 1e9
    world.submit()
    running = asyncio.create_task(controller.run())
    await world.until(lambda: launcher.processes)
    launcher.observe = away.observe  # type: ignore[method-assign]
    drain.request()
    async with asyncio.timeout(200):
        await running
    world.end_turning()
