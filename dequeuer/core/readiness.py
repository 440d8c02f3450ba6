"""Conditions for receiving messages: each can be waited for, and several can be combined."""

from __future__ import annotations

import asyncio
from typing import Protocol


class Readiness(Protocol):
    """Whether messages may be received."""

    @property
    def is_open(self) -> bool:
        """Whether messages may be received now."""

    async def wait_open(self) -> None:
        """Return after it was open at some moment; callers must check `is_open` again."""

    async def wait_closed(self) -> None:
        """Return after it was closed at some moment."""


class Condition:
    """A `Readiness` that its owner opens and closes."""

    def __init__(self, *, is_open: bool = True) -> None:
        self._is_open = is_open
        self._opened = asyncio.Event()
        self._closed = asyncio.Event()
        (self._opened if is_open else self._closed).set()

    @property
    def is_open(self) -> bool:
        """Whether it is open."""
        return self._is_open

    async def wait_open(self) -> None:
        """Return when it is open."""
        await self._opened.wait()

    async def wait_closed(self) -> None:
        """Return when it is closed."""
        await self._closed.wait()

    def set(self, *, is_open: bool) -> None:
        """Open or close it."""
        self._is_open = is_open
        (self._opened if is_open else self._closed).set()
        (self._closed if is_open else self._opened).clear()


class AllOf:
    """A `Readiness` that is open while all its parts are open."""

    def __init__(self, *parts: Readiness) -> None:
        self._parts = parts

    @property
    def is_open(self) -> bool:
        """Whether every part is open."""
        # Called several times for each message: a generator would cost more than the checks.
        for part in self._parts:  # noqa: SIM110 - see above
            if not part.is_open:
                return False
        return True

    async def wait_open(self) -> None:
        """Return when all parts are open at the same time."""
        while not self.is_open:
            for part in self._parts:
                await part.wait_open()

    async def wait_closed(self) -> None:
        """Return when one part is closed."""
        if not self.is_open:
            return
        waiting = [asyncio.create_task(part.wait_closed(), name="readiness-closed") for part in self._parts]
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in waiting:
                task.cancel()
            await asyncio.wait(waiting)
