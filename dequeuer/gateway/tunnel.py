"""An upgraded connection of a client: bytes in both directions, until one side ends."""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Final, cast

from aiohttp import web

from dequeuer.gateway.upstream import READ_BYTES, Upstream
from dequeuer.gateway.written_response import write

if TYPE_CHECKING:
    from aiohttp.http import WebSocketReader

_FULL_BYTES: Final = READ_BYTES
"""What was read from the client and could not be sent on: above it nothing is read."""


class ClientBytes:
    """What a client sends after its connection was upgraded. The server of the library feeds it.

    To be made before the client knows that its connection is upgraded.
    """

    def __init__(self, request: web.Request) -> None:
        self._protocol = request.protocol
        self._pieces: deque[bytes] = deque()
        self._size = 0
        self._has_ended = False
        self._arrived = asyncio.Event()
        # The library gives its own reader of WebSocket frames here, and calls these two methods of it.
        request.protocol.set_parser(cast("WebSocketReader", self))

    def feed_data(self, data: bytes) -> tuple[bool, bytes]:
        """Take what has arrived."""
        self._pieces.append(bytes(data))
        self._size += len(data)
        if self._size > _FULL_BYTES:
            self._protocol.pause_reading()
        self._arrived.set()
        return False, b""

    def feed_eof(self) -> None:
        """The client has closed its connection."""
        self._has_ended = True
        self._arrived.set()

    async def read(self) -> bytes:
        """Return what has arrived; b"": the client has gone, and everything was returned."""
        while not self._pieces and not self._has_ended:
            self._arrived.clear()
            await self._arrived.wait()
        data = b"".join(self._pieces)
        self._pieces.clear()
        self._size = 0
        if not self._has_ended and len(data) > _FULL_BYTES:
            self._protocol.resume_reading()
        return data


async def run_tunnel(client: ClientBytes, request: web.Request, upstream: Upstream) -> None:
    """Pass bytes in both directions until one side ends; return when what it sent was passed on.

    Raises `OSError`: the client is gone, or reads nothing.
    """
    tasks = {
        asyncio.create_task(_to_upstream(client, upstream), name="gateway-tunnel-in"),
        asyncio.create_task(_to_client(upstream, request), name="gateway-tunnel-out"),
    }
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
    await upstream.close()
    for task in tasks:
        if not task.cancelled() and (error := task.exception()) is not None:
            raise error


async def _to_upstream(client: ClientBytes, upstream: Upstream) -> None:
    with suppress(OSError):
        while data := await client.read():
            await upstream.send(data)


async def _to_client(upstream: Upstream, request: web.Request) -> None:
    while True:
        try:
            data = await upstream.read()
        except OSError:
            return
        if not data:
            return
        await write(request, data)
