"""Clients of pods: one request, or many through a load balancer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial

from tests.integration.proxy.balancer import Backend, Balancer, Connection, RequestFailedError
from tests.kubelet.pod import Pod

PROXY_PORT, ADMIN_PORT = 8888, 15000
CLIENTS = 8
FORGETS_AFTER_S = 3.0
"""The longest time that the load balancer sends requests to a pod that fails its check: less than the delay of the example."""
SEED = 20261127


async def dial(pod: Pod, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Return a connection to a port of a pod. Raises `OSError`."""
    return await asyncio.open_connection(sock=await pod.dial(port))


async def ask(pod: Pod, port: int, method: str, path: str, body: bytes = b"") -> str:
    """Return the body of a response with status 200. Raises `RequestFailedError` for others."""
    head = f"{method} {path} HTTP/1.1\r\nHost: h\r\nContent-Length: {len(body)}\r\n\r\n"
    reader, writer = await dial(pod, port)
    try:
        connection = Connection(reader=reader, writer=writer)
        content, _ = await connection.exchange(head.encode() + body)
        return content.decode()
    finally:
        writer.close()


@dataclass(slots=True, kw_only=True)
class Outcome:
    """What became of the requests. `failed`: what each failure was."""

    succeeded: int = 0
    failed: list[str] = field(default_factory=list)


class Load:
    """Clients that send requests through a load balancer until the end of the block."""

    def __init__(self) -> None:
        self.outcome = Outcome()
        self._balancer = Balancer(SEED, FORGETS_AFTER_S)
        self._done = asyncio.Event()
        self._changed = asyncio.Event()

    async def add(self, pod: Pod) -> Backend:
        """Use a pod, too, as soon as it is healthy; return when it is used."""
        backend = Backend(port=PROXY_PORT, admin_port=ADMIN_PORT, dial=partial(dial, pod))
        self._balancer.add(backend)
        await backend.wait_in_rotation(True)
        return backend

    @asynccontextmanager
    async def run(self, pods: Sequence[Pod]) -> AsyncIterator[list[Backend]]:
        """Send requests to these pods."""
        async with AsyncExitStack() as stack:
            stack.push_async_callback(self._balancer.stop)
            backends = [await self.add(pod) for pod in pods]
            async with asyncio.TaskGroup() as group:
                for number in range(CLIENTS):
                    group.create_task(self._send(), name=f"client-{number}")
                try:
                    yield backends
                finally:
                    self._done.set()

    async def wait_succeeded(self, count: int) -> None:
        """Return when so many requests have succeeded."""
        async with asyncio.timeout(60):
            while self.outcome.succeeded < count:
                self._changed.clear()
                await self._changed.wait()

    async def _send(self) -> None:
        while not self._done.is_set():
            try:
                body = await self._balancer.send(b"GET /work HTTP/1.1\r\nHost: h\r\n\r\n")
                assert body == b"/work"
                self.outcome.succeeded += 1
                self._changed.set()
            except (OSError, EOFError, TimeoutError, RequestFailedError) as error:
                self.outcome.failed.append(repr(error))
                await asyncio.sleep(0.05)
