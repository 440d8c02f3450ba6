"""Accepts the connections of clients, bounds and expires them, and ends them in order."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence
from typing import Final

from dequeuer.http.listening import open_listeners
from dequeuer.proxy.client_connection import ClientConnection
from dequeuer.proxy.container_connection import RECEIVE_BYTES
from dequeuer.proxy.parts import ProxyParts

CHECK_INTERVAL_S: Final = 0.5
"""Deadlines are noticed up to this much late."""
BACKLOG: Final = 1024
"""Connections that the kernel keeps until they are accepted."""
KEEPALIVE: Final = ((socket.TCP_KEEPIDLE, 60), (socket.TCP_KEEPINTVL, 15), (socket.TCP_KEEPCNT, 4))
"""Seconds until a silent client is asked for a sign of life, seconds between two questions, and how many."""
LAST_REQUEST_S: Final = 1.0
"""How long an idle connection may still send a request once the proxy listens no more: one may be on its way."""


class Listener:
    """All connections of clients. Create it while the event loop runs."""

    def __init__(self, parts: ProxyParts) -> None:
        self._parts = parts
        self._servers: list[asyncio.Server] = []
        self._connections: set[ClientConnection] = set()
        self._waiting: dict[ClientConnection, None] = {}
        self._is_draining = False
        self._timer: asyncio.TimerHandle | None = None
        self._when_empty: asyncio.Event = asyncio.Event()

    @property
    def connections(self) -> int:
        """How many are open."""
        return len(self._connections)

    async def listen(self, hosts: Sequence[str], port: int) -> int:
        """Listen on all of `hosts`, or on none; port 0: any free port. Returns the port.

        Raises:
            OSError: an address is not available.
            OverflowError: the port is not from 0 to 65535.
        """
        sockets = await open_listeners(hosts, port, BACKLOG)
        found = int(sockets[0].getsockname()[1])
        for listening in sockets:
            # Connections inherit it. It is the most that is read at a time.
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BYTES)
            # And this: a client that vanishes without a word would keep its place for ever.
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            for option, value in KEEPALIVE:
                listening.setsockopt(socket.IPPROTO_TCP, option, value)
            server = await self._parts.loop.create_server(self._make, sock=listening, backlog=BACKLOG)
            self._servers.append(server)
        self._check()
        return found

    def stop_listening(self) -> None:
        """Accept no connection any more.

        Responses carry `Connection: close` from now on, and WebSockets are told that the server goes away.
        """
        self._is_draining = True
        for server in self._servers:
            server.close()
        self._servers.clear()
        for connection in list(self._connections):
            connection.close_after_response()

    async def drain(self, grace_s: float) -> int:
        """Let every request end, and cut what is left after `grace_s`. Returns how many connections that were."""
        loop = self._parts.loop
        ends_at = loop.time() + grace_s
        loop.call_later(min(LAST_REQUEST_S, grace_s / 2), self._close_idle)
        while self._connections and (left_s := ends_at - loop.time()) > 0:
            self._when_empty.clear()
            try:
                async with asyncio.timeout(left_s):
                    await self._when_empty.wait()
            except TimeoutError:
                break
        left = list(self._connections)
        for connection in left:
            connection.cut()
        return len(left)

    async def close(self) -> None:
        """Close everything."""
        self.stop_listening()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for connection in list(self._connections):
            connection.abort()

    def _close_idle(self) -> None:
        for connection in list(self._waiting):
            if not connection.has_partial_head:
                connection.close()

    def _make(self) -> ClientConnection:
        return ClientConnection(self._parts, self._waiting, self._opened, self._closed)

    def _opened(self, connection: ClientConnection) -> None:
        if len(self._connections) >= self._parts.limits.max_connections:
            # The one that has waited longest: it may be this one, when all others have a request.
            next(iter(self._waiting)).abort()
        self._connections.add(connection)
        if self._is_draining:
            connection.close_after_response()

    def _closed(self, connection: ClientConnection) -> None:
        self._connections.discard(connection)
        if not self._connections:
            self._when_empty.set()

    def _check(self) -> None:
        """Notice every deadline that is over; runs again and again."""
        # Before all else: after a bug in what follows, no deadline would be noticed any more.
        self._timer = self._parts.loop.call_later(CHECK_INTERVAL_S, self._check)
        now = self._parts.loop.time()
        self._parts.admission.expire()
        self._parts.pool.close_idle()
        for connection in [one for one in self._connections if one.checked_from <= now]:
            connection.expire(now)
