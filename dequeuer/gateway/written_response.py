"""Responses whose bytes a handler writes itself, as they came: the library would change fields and lose others."""

from __future__ import annotations

import asyncio
from typing import Final

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter

from dequeuer.gateway.refusal_reason import note_reason
from dequeuer.http.own_response import own_response

IDLE_TIMEOUT_S: Final = 60.0
"""A client that reads nothing for this long loses its connection."""


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
    note_reason(request, reason)
    without_body = request.method == "HEAD"
    await write(request, own_response(status, reason, f"error: {text}", keep=False, without_body=without_body))
    return WrittenResponse(status, keep=False)
