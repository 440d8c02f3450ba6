"""A proxy process between clients of raw bytes and a container that is written for each test."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TypeVar

from tests.integration.proxy.proxy_process import Proxy
from tests.integration.waiting import eventually
from tests.proxy.conftest import Behaviour, Client, ContainerSide
from tests.tcp_server import tcp_server

T = TypeVar("T")


@dataclass(kw_only=True)
class Stand:
    """One proxy, and its container in this process.

    Attributes:
        requests: that the container has got: heads, and bodies where a length was given.
        sides: connections to the container, in their order.
    """

    proxy: Proxy
    container_port: int
    requests: list[bytes] = field(default_factory=list)
    sides: list[ContainerSide] = field(default_factory=list)
    clients: list[Client] = field(default_factory=list)

    async def connect(self) -> Client:
        client = Client(*await asyncio.open_connection("127.0.0.1", self.proxy.port))
        self.clients.append(client)
        return client

    async def ask(self, data: bytes) -> Client:
        client = await self.connect()
        await client.send(data)
        return client

    async def state(self, sample: str) -> float:
        """Return the value of a metric."""
        return await threaded(self.proxy.metric, sample)

    async def until(self, sample: str, value: float) -> None:
        """Wait until a metric has a value."""
        await threaded(eventually, lambda: self.proxy.metric(sample) == value, f"{sample} to be {value:g}")


async def threaded(function: Callable[..., T], *arguments: object) -> T:
    """Run what blocks in a thread: the container is in this event loop."""
    return await asyncio.to_thread(functools.partial(function, *arguments))


@asynccontextmanager
async def stand(behaviour: Behaviour, **settings: str) -> AsyncIterator[Stand]:
    """Run both until the end of the block. `behaviour` runs for each connection to the container, also those of probes."""
    running: Stand

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await behaviour(_Side(running, reader, writer))

    async with tcp_server(serve) as port:
        with Proxy(port, **settings) as proxy:
            running = Stand(proxy=proxy, container_port=port)
            try:
                await threaded(proxy.wait_ready)
                yield running
            finally:
                for client in running.clients:
                    client.writer.close()
                await threaded(proxy.kill)
                for _ in range(10):
                    # A probe that was accepted gets its transport; without one, nothing would close its socket.
                    await asyncio.sleep(0)


class _Side(ContainerSide):
    """Counts once it has got a request: probes connect, and send nothing."""

    def __init__(self, running: Stand, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        super().__init__(running.requests, -1, reader, writer)
        self._running = running

    async def head(self) -> bytes:
        head = await super().head()
        if self.number < 0:
            self.number = len(self._running.sides)
            self._running.sides.append(self)
        return head
