"""What the HTTP servers of a process share: a limit on idle connections, a drain, and a logger for bugs only."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.typedefs import Handler
from aiohttp.web_protocol import RequestHandler

from dequeuer.http.listening import open_listeners


class IdleLimit:
    """Limits the connections on which no request is being handled.

    A client that connects and sends nothing, or sends it slowly, costs memory and a file descriptor. Without free
    descriptors the process cannot reach its queue. For a new connection above the limit, the one that has been idle
    longest is closed, so that clients with a request are served however many idle connections others hold.

    Args:
        most: idle connections at most.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        # In the order in which they became idle.
        self._idle: dict[RequestHandler, None] = {}
        self._busy = 0
        self._on_lost: dict[RequestHandler, Callable[[], None]] = {}
        self._is_draining = False
        self._quiet = asyncio.Event()
        self._quiet.set()

    def watch(self, app: web.Application) -> None:
        """Add the middleware that marks connections as busy; to be called before the application is set up."""

        @web.middleware
        async def while_busy(request: web.Request, handler: Handler) -> web.StreamResponse:
            connection = request.protocol
            self.unmark_idle(connection)
            self._busy += 1
            self._quiet.clear()
            try:
                response = await handler(request)
                if self._is_draining:
                    response.force_close()
                return response
            finally:
                self._busy -= 1
                if not self._busy:
                    self._quiet.set()
                if connection.transport is not None and not connection.transport.is_closing():
                    self.mark_idle(connection)

        app.middlewares.insert(0, while_busy)

    async def listen(self, runner: web.AppRunner, hosts: Sequence[str], port: int, *, backlog: int = 128) -> None:
        """Listen on all of `hosts`, or on none; port 0: any free port. Raises `OSError`, `OverflowError`."""
        listeners = await open_listeners(hosts, port, backlog)
        try:
            for listener in listeners:
                await _Site(runner, listener, backlog=backlog, limit=self).start()
        except BaseException:
            for listener in listeners:
                listener.close()
            raise

    async def drain(self, runner: web.AppRunner, grace_s: float) -> None:
        """Accept no new connection, and let running requests end within `grace_s`.

        To be called before the clean-up of the runner: after it the library drops what still arrives, so a request
        whose body is not complete would wait for it in vain.
        """
        self._is_draining = True
        for site in list(runner.sites):
            await site.stop()
        for connection in list(self._idle):
            connection.close()
        try:
            async with asyncio.timeout(grace_s):
                await self._quiet.wait()
        except TimeoutError:
            return

    @property
    def is_draining(self) -> bool:
        """Whether no new connection is accepted."""
        return self._is_draining

    @contextmanager
    def when_lost(self, request: web.Request, call: Callable[[], None]) -> Iterator[None]:
        """Call a function when the connection of a request is lost within the context; at once when it is already."""
        connection = request.protocol
        self._on_lost[connection] = call
        if connection.transport is None:
            call()
        try:
            yield
        finally:
            self._on_lost.pop(connection, None)

    def lose(self, handler: RequestHandler) -> None:
        """Tell who waits for it that a connection is lost."""
        self.unmark_idle(handler)
        call = self._on_lost.pop(handler, None)
        if call is not None:
            call()

    def mark_idle(self, handler: RequestHandler) -> None:
        """Count a connection as idle; above the limit, close the one that has been idle longest."""
        self._idle[handler] = None
        if len(self._idle) > self._most:
            oldest = next(iter(self._idle))
            del self._idle[oldest]
            transport = oldest.transport
            oldest.force_close()
            if transport is not None:
                # A plain close would wait until the client has read what was written.
                transport.abort()

    def unmark_idle(self, handler: RequestHandler) -> None:
        """Do not count a connection as idle: it is busy, or closed."""
        self._idle.pop(handler, None)


class _Site(web.SockSite):
    """A `SockSite` whose connections are counted."""

    def __init__(self, runner: web.AppRunner, listener: socket.socket, *, backlog: int, limit: IdleLimit) -> None:
        super().__init__(runner, listener, backlog=backlog)
        self._listener = listener
        self._limit = limit

    async def start(self) -> None:
        await web.BaseSite.start(self)
        self._server = await asyncio.get_running_loop().create_server(
            self._connection, sock=self._listener, backlog=self._backlog
        )

    def _connection(self) -> _Connection:
        if self._runner.server is None:
            raise RuntimeError("the runner was cleaned up")
        return _Connection(self._runner.server(), self._limit)


class _Connection(asyncio.Protocol):
    """Passes everything on to the protocol of the library, and reports its begin and end to the limit."""

    def __init__(self, handler: RequestHandler, limit: IdleLimit) -> None:
        self._handler = handler
        self._limit = limit

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._handler.connection_made(transport)
        self._limit.mark_idle(self._handler)

    def data_received(self, data: bytes) -> None:
        self._handler.data_received(data)

    def eof_received(self) -> None:
        self._handler.eof_received()

    def pause_writing(self) -> None:
        self._handler.pause_writing()

    def resume_writing(self) -> None:
        self._handler.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        self._limit.lose(self._handler)
        self._handler.connection_lost(exc)


def server_log(name: str) -> logging.Logger:
    """Return a logger that drops errors about malformed HTTP: any client can cause them, and their text quotes it."""
    log = logging.getLogger(name)
    log.addFilter(_is_no_http_error)  # adding the same filter twice has no effect
    return log


def _is_no_http_error(record: logging.LogRecord) -> bool:
    """Return whether a record is about something else than malformed HTTP."""
    return not (record.exc_info and isinstance(record.exc_info[1], HttpProcessingError))
