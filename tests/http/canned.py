"""A server that says what it is told to, byte by byte."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from dequeuer.http.origin import Origin

Speak = Callable[["Dialogue"], Awaitable[None]]


@dataclass
class Dialogue:
    """One connection as its server has it."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    number: int
    heads: list[str]

    async def hear(self) -> str:
        """Read one request; "" when the client has hung up."""
        try:
            head = (await self.reader.readuntil(b"\r\n\r\n")).decode()
        except asyncio.IncompleteReadError:
            return ""
        for line in head.lower().splitlines():
            if line.startswith("content-length:"):
                head += (await self.reader.readexactly(int(line.partition(":")[2]))).decode()
        self.heads.append(head)
        return head

    async def say(self, *parts: bytes) -> None:
        """Write parts, each in a segment of its own."""
        for part in parts:
            self.writer.write(part)
            await self.writer.drain()
            await asyncio.sleep(0)

    async def is_hung_up_on(self) -> bool:
        """Wait for the end of the connection."""
        try:
            return not await self.reader.read(1)
        except ConnectionError:
            return True


@dataclass
class Told:
    """What a server saw."""

    origin: Origin
    heads: list[str] = field(default_factory=list)
    connections: int = 0
    open: int = 0


@asynccontextmanager
async def serving(speak: Speak, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[Told]:
    """Run `speak` for every connection."""

    tasks: set[asyncio.Task[None]] = set()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        told.connections += 1
        told.open += 1
        try:
            await speak(Dialogue(reader, writer, told.connections, told.heads))
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            told.open -= 1
            writer.close()
            tasks.discard(task)

    server = await asyncio.start_server(talk, host, port)
    told = Told(Origin(host=host, port=server.sockets[0].getsockname()[1]))
    try:
        yield told
    finally:
        server.close()
        for task in set(tasks):
            task.cancel()
        if tasks:
            await asyncio.wait(set(tasks))
        await server.wait_closed()


def ok(body: bytes = b"", *fields: str) -> bytes:
    """A whole answer."""
    head = "".join(f"{line}\r\n" for line in ["HTTP/1.1 200 OK", f"Content-Length: {len(body)}", *fields])
    return head.encode() + b"\r\n" + body


def answered(status: int, body: bytes = b"") -> bytes:
    """A whole answer of any status."""
    return b"HTTP/1.1 %d Reason\r\nContent-Length: %d\r\n\r\n%b" % (status, len(body), body)


def always(*parts: bytes) -> Speak:
    """Answer every request in parts."""

    async def speak(dialogue: Dialogue) -> None:
        while await dialogue.hear():
            await dialogue.say(*parts)

    return speak


async def eventually(condition: Callable[[], bool]) -> None:
    """Wait for what happens at the other end."""
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.01)


async def echo(dialogue: Dialogue) -> None:
    """Answer each request with its target."""
    while head := await dialogue.hear():
        await dialogue.say(ok(head.split(" ")[1].encode()))
