"""A load balancer: it asks `/healthz`, forgets a backend late, keeps connections, and retries nothing."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TypeAlias

POLL_S = 0.1
TIMEOUT_S = 30.0


class RequestFailedError(Exception):
    """A request got no whole response, or not the one that it should."""


Dial: TypeAlias = Callable[[int], Awaitable[tuple[asyncio.StreamReader, asyncio.StreamWriter]]]
"""Returns a connection to a port. Raises `OSError`."""


async def dial_loopback(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Return a connection to a port of this machine."""
    return await asyncio.open_connection("127.0.0.1", port)


@dataclass(slots=True, kw_only=True, eq=False)
class Backend:
    """A proxy, as the load balancer knows it. `dial`: how its ports are reached."""

    port: int
    admin_port: int
    dial: Dial = dial_loopback
    in_rotation: bool = False
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    idle: list[Connection] = field(default_factory=list)

    async def wait_in_rotation(self, is_in: bool) -> None:
        async with asyncio.timeout(60):
            while self.in_rotation is not is_in:
                self.changed.clear()
                await self.changed.wait()


@dataclass(slots=True, kw_only=True, eq=False)
class Connection:
    """To a backend."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def exchange(self, data: bytes) -> tuple[bytes, bool]:
        """Return the body of the response, and whether the connection is kept."""
        self.writer.write(data)
        head = (await self.reader.readuntil(b"\r\n\r\n")).lower()
        if not head.startswith(b"http/1.1 200 "):
            raise RequestFailedError(head.decode("latin-1") + str(await self.reader.read(1000)))
        fields = dict(line.split(b": ", 1) for line in head[:-4].split(b"\r\n")[1:])
        if b"content-length" in fields:
            body = await self.reader.readexactly(int(fields[b"content-length"]))
        else:
            body = b""
            while size := int(await self.reader.readuntil(b"\r\n"), 16):
                body += (await self.reader.readexactly(size + 2))[:-2]
            await self.reader.readexactly(2)
        return body, fields.get(b"connection") != b"close"


class Balancer:
    """Sends requests to the backends in rotation, one after the other.

    Args:
        seed: of the times after which a backend that fails its check is not used any more.
        forgets_after_s: the longest of them.
    """

    def __init__(self, seed: int, forgets_after_s: float) -> None:
        self._random = random.Random(seed)
        self._forgets_after_s = forgets_after_s
        self._backends: list[Backend] = []
        self._watches: dict[Backend, asyncio.Task[None]] = {}
        self._next = 0

    def add(self, backend: Backend) -> None:
        """Use a backend as soon as it is healthy."""
        self._backends.append(backend)
        self._watches[backend] = asyncio.create_task(self._watch(backend), name=f"watch-{backend.port}")

    async def stop(self) -> None:
        """Close all connections."""
        for task in self._watches.values():
            task.cancel()
        await asyncio.gather(*self._watches.values(), return_exceptions=True)
        for backend in self._backends:
            for connection in backend.idle:
                connection.writer.close()

    def choose(self) -> Backend:
        """Return the backend whose turn it is."""
        usable = [backend for backend in self._backends if backend.in_rotation]
        if not usable:
            raise RequestFailedError("no backend is in rotation")
        self._next += 1
        return usable[self._next % len(usable)]

    async def connect(self, backend: Backend) -> Connection:
        """Return a new connection."""
        reader, writer = await backend.dial(backend.port)
        return Connection(reader=reader, writer=writer)

    async def send(self, data: bytes) -> bytes:
        """Send a request to a backend, on an idle connection where there is one; return the body of the response."""
        backend = self.choose()
        connection = None
        while backend.idle and connection is None:
            connection = backend.idle.pop()
            if connection.reader.at_eof():
                connection.writer.close()
                connection = None
        connection = connection or await self.connect(backend)
        try:
            async with asyncio.timeout(TIMEOUT_S):
                body, is_kept = await connection.exchange(data)
        except BaseException:
            connection.writer.close()
            raise
        if is_kept:
            backend.idle.append(connection)
        else:
            connection.writer.close()
        return body

    async def _watch(self, backend: Backend) -> None:
        await self._until_health_is(True, backend)
        backend.in_rotation = True
        backend.changed.set()
        await self._until_health_is(False, backend)
        await asyncio.sleep(self._random.uniform(0, self._forgets_after_s))
        backend.in_rotation = False
        backend.changed.set()

    async def _until_health_is(self, is_healthy: bool, backend: Backend) -> None:
        while await _is_healthy(backend) is not is_healthy:  # noqa: ASYNC110 - it is what a load balancer does
            await asyncio.sleep(POLL_S)


async def _is_healthy(backend: Backend) -> bool:
    try:
        reader, writer = await backend.dial(backend.admin_port)
    except OSError:
        return False
    try:
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
        return (await reader.read()).startswith(b"HTTP/1.1 200 ")
    except OSError:
        return False
    finally:
        writer.close()
