"""A server that runs a script for each connection: the test decides about every byte."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from dequeuer.http.origin import Origin
from tests.tcp_server import tcp_server

Script = Callable[["ClientConnection"], Awaitable[None]]


@dataclass
class ClientConnection:
    """The server side of one connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    number: int
    heads: list[str]

    async def read_request(self) -> str:
        """Read one request; "": the client has closed the connection."""
        try:
            head = (await self.reader.readuntil(b"\r\n\r\n")).decode()
        except asyncio.IncompleteReadError:
            return ""
        for line in head.lower().splitlines():
            if line.startswith("content-length:"):
                head += (await self.reader.readexactly(int(line.partition(":")[2]))).decode()
        self.heads.append(head)
        return head

    async def send(self, *parts: bytes) -> None:
        """Write parts, each in a TCP segment of its own."""
        for part in parts:
            self.writer.write(part)
            await self.writer.drain()
            await asyncio.sleep(0)

    async def is_closed(self) -> bool:
        """Wait for the end of the connection."""
        try:
            return not await self.reader.read(1)
        except ConnectionError:
            return True


@dataclass
class RunningServer:
    """A running server: what it received, and its connections."""

    origin: Origin
    heads: list[str] = field(default_factory=list)
    connections: int = 0
    open: int = 0


@asynccontextmanager
async def serving(script: Script, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[RunningServer]:
    """Run a server with `script` for every connection."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server.connections += 1
        server.open += 1
        try:
            await script(ClientConnection(reader, writer, server.connections, server.heads))
        finally:
            server.open -= 1

    async with tcp_server(talk, host, port) as bound_port:
        server = RunningServer(Origin(host=host, port=bound_port))
        yield server


def ok(body: bytes = b"", *fields: str) -> bytes:
    """Return a whole response with status 200."""
    head = "".join(f"{line}\r\n" for line in ["HTTP/1.1 200 OK", f"Content-Length: {len(body)}", *fields])
    return head.encode() + b"\r\n" + body


def response(status: int, body: bytes = b"") -> bytes:
    """Return a whole response with any status."""
    return b"HTTP/1.1 %d Reason\r\nContent-Length: %d\r\n\r\n%b" % (status, len(body), body)


def always_send(*parts: bytes) -> Script:
    """Return a script that sends the same parts for every request."""

    async def script(client: ClientConnection) -> None:
        while await client.read_request():
            await client.send(*parts)

    return script


async def eventually(condition: Callable[[], bool]) -> None:
    """Wait for a change at the other end of a connection."""
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 - there is no event to wait for
            await asyncio.sleep(0.01)


async def echo(client: ClientConnection) -> None:
    """Respond to each request with its target."""
    while head := await client.read_request():
        await client.send(ok(head.split(" ")[1].encode()))
