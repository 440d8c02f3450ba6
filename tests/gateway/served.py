"""A gateway behind a socket, and clients that send bytes as they are."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import TypeAlias

import yarl
from aiohttp import ClientSession

LIMIT = 64 * 1024 * 1024
"""Of a payload."""
COMPLETED = '"ended":"2021-05-03T12:00:00Z","attempts":[{"outcome":"completed","ended":"2021-05-03T12:00:00Z"}]'
"""The fields of a completed request that Cortex does not have, as the fake store has them."""

Serve: TypeAlias = Callable[..., AbstractAsyncContextManager[ClientSession]]


def as_it_stands(session: ClientSession, path: str) -> yarl.URL:
    """Return a URL whose path the client must not normalise."""
    return yarl.URL(f"{str(session._base_url).rstrip('/')}{path}", encoded=True)


async def raw(session: ClientSession, request: bytes, *, answer: bool = True) -> bytes:
    """Send bytes over a new connection; without `answer`, close it at once."""
    base = session._base_url
    assert base is not None
    reader, writer = await asyncio.open_connection(base.host, base.port)
    try:
        writer.write(request)
        await writer.drain()
        return await _read_answer(reader) if answer else b""
    finally:
        writer.close()
        await writer.wait_closed()


async def _read_answer(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    if head.startswith(b"HTTP/1.1 100 "):
        head += await reader.readuntil(b"\r\n\r\n")
    length = re.search(rb"\r\nContent-Length: ([0-9]+)\r\n", head)
    assert length is not None
    return head + await reader.readexactly(int(length[1]))
