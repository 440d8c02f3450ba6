"""A gateway in front of a realtime API that a test writes, byte by byte."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TypeAlias

from dequeuer.core.events import Observer, ignore
from dequeuer.gateway.access.gate import ANYONE, Access
from dequeuer.gateway.application import make_app, make_runner
from dequeuer.gateway.endpoints import Endpoint, Endpoints
from dequeuer.gateway.realtime import Forwarder
from dequeuer.http.server import IdleLimit
from tests.gateway.fakes import FakeQueue, Store, make_gateway
from tests.tcp_server import tcp_server

DEADLINE_S = 60
CLOSE = b"Host: gate\r\nConnection: close\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
Serve: TypeAlias = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Client:
    """A connection to the gateway."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    async def until(self, end: bytes) -> bytes:
        return await self.reader.readuntil(end)

    async def rest(self) -> bytes:
        """Everything until the connection ends."""
        return await self.reader.read()


@dataclass
class Stage:
    """The gateway's port, and what the API saw."""

    port: int
    seen: list[bytes] = field(default_factory=list)
    connections: int = 0
    drain: Callable[[], Awaitable[None]] | None = None

    @asynccontextmanager
    async def draining(self) -> AsyncIterator[None]:
        """Let the gateway stop while the context runs; it waits for the requests that are under way."""
        assert self.drain is not None
        stopping = asyncio.ensure_future(self.drain())
        await asyncio.sleep(0)  # until it is under way
        yield
        await stopping

    @asynccontextmanager
    async def client(self) -> AsyncIterator[Client]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            yield Client(reader, writer)
        finally:
            writer.transport.abort()

    async def ask(self, request: bytes) -> bytes:
        """Send a request on a connection of its own; return everything until its end."""
        async with self.client() as client:
            client.send(request)
            return await client.rest()


@asynccontextmanager
async def realtime(
    serve: Serve | None, path: str = "/v1/hello", *, keeps_token: bool = True, access: Access = ANYONE
) -> AsyncIterator[Stage]:
    """Serve a gateway with one realtime API; None: nobody listens at its address."""
    stage = Stage(port=0)

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert serve is not None
        stage.connections += 1
        stage.seen.append(await reader.readuntil(b"\r\n\r\n"))
        await serve(reader, writer)

    async with AsyncExitStack() as stack:
        async with AsyncExitStack() as serving:
            # Not `start_server` alone: from Python 3.12 on, its end waits for connections that a test leaves open.
            port = await serving.enter_async_context(tcp_server(connected))
            if serve is not None:
                stack.push_async_exit(serving.pop_all())
        endpoint = Endpoint(api_name="hello", kind="RealtimeAPI", path=path, address=("127.0.0.1", port))
        await start_gateway(stack, stage, Endpoints([endpoint]), access=access, keeps_token=keeps_token)
        async with asyncio.timeout(DEADLINE_S):
            yield stage


async def start_gateway(
    stack: AsyncExitStack,
    stage: Stage,
    endpoints: Endpoints,
    *,
    access: Access = ANYONE,
    keeps_token: bool = True,
    observe: Observer = ignore,
) -> None:
    """Start the gateway."""
    limit = IdleLimit(10)
    forwarder = Forwarder(limit, keeps_token=keeps_token)
    store = Store()
    queue = FakeQueue(store)
    app = make_app(
        make_gateway(store, queue), {}, endpoints=endpoints, forwarder=forwarder, access=access, observe=observe
    )
    limit.watch(app)
    runner = make_runner(app)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    await limit.listen(runner, ["127.0.0.1"], 0)
    stage.port = runner.addresses[0][1]
    stage.drain = partial(limit.drain, runner, DEADLINE_S)


async def answer_ok(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(OK)
