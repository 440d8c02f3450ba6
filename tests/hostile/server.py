"""A raw TCP server that follows a script, with responses that end only when the client closes the connection."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from contextlib import AbstractAsyncContextManager
from typing import TypeAlias

from tests.tcp_server import Connection, aborting, tcp_server

Script: TypeAlias = Connection

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
OK = HEAD + b"Content-Length: 2\r\n\r\n{}"


def serving(script: Script) -> AbstractAsyncContextManager[int]:
    """Run `script` on every connection; yield the port. Scripts that still run at the end are cancelled."""
    return tcp_server(aborting(script), limit=2**20)


async def read_request(reader: asyncio.StreamReader) -> bytes:
    """Read a head and the body that its Content-Length announces; return both."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = 0
    for line in head.split(b"\r\n"):
        if line.lower().startswith(b"content-length:"):
            length = int(line.split(b":")[1])
    return head + await reader.readexactly(length)


async def hang_up(writer: asyncio.StreamWriter) -> None:
    """Close so that all written bytes arrive."""
    await writer.drain()
    if writer.can_write_eof():
        writer.write_eof()


def reset(writer: asyncio.StreamWriter) -> None:
    """Close with a TCP reset."""
    sock: socket.socket = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


def answering(*parts: bytes, then: str = "wait") -> Script:
    """Respond to each request with `parts`, each in its own segment.

    `then`: "wait" for the next request, "close" orderly, or "reset".
    """

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await read_request(reader)
            for part in parts:
                writer.write(part)
                await writer.drain()
                await asyncio.sleep(0)
            if then == "close":
                await hang_up(writer)
                await reader.read()
                return
            if then == "reset":
                reset(writer)
                return

    return script


def flooding(begin: bytes, piece: bytes) -> Script:
    """Respond with `begin`, then `piece` without end, until the client closes the connection."""
    block = piece * max(1, 65536 // len(piece))

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(begin)
        while not writer.is_closing():
            writer.write(block)
            await writer.drain()

    return script


def dripping(begin: bytes, piece: bytes) -> Script:
    """Respond with `begin`, then `piece` again and again, slowly, until the client closes the connection."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(begin)
        while not writer.is_closing():
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0.005)

    return script


def responding_early(raw: bytes) -> Script:
    """Respond when the head has arrived, and read nothing of the body."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(raw)
        await writer.drain()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(30):
                await asyncio.Event().wait()

    return script


def responding_twice(raw: bytes, extra: bytes, sent: asyncio.Event) -> Script:
    """Respond to each request, and send `extra` later; `sent` is set when it was sent."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await read_request(reader)
            writer.write(raw)
            await writer.drain()
            await asyncio.sleep(0.05)
            writer.write(extra)
            await writer.drain()
            sent.set()

    return script
