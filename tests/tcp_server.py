"""A TCP server for one test: it runs a coroutine for each connection, and leaves no task behind."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeAlias

Connection: TypeAlias = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def aborting(connection: Connection) -> Connection:
    """End each connection with an abort: what the client has not received by then is lost."""

    async def run(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await connection(reader, writer)
        finally:
            writer.transport.abort()

    return run


@asynccontextmanager
async def tcp_server(
    connection: Connection, host: str = "127.0.0.1", port: int = 0, **options: Any
) -> AsyncIterator[int]:
    """Serve and yield the port. Connections that still run at the end are cancelled.

    Args:
        connection: runs for each connection, which is closed when it returns. Its errors of the network end it.
        host: address to listen on.
        port: 0: a free one.
        options: of `asyncio.start_server`, such as `ssl` and `limit`.
    """
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            await connection(reader, writer)
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, asyncio.CancelledError):
            pass
        finally:
            writer.close()
            tasks.discard(task)

    server = await asyncio.start_server(serve, host, port, **options)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in set(tasks):
            task.cancel()
        if tasks:
            await asyncio.wait(set(tasks))
        await server.wait_closed()
        await asyncio.sleep(0)  # lets the transports report the end of their connections
