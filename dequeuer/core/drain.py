"""The drain: the request to stop the process. All code that begins new work checks it."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class Drain:
    """The request to stop, never withdrawn. A second request forces the drain: running work is not waited for.

    A drain that `begin` has begun does not end the process: it waits for `request`.
    """

    def __init__(self) -> None:
        self._requested = asyncio.Event()
        self._end_requested = asyncio.Event()
        self._forced = asyncio.Event()

    @property
    def requested(self) -> bool:
        """Whether no new work may begin."""
        return self._requested.is_set()

    @property
    def is_forced(self) -> bool:
        """Whether running work must be cancelled and released instead of finished."""
        return self._forced.is_set()

    def begin(self) -> None:
        """Begin the drain without ending the process. It is no request: neither the first nor the second one."""
        self._requested.set()

    def request(self) -> None:
        """Begin the drain, and end the process after it; a second call forces it: running work is not waited for."""
        if self._end_requested.is_set():
            self._forced.set()
        self._end_requested.set()
        self._requested.set()

    async def run_until_requested(self, start: Coroutine[Any, Any, T], name: str) -> T | None:
        """Run a part of the start-up and return its result; return None when the drain begins first.

        Args:
            start: has no time limit; it is cancelled when the drain begins.
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
                # An error during the cancellation has no effect. Without this call asyncio would log it.
                starting.exception()

    async def wait_requested(self) -> None:
        """Return when the drain begins."""
        await self._requested.wait()

    async def wait_end_requested(self) -> None:
        """Return when the process is to end after the drain."""
        await self._end_requested.wait()

    async def wait_forced(self) -> None:
        """Return when the drain is forced."""
        await self._forced.wait()
