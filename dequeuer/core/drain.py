"""Whether the process is to end: asked by everything that would begin something new."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class Drain:
    """The wish to stop, set once. `hurry` means that the wait for running work is over, too."""

    def __init__(self) -> None:
        self._requested = asyncio.Event()
        self._forced = asyncio.Event()

    @property
    def requested(self) -> bool:
        """Whether nothing new is to begin."""
        return self._requested.is_set()

    @property
    def is_forced(self) -> bool:
        """Whether running work is to be given back instead of finished."""
        return self._forced.is_set()

    def request(self) -> None:
        """Ask for the drain; a second time skips the wait for running work."""
        if self._requested.is_set():
            self._forced.set()
        self._requested.set()

    async def run_until_requested(self, start: Coroutine[Any, Any, T], name: str) -> T | None:
        """Return what a part of the start-up returns, however long it takes; None when the drain begins before.

        Args:
            start: is cancelled then.
            name: of its task.
        """
        starting = asyncio.create_task(start, name=name)
        asked = asyncio.create_task(self.wait_requested(), name="drain-requested")
        try:
            await asyncio.wait({starting, asked}, return_when=asyncio.FIRST_COMPLETED)
            return starting.result() if starting.done() else None
        finally:
            for task in (starting, asked):
                task.cancel()
            await asyncio.wait({starting, asked})
            if not starting.cancelled():
                # An error while it is cancelled ends nothing; asyncio would log it as one that nobody retrieved.
                starting.exception()

    async def wait_requested(self) -> None:
        """Return when the drain begins."""
        await self._requested.wait()

    async def wait_forced(self) -> None:
        """Return when the wait for running work is to be skipped."""
        await self._forced.wait()
