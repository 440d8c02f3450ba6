"""Responses whose bytes a handler writes itself, as they came: the library would change fields and lose others."""

from __future__ import annotations

import asyncio
import socket
import struct
from typing import Final

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter

from dequeuer.observability.admin import REASON_HEADER

IDLE_TIMEOUT_S: Final = 60.0
"""A client that reads nothing for this long loses its connection."""
_NO_LINGER: Final = struct.pack("ii", 1, 0)


class WrittenResponse(web.StreamResponse):
    """A response that is on its way already. The library only learns whether the connection stays open.

    Args:
        status: that was written.
        keep: whether the client may send another request on its connection.
    """

    def __init__(self, status: int, *, keep: bool) -> None:
        super().__init__(status=status)
        if not keep:
            self.force_close()
        self._keep_alive = keep

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter:
        """Write nothing."""
        return request.writer

    async def write_eof(self, data: bytes = b"") -> None:
        """Write nothing."""


async def write(request: web.Request, data: bytes) -> None:
    """Write bytes of a response; return when there is room for more. Raises `OSError`: the client is gone or stalls."""
    async with asyncio.timeout(IDLE_TIMEOUT_S):
        await request.writer.write(data)
        await request.writer.drain()


async def write_refusal(request: web.Request, status: int, reason: str, text: str) -> WrittenResponse:
    """Write a response of the gateway itself, after which the connection is closed.

    Args:
        request: of the client.
        status: of the response.
        reason: of `X-Dequeuer-Reason`.
        text: for people.
    """
    body = f"error: {text}".encode()
    response = web.Response(status=status)
    head = (
        f"HTTP/1.1 {status} {response.reason}\r\nContent-Type: text/plain; charset=utf-8\r\n"
        f"Content-Length: {len(body)}\r\n{REASON_HEADER}: {reason}\r\nConnection: close\r\n\r\n"
    )
    await write(request, head.encode() + (b"" if request.method == "HEAD" else body))
    return WrittenResponse(status, keep=False)


def reset(request: web.Request) -> None:
    """Cut the client's connection off with a reset: without a length, an orderly end would make a response whole."""
    transport = request.transport
    if transport is None:
        return
    connection = transport.get_extra_info("socket")
    if connection is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
    transport.abort()
