"""The connections to the container: reused, the newest first."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from dequeuer.http.dialing import CONNECT_TIMEOUT_S, Dialer
from dequeuer.http.errors import HttpTransportError
from dequeuer.http.origin import Origin
from dequeuer.proxy.container_connection import ContainerConnection


class ContainerPool:
    """Connections to one container. Their number is bounded by that of the requests that were admitted.

    Args:
        origin: the container.
        keep_alive: whether a connection is used for more than one request.
        on_unreachable: called for each request for which no connection can be made.
    """

    def __init__(self, origin: Origin, *, keep_alive: bool, on_unreachable: Callable[[], None]) -> None:
        self.keep_alive = keep_alive
        self._on_unreachable = on_unreachable
        # Looked up once: in Python 3.11 each look for the running loop is a system call.
        self._loop = asyncio.get_running_loop()
        self._dialer = Dialer(origin, self._make, CONNECT_TIMEOUT_S)
        self._idle: list[ContainerConnection] = []
        self._open: set[ContainerConnection] = set()
        self._dials: set[asyncio.Task[None]] = set()

    def take_idle(self, *, must_be_open: bool) -> ContainerConnection | None:
        """Return a connection that is open as far as is known; None: there is none.

        `must_be_open`: whether the kernel is asked, because the request cannot be sent twice.
        """
        now = self._loop.time()
        while self._idle:
            connection = self._idle.pop()
            if (
                connection.is_open
                and now < connection.idle_until
                and not (must_be_open and connection.has_closed_unseen())
            ):
                connection.is_reused = True
                return connection
            connection.close()
        return None

    def dial(
        self,
        on_connected: Callable[[ContainerConnection], None],
        on_failed: Callable[[], None],
    ) -> asyncio.Task[None]:
        """Make a connection and pass it to `on_connected`. To be cancelled when it is not wanted any more."""
        task = self._loop.create_task(self._dial(on_connected, on_failed), name="connect-to-container")
        self._dials.add(task)
        task.add_done_callback(self._dials.discard)
        return task

    async def _dial(self, on_connected: Callable[[ContainerConnection], None], on_failed: Callable[[], None]) -> None:
        try:
            connection = await self._dialer.dial(self._loop)
        except HttpTransportError:
            self._on_unreachable()
            on_failed()
            return
        on_connected(connection)

    def close_idle(self) -> None:
        """Close the connections that were idle for too long; to be called about twice a second."""
        now = self._loop.time()
        kept: list[ContainerConnection] = []
        for connection in self._idle:
            if connection.is_open and now < connection.idle_until:
                kept.append(connection)
            else:
                connection.close()
        self._idle = kept

    async def close(self) -> None:
        """Close everything."""
        dials = list(self._dials)
        for task in dials:
            task.cancel()
        await asyncio.gather(*dials, return_exceptions=True)
        for connection in list(self._open):
            connection.abort()
        self._idle.clear()

    def _make(self) -> ContainerConnection:
        connection = ContainerConnection(self._loop, self._released, self._open.discard)
        self._open.add(connection)
        return connection

    def _released(self, connection: ContainerConnection) -> None:
        if self.keep_alive:
            self._idle.append(connection)
        else:
            connection.close()
