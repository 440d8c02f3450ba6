"""Connections to one server: reused, the newest first, with one timer for all of their timeouts."""

from __future__ import annotations

import asyncio
from typing import TypeAlias

from dequeuer.http.connection import Connection
from dequeuer.http.dialing import CONNECT_TIMEOUT_S, CheckAddress, Dialer
from dequeuer.http.errors import ConnectionBrokenError
from dequeuer.http.keep_alive import max_idle_s
from dequeuer.http.origin import Origin
from dequeuer.http.response import Response

TIMEOUT_CHECK_INTERVAL_S = 0.5
"""Timeouts are noticed up to this much late."""
SerializedRequest: TypeAlias = tuple[bytes, bytes | bytearray]
"""A request as bytes: its head, and its body."""
MAX_IDLE_S = 20.0
"""An idle connection is closed after this time: fewer connections cost fewer wake-ups."""
RECENTLY_USED_S = 1.0
"""The server has hardly closed a connection that was in use within this time."""


class Reply:
    """A response whose body was read whole."""

    __slots__ = ("_response", "body", "status")

    def __init__(self, response: Response, body: bytes) -> None:
        self._response = response
        self.status = response.status
        self.body = body

    @property
    def headers(self) -> dict[str, str]:
        """Every field, by lower-case name."""
        return self._response.headers

    def field(self, name: str) -> str | None:
        """Return one field; `name` in lower case. Cheaper than `headers`."""
        return self._response.field(name)


class Pool:
    """Sends requests to one origin. The number of connections is bounded by the number of callers.

    Args:
        origin: the server.
        idle_limit_s: how long a connection may be idle before it is closed; 0: each request has a connection of its
            own. A shorter `Keep-Alive` timeout of the server is obeyed.
        connect_timeout_s: for a connection to any of the addresses, TLS included.
        only_after_success: whether a connection is used again only after a response of 2xx; see `Connection`.
        receive_bytes: see `Connection`.
        check_address: see `Dialer`.
    """

    def __init__(  # noqa: PLR0913 - limits of a connection
        self,
        origin: Origin,
        *,
        idle_limit_s: float = MAX_IDLE_S,
        connect_timeout_s: float = CONNECT_TIMEOUT_S,
        only_after_success: bool = False,
        receive_bytes: int | None = None,
        check_address: CheckAddress | None = None,
    ) -> None:
        self._idle_limit_s = idle_limit_s
        self._only_after_success = only_after_success
        self._receive_bytes = receive_bytes
        self._dialer = Dialer(origin, self._connection, connect_timeout_s, check_address)
        self._idle: list[Connection] = []
        self._busy: set[Connection] = set()
        self._timer: asyncio.TimerHandle | None = None
        # Kept, because in Python 3.11 each call of `get_running_loop` is a system call.
        self._loop: asyncio.AbstractEventLoop | None = None

    async def close(self) -> None:
        """Close every connection; requests under way fail."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for connection in self._idle:
            connection.close()
        for connection in list(self._busy):
            connection.abort()
        self._idle.clear()
        self._busy.clear()

    async def exchange(self, request: SerializedRequest, *, timeout_s: float, limit: int) -> Reply:
        """Send a request and return the whole response, of `limit` bytes at most.

        It is sent again when a reused connection turns out to be closed, so only idempotent requests may use this.

        Args:
            request: its head, and its body.
            timeout_s: for the head, and for each further read.
            limit: of the body, bytes.

        Raises:
            HttpTransportError: there is no whole response.
        """
        response = await self.stream(request, timeout_s=timeout_s)
        try:
            return Reply(response, await response.read(limit, timeout_s))
        finally:
            self.release(response)

    async def stream(self, request: SerializedRequest, *, timeout_s: float) -> Response:
        """Send a request like `exchange`; return the response once its head has arrived.

        The caller must `release` it on every path.
        """
        while True:
            connection = self._take_idle() or await self._dial()
            response = connection.send(*request)
            try:
                await response.wait_for_head(timeout_s)
            except ConnectionBrokenError as error:
                self.release(response)
                if not (connection.answered and error.unanswered):
                    raise
                # The server closed it while it was idle. The loop ends: each round removes one idle connection, and a
                # new connection has had no response yet.
            except BaseException:
                self.release(response)
                raise
            else:
                return response

    def release(self, response: Response) -> None:
        """Free the connection of a response of `stream` or `begin_request`. To be called exactly once for each."""
        connection = response.connection
        self._busy.discard(connection)
        response.release()
        if connection.is_reusable and self._loop is not None:
            idle_s = self._idle_limit_s
            if b"keep-alive" in response.fields:  # most servers do not send it
                idle_s = min(idle_s, max_idle_s(response.field("keep-alive")))
            if idle_s > 0:
                connection.idle_since = self._loop.time()
                connection.idle_until = connection.idle_since + idle_s
                self._idle.append(connection)
                return
        connection.close()

    async def begin_request(self, request: bytes, *, fresh: bool = False) -> Response:
        """Send the beginning of a request, which is never sent again; the caller must `release` the response.

        Nothing of the response has arrived yet. The caller writes the rest of the request to `response.connection` and
        then calls its `end_request`.

        Args:
            request: the head, and the part of the body that is available.
            fresh: reuse a connection only if it was in use within `RECENTLY_USED_S`: the server may have closed an
                older one, and a body that can be read only once would be lost with it.
        """
        may_be_kept = not fresh or (
            self._idle and self._idle[-1].idle_since > asyncio.get_running_loop().time() - RECENTLY_USED_S
        )
        connection = (self._take_idle() if may_be_kept else None) or await self._dial()
        return connection.begin_request(request)

    def _take_idle(self) -> Connection | None:
        while self._idle and self._loop is not None:
            connection = self._idle.pop()
            # Checked here, too, because the timer is coarse: the server may be closing the connection now.
            if connection.is_reusable and connection.idle_until > self._loop.time():
                self._busy.add(connection)
                return connection
            connection.close()
        return None

    def _connection(self) -> Connection:
        return Connection(
            asyncio.get_running_loop(),
            only_after_success=self._only_after_success,
            receive_bytes=self._receive_bytes,
        )

    async def _dial(self) -> Connection:
        self._loop = loop = asyncio.get_running_loop()
        connection = await self._dialer.dial(loop)
        self._busy.add(connection)
        if self._timer is None:
            self._check_timeouts(loop)
        return connection

    def _check_timeouts(self, loop: asyncio.AbstractEventLoop) -> None:
        """Fail requests after their deadline, close idle connections; run again while there are any connections."""
        now = loop.time()
        for connection in [connection for connection in self._busy if connection.deadline <= now]:
            connection.expire()
        for connection in self._idle:
            if connection.idle_until <= now:
                connection.close()
        self._idle = [connection for connection in self._idle if connection.is_reusable]
        self._timer = (
            loop.call_later(TIMEOUT_CHECK_INTERVAL_S, self._check_timeouts, loop) if self._idle or self._busy else None
        )
