"""`/drain` and `/wait-for-drain` of the admin server, for the preStop hooks of the containers in the pod."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from dequeuer.core.drain import Drain
from dequeuer.observability.admin import ActionRefusedError

MAX_WAITING: Final = 16
"""Requests that wait for the end of the drain; a pod has fewer containers. One more ends the wait of the oldest, which
may be of a client that has left: the server does not notice that before it responds."""


class DrainActions:
    """What the two paths do.

    A preStop hook may ask before this process has SIGTERM: so `/wait-for-drain` does not respond before a drain has
    begun, also when nothing is in flight. A container that was stopped then would be missing for the next message.

    Args:
        drain: of the process. `/drain` begins it.
    """

    def __init__(self, drain: Drain) -> None:
        self._drain = drain
        self._is_over = False
        self._waiting: deque[asyncio.Future[None]] = deque()

    @property
    def paths(self) -> Mapping[str, Callable[[], Awaitable[str]]]:
        """The actions of the admin server."""
        return {"/drain": self._begin, "/wait-for-drain": self._wait}

    def drain_ended(self) -> None:
        """Respond to all that wait. Call it also when the process ends in another way, before the server is stopped."""
        self._is_over = True
        for waiting in self._waiting:
            if not waiting.done():
                waiting.set_result(None)

    async def _begin(self) -> str:
        self._drain.begin()
        return "draining\n"

    async def _wait(self) -> str:
        if not self._is_over:
            if len(self._waiting) >= MAX_WAITING:
                self._waiting.popleft().cancel()
            waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append(waiting)
            try:
                await asyncio.wait({waiting})
            finally:
                if waiting in self._waiting:
                    self._waiting.remove(waiting)
            if waiting.cancelled():
                raise ActionRefusedError(f"more than {MAX_WAITING} requests wait for the drain\n")
        return "drained\n"
