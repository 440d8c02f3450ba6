"""Starts the processes of a job, and ends all of them, also one that is being started."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from typing import Final

from dequeuer.controller.launchers.base import Launcher, LauncherUnavailableError
from dequeuer.core.retry import retry_until_available
from dequeuer.jobs.layout import JobKeys
from dequeuer.jobs.spec import JobSpec

LATE_START_TIMEOUT_S: Final = 30.0
"""How long the end of all processes waits for one that is being started."""


class JobProcesses:
    """The processes of one job."""

    def __init__(self, keys: JobKeys, launcher: Launcher) -> None:
        self._keys = keys
        self._launcher = launcher
        self._starting: asyncio.Task[None] | None = None
        """The last start of a process. It is not cancelled, because it could have its effect all the same."""

    async def start(self, spec: JobSpec, name: str) -> None:
        """Start a process; see `Launcher`."""
        self._starting = asyncio.create_task(self._launcher.start(self._keys, spec, name), name="start")
        await asyncio.shield(self._starting)

    async def stop(self, names: Collection[str]) -> None:
        """Drain processes; see `Launcher`."""
        await self._launcher.stop(self._keys, names)

    async def stop_all(self) -> None:
        """Drain all processes. The launcher is asked until it can do it: nobody else would end them."""
        if self._starting is not None and not self._starting.done():
            # Otherwise it would start a process that nobody knows of.
            await asyncio.wait({self._starting}, timeout=LATE_START_TIMEOUT_S)
        if self._starting is not None and self._starting.done() and not self._starting.cancelled():
            self._starting.exception()  # the caller of a start that was given up does not see it
        await retry_until_available(LauncherUnavailableError, self._stop_all)

    async def _stop_all(self) -> None:
        await self.stop(tuple(await self._launcher.observe(self._keys)))
