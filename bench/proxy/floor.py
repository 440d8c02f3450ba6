"""The floor of the proxies: `python -m bench.proxy.floor PORT CONTAINER_PORT` moves bytes between two sockets.

It reads nothing: no Python program that stands between a client and a container can use less CPU.
"""

from __future__ import annotations

import asyncio
import sys
from typing import cast

import uvloop


class _Side(asyncio.Protocol):
    """One of two connections that belong together."""

    def __init__(self, other: _Side | None, container_port: int) -> None:
        self._other = other
        self._container_port = container_port
        self._early = b""
        self.transport: asyncio.Transport | None = None
        self._dial: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        if self._other is None:
            self._dial = asyncio.get_running_loop().create_task(self._connect())

    async def _connect(self) -> None:
        _, self._other = await asyncio.get_running_loop().create_connection(
            lambda: _Side(self, self._container_port), "127.0.0.1", self._container_port
        )
        if self._other.transport is not None:
            self._other.transport.write(self._early)

    def data_received(self, data: bytes) -> None:
        other = self._other
        if other is None:
            self._early += data
        elif other.transport is not None:
            other.transport.write(data)

    def connection_lost(self, _error: Exception | None) -> None:
        self.transport = None
        if self._dial is not None:
            self._dial.cancel()
        if self._other is not None and self._other.transport is not None:
            self._other.transport.close()


async def _main(port: int, container_port: int) -> None:
    await asyncio.get_running_loop().create_server(lambda: _Side(None, container_port), "127.0.0.1", port)
    await asyncio.Event().wait()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_main(int(sys.argv[1]), int(sys.argv[2])))
