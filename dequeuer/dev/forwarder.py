"""Passes the connections to one address on to a port of this machine."""

from __future__ import annotations

import asyncio
from typing import Final

from dequeuer.http.resetting import reset
from dequeuer.process.ports import HOST

MAX_CONNECTIONS: Final = 1000
"""More are refused. Each takes two open files of this process."""
_CHUNK_BYTES: Final = 64 * 1024


class Forwarder:
    """`Stoppable`. It copies bytes, so WebSockets and streams pass.

    Args:
        port: on loopback, to which connections are passed on. While nothing listens there, they are reset.
    """

    def __init__(self, port: int) -> None:
        self._port = port
        self._servers: list[asyncio.Server] = []
        self._connections: set[asyncio.Task[None]] = set()

    async def listen(self, host: str, port: int) -> int:
        """Begin to accept connections; return the port, which `port` 0 chooses. Raises `OSError`."""
        server = await asyncio.start_server(self._accept, host, port)
        self._servers.append(server)
        number: int = server.sockets[0].getsockname()[1]
        return number

    async def stop(self, stop_now: asyncio.Event) -> None:  # noqa: ARG002 - nothing here has a grace period
        """End all connections."""
        for server in self._servers:
            server.close()
        for connection in self._connections:
            connection.cancel()
        if self._connections:
            await asyncio.wait(self._connections)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._connections) >= MAX_CONNECTIONS:
            reset(writer.transport)
            return
        connection = asyncio.create_task(self._pass_on(reader, writer), name="dev-forwarded")
        self._connections.add(connection)
        connection.add_done_callback(self._connections.discard)

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            to_reader, to_writer = await asyncio.open_connection(HOST, self._port)
        except OSError:
            reset(writer.transport)
            return
        except asyncio.CancelledError:
            reset(writer.transport)
            raise
        copies = {
            asyncio.create_task(_copy(reader, to_writer), name="dev-forwarded-there"),
            asyncio.create_task(_copy(to_reader, writer), name="dev-forwarded-back"),
        }
        try:
            await asyncio.wait(copies, return_when=asyncio.FIRST_EXCEPTION)
        finally:
            for copy in copies:
                copy.cancel()
            # Half of what one end sends must not look whole to the other one.
            failed = [not copy.done() or copy.exception() is not None for copy in copies]
            for one in (writer, to_writer):
                if any(failed):
                    reset(one.transport)
                else:
                    one.close()
            await asyncio.wait(copies)


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Copy until the end, and pass that on. Raises `OSError`."""
    while data := await reader.read(_CHUNK_BYTES):
        writer.write(data)
        await writer.drain()
    writer.write_eof()
