"""The floor of the gateway: for each submission it sends ready-made requests to store and queue, then responds.

It reads no more of a submission than that it is complete, and signs nothing.
`python -m bench.gateway.floor PORT SQS_PORT S3_PORT` serves until it is killed.
"""

from __future__ import annotations

import asyncio
import sys
from functools import partial
from typing import Final, cast

import uvloop

from bench.floor import PlainConnection
from bench.floor_plan import send, status
from bench.proxy import wire

_RESPONSE: Final = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 46\r\n\r\n"
    b'{"id":"0000abcd-5b1e-4c8a-9d2f-6a7b8c9d0e1f"}\n'
)


def _failed(what: str) -> None:
    sys.exit(what)


class _Client(asyncio.Protocol):
    """A client, with connections of its own to the store and the queue."""

    def __init__(self, sqs_port: int, s3_port: int) -> None:
        self._loop = asyncio.get_running_loop()
        self._ports = (s3_port, sqs_port)
        self._expected = len(wire.submit())
        self._arrived = 0
        self._status, self._send = status(), send(sqs_port)
        self._connecting: asyncio.Task[None] | None = None
        self._peers: list[PlainConnection] = []
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._connecting = self._loop.create_task(self._connect())

    def connection_lost(self, _error: Exception | None) -> None:
        self._transport = None

    async def _connect(self) -> None:
        for port in self._ports:
            _, peer = await self._loop.create_connection(partial(PlainConnection, _failed), "127.0.0.1", port)
            self._peers.append(peer)
        if self._arrived == self._expected:
            self._submit()

    def data_received(self, data: bytes) -> None:
        self._arrived += len(data)
        if self._arrived == self._expected and len(self._peers) == len(self._ports):
            self._submit()

    def _submit(self) -> None:
        self._arrived = 0
        self._peers[0].ask(self._status, self._enqueue)

    def _enqueue(self) -> None:
        self._peers[1].ask(self._send, self._respond)

    def _respond(self) -> None:
        if self._transport is not None:
            self._transport.write(_RESPONSE)


async def _main(port: int, sqs_port: int, s3_port: int) -> None:
    loop = asyncio.get_running_loop()
    await loop.create_server(lambda: _Client(sqs_port, s3_port), "127.0.0.1", port, backlog=1024)
    await asyncio.Event().wait()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_main(*map(int, sys.argv[1:4])))
