"""A proxy in this process, between a client of raw bytes and a container that is written for each test."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from itertools import count

import pytest
import uvloop

from dequeuer.concurrency.slots import FixedLimit
from dequeuer.http.origin import LOCALHOST, Origin
from dequeuer.proxy.admission import Admission
from dequeuer.proxy.container_pool import ContainerPool
from dequeuer.proxy.limits import ProxyLimits
from dequeuer.proxy.listener import Listener
from dequeuer.proxy.parts import ProxyParts
from dequeuer.proxy.record import RequestRecord
from tests.tcp_server import tcp_server

TIMEOUT_S = 30.0
"""Of anything that a test waits for; only a test that fails waits for so long."""


class Records:
    """Keeps every record."""

    def __init__(self) -> None:
        self.ended: list[RequestRecord] = []
        self.open_upgrades = 0
        self._changed = asyncio.Event()

    def request_ended(self, record: RequestRecord) -> None:
        self.ended.append(record)
        self._changed.set()

    def upgrade_opened(self) -> None:
        self.open_upgrades += 1

    def upgrade_closed(self) -> None:
        self.open_upgrades -= 1

    async def wait_for(self, count: int) -> list[RequestRecord]:
        """Return the records once there are `count`."""
        async with asyncio.timeout(TIMEOUT_S):
            while len(self.ended) < count:
                self._changed.clear()
                await self._changed.wait()
        return self.ended


class ContainerSide:
    """One connection of the proxy, as the container sees it."""

    def __init__(
        self, requests: list[bytes], number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._requests = requests
        self.number = number
        """How many connections there were before it."""
        self.reader = reader
        self.writer = writer

    async def head(self) -> bytes:
        """Return the head of the next request, with its empty line."""
        head = await self.reader.readuntil(b"\r\n\r\n")
        self._requests.append(head)
        return head

    async def request(self) -> bytes:
        """Return the next request, whose body has a length or none."""
        head = await self.head()
        found = re.search(rb"\r\nContent-Length: ([0-9]+)\r\n", head)
        if found is not None:
            self._requests[-1] += await self.reader.readexactly(int(found[1]))
        return self._requests[-1]

    def send(self, data: bytes) -> None:
        """Send bytes."""
        self.writer.write(data)

    async def until_closed(self) -> bytes:
        """Return everything that is sent until the proxy closes the connection."""
        return await self.reader.read()


Behaviour = Callable[[ContainerSide], Awaitable[None]]


class Client:
    """One connection to the proxy."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        async with asyncio.timeout(TIMEOUT_S):
            await self.writer.drain()

    async def head(self) -> bytes:
        """Return the next head, with its empty line."""
        async with asyncio.timeout(TIMEOUT_S):
            return await self.reader.readuntil(b"\r\n\r\n")

    async def exactly(self, size: int) -> bytes:
        async with asyncio.timeout(TIMEOUT_S):
            return await self.reader.readexactly(size)

    async def rest(self) -> bytes:
        """Return everything up to the end of the connection."""
        async with asyncio.timeout(TIMEOUT_S):
            return await self.reader.read()

    async def is_cut(self) -> bool:
        """Whether the connection ends with a reset."""
        try:
            await self.rest()
        except ConnectionResetError:
            return True
        return False


@dataclass(kw_only=True)
class Stand:
    """A proxy with its container."""

    listener: Listener
    records: Records
    requests: list[bytes]
    admission: Admission
    pool: ContainerPool
    port: int
    clients: list[Client] = field(default_factory=list)

    async def connect(self) -> Client:
        client = Client(*await asyncio.open_connection(LOCALHOST, self.port))
        self.clients.append(client)
        return client

    async def ask(self, data: bytes) -> Client:
        client = await self.connect()
        await client.send(data)
        return client


MakeStand = Callable[..., Awaitable[Stand]]


def pytest_asyncio_loop_factories(item: pytest.Function) -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Run what has sockets on the event loop of the program, too: the two differ in when they pause and what they join."""
    loops: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {"asyncio": asyncio.new_event_loop}
    return loops | {"uvloop": uvloop.new_event_loop} if "make_stand" in item.fixturenames else loops


@pytest.fixture
async def make_stand() -> AsyncIterator[MakeStand]:
    async with AsyncExitStack() as stack:

        async def make(
            behaviour: Behaviour,
            *,
            limits: ProxyLimits | None = None,
            max_concurrency: int = 10,
            max_queued: int = 10,
            keep_alive: bool = True,
            is_ready: bool = True,
            container_listens: bool = True,
        ) -> Stand:
            loop = asyncio.get_running_loop()
            requests: list[bytes] = []
            numbers = count()

            async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                await behaviour(ContainerSide(requests, next(numbers), reader, writer))

            async with AsyncExitStack() as serving:
                container_port = await serving.enter_async_context(tcp_server(serve))
                if container_listens:
                    stack.push_async_exit(serving.pop_all())
            admission = Admission(
                limit=FixedLimit(max_concurrency),
                max_queued=max_queued,
                queue_timeout_s=0,
                ready_timeout_s=10,
                now=loop.time,
            )
            admission.set_ready(is_ready)
            records = Records()
            pool = ContainerPool(
                Origin(host=LOCALHOST, port=container_port), keep_alive=keep_alive, on_unreachable=lambda: None
            )
            parts = ProxyParts(
                loop=loop, limits=limits or ProxyLimits(), admission=admission, pool=pool, observer=records
            )
            listener = Listener(parts)
            port = await listener.listen([LOCALHOST], 0)
            stand = Stand(
                listener=listener, records=records, requests=requests, admission=admission, pool=pool, port=port
            )

            async def stop() -> None:
                for client in stand.clients:
                    client.writer.close()
                await listener.close()
                await pool.close()

            stack.push_async_callback(stop)
            return stand

        yield make


async def until(condition: Callable[[], bool]) -> None:
    """Return once it holds. The states of the proxy have no event of their own."""
    async with asyncio.timeout(TIMEOUT_S):
        while not condition():  # noqa: ASYNC110 - see above
            await asyncio.sleep(0.001)


def answering(*responses: bytes) -> Behaviour:
    """Return a container that gives these responses, one a request; the last one again and again."""

    async def behave(side: ContainerSide) -> None:
        left = list(responses)
        while True:
            await side.request()
            side.send(left.pop(0) if len(left) > 1 else left[0])

    return behave


def ok(body: bytes = b"hello", *fields: bytes) -> bytes:
    """Return a whole response."""
    lines = b"".join(line + b"\r\n" for line in fields)
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n%b\r\n%b" % (len(body), lines, body)
