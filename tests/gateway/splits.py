"""A gateway with a TrafficSplitter in front of realtime APIs that a test writes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

from dequeuer.core.events import CopyEnded, CopyResult, Event, RequestSplit
from dequeuer.gateway.access.gate import ANYONE, Access
from dequeuer.gateway.endpoints import Endpoint, Endpoints, Split, Target
from tests.gateway.realtime import DEADLINE_S, Client, Serve, Stage, start_gateway
from tests.tcp_server import tcp_server

PATH = "/v1/split"


@dataclass
class Api:
    """A realtime API, and what it saw.

    Attributes:
        serve: answers a request whose head was read.
        weight: of the API in the splitter.
        heads: of the requests.
    """

    serve: Serve
    weight: int
    heads: list[bytes] = field(default_factory=list)
    writers: list[asyncio.StreamWriter] = field(default_factory=list)

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writers.append(writer)
        self.heads.append(await reader.readuntil(b"\r\n\r\n"))
        await self.serve(reader, writer)


@dataclass
class SplitStage:
    """The gateway, and what its observers were told."""

    gateway: Stage
    events: list[Event] = field(default_factory=list)
    _told: asyncio.Event = field(default_factory=asyncio.Event)

    def observe(self, event: Event) -> None:
        self.events.append(event)
        self._told.set()

    @property
    def chosen(self) -> list[str]:
        """The APIs that requests were for."""
        return [event.api_name for event in self.events if isinstance(event, RequestSplit)]

    @property
    def copies(self) -> list[CopyResult]:
        """How copies ended."""
        return [event.result for event in self.events if isinstance(event, CopyEnded)]

    async def until_copies(self, count: int) -> list[CopyResult]:
        """Wait until so many copies have ended; return how."""
        while len(self.copies) < count:
            self._told.clear()
            await self._told.wait()
        return self.copies

    async def ask(self, request: bytes) -> bytes:
        return await self.gateway.ask(request)

    @asynccontextmanager
    async def client(self) -> AsyncIterator[Client]:
        async with self.gateway.client() as client:
            yield client


def answering(body: bytes, before: Callable[[asyncio.StreamReader], Awaitable[object]] | None = None) -> Serve:
    """Return an API that answers each request with `body`, once `before` has returned."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if before is not None:
            await before(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))

    return serve


@asynccontextmanager
async def split(
    targets: dict[str, Api],
    shadow: Api | None = None,
    *,
    down: Collection[str] = (),
    access: Access = ANYONE,
    host: str = "127.0.0.1",
    shadow_host: str = "127.0.0.1",
) -> AsyncIterator[SplitStage]:
    """Serve a gateway with a splitter. `down`: APIs at whose address nobody listens; `host`: of the others."""
    stage = SplitStage(Stage(port=0))
    async with AsyncExitStack() as stack:

        async def served(name: str, api: Api, host: str) -> Target:
            async with AsyncExitStack() as serving:
                port = await serving.enter_async_context(tcp_server(api.connected))
                if name not in down:
                    stack.push_async_exit(serving.pop_all())
            endpoint = Endpoint(api_name=name, kind="RealtimeAPI", path=PATH)
            return Target(api=endpoint, address=(host, port), weight=api.weight)

        made = Split(
            targets=tuple([await served(name, api, host) for name, api in targets.items()]),
            shadow=await served("shadow", shadow, shadow_host) if shadow is not None else None,
        )
        endpoint = Endpoint(api_name="split", kind="TrafficSplitter", path=PATH, split=made)
        await start_gateway(
            stack, stage.gateway, Endpoints([endpoint]), access=access, keeps_token=False, observe=stage.observe
        )
        async with asyncio.timeout(DEADLINE_S):
            yield stage
