"""How long the container may take for one request, waiting for others not counted."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

from dequeuer.errors import ContainerTimeoutError


class Budget:
    """The time the container may take. It runs only while the container is waited for."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._left = seconds
        self._limit: asyncio.Timeout | None = None
        self._running_since: float | None = None

    @asynccontextmanager
    async def spend(self) -> AsyncIterator[None]:
        """Run the body within what is left; raises `ContainerTimeoutError` when that is used up."""
        try:
            async with asyncio.timeout(None) as limit:
                self._limit = limit
                self._run()
                try:
                    yield
                finally:
                    self._stop()
                    self._limit = None
        except TimeoutError as error:
            raise ContainerTimeoutError(f"no whole answer within {self._seconds:g} s") from error

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Stop the clock for the body, which waits for somebody else."""
        limit = self._limit
        if limit is None or limit.expired() or self._running_since is None:
            yield
            return
        self._stop()
        limit.reschedule(None)
        try:
            yield
        finally:
            # What was limited may have ended meanwhile: the container can answer before it has read everything.
            if self._limit is limit and not limit.expired():
                self._run()

    def _run(self) -> None:
        self._running_since = asyncio.get_running_loop().time()
        if self._limit is not None:
            self._limit.reschedule(self._running_since + self._left)

    def _stop(self) -> None:
        if self._running_since is not None:
            self._left -= asyncio.get_running_loop().time() - self._running_since
            self._running_since = None
