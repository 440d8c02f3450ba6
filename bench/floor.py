"""The floor: a minimal client that sends ready-made requests to the same servers.

It signs nothing and reads only statuses and lengths: no Python program that makes these requests can use less CPU.
`python -m bench.floor PLAN` runs until its messages are done; PLAN is JSON, see `bench.floor_plan`.
"""

from __future__ import annotations

import asyncio
import json
import ssl
import sys
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import TypeAlias, cast

import uvloop

from bench.floor_plan import Plan, Step, delete_batch, receive, steps

Done: TypeAlias = Callable[[], None]
SPACE_BYTES = 128 * 1024
"""For one response; ten messages with batches of 1 KB take a tenth of it."""
_SUCCESS = ord("2")


class PlainConnection(asyncio.BufferedProtocol):
    """One kept connection with one request at a time. It reads into one buffer, which uses the least CPU."""

    def __init__(self, failed: Callable[[str], None]) -> None:
        self._failed = failed
        self._transport: asyncio.Transport | None = None
        self._space = bytearray(SPACE_BYTES)
        self._view = memoryview(self._space)
        self._filled = 0
        self._body_at = 0
        self._done: Done | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """Fail: servers keep connections."""
        self._failed(f"a server closed a connection: {exc}")

    def ask(self, request: bytes, done: Done) -> None:
        """Send a request; call `done` when its response is complete and a success."""
        self._done = done
        self._filled = 0
        if self._transport is not None:
            self._transport.write(request)

    def count(self, what: bytes) -> int:
        """Return how often a text occurs in the last response. Call it before the next request."""
        return self._space.count(what, self._body_at, self._filled)

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 - the interface
        """Return the part of the buffer that is not filled."""
        return self._view[self._filled :] if self._filled else self._view

    def buffer_updated(self, nbytes: int) -> None:
        """Look whether the response is complete."""
        self._filled = filled = self._filled + nbytes
        space = self._space
        end = space.find(b"\r\n\r\n", 0, filled)
        if end < 0:
            return
        at = space.find(b"Content-Length: ", 0, end)
        size = int(space[at + 16 : space.find(b"\r", at)]) if at >= 0 else 0
        if filled < end + 4 + size:
            return
        self._body_at = end + 4
        if space[9] != _SUCCESS:
            self._failed(f"a server answered {bytes(space[:80])!r}")
        elif self._done is not None:
            self._done()


class _TlsConnection(asyncio.Protocol):
    """The same with TLS. The TLS records are handled here, because the event loop's TLS uses about twice the CPU."""

    def __init__(self, tls: ssl.SSLContext, failed: Callable[[str], None]) -> None:
        self._failed = failed
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = tls.wrap_bio(self._in, self._out, server_hostname="127.0.0.1")
        self.ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._peer = PlainConnection(failed)
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._shake_hands()

    def connection_lost(self, exc: Exception | None) -> None:
        self._peer.connection_lost(exc)

    def _shake_hands(self) -> None:
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError as error:
            self._failed(str(error))
        else:
            self.ready.set_result(None)
        self._flush()

    def _flush(self) -> None:
        if self._transport is not None and self._out.pending:
            self._transport.write(self._out.read())

    def ask(self, request: bytes, done: Done) -> None:
        self._peer.ask(request, done)
        self._tls.write(request)
        self._flush()

    def count(self, what: bytes) -> int:
        """Return how often a text occurs in the last response. Call it before the next request."""
        return self._peer.count(what)

    def data_received(self, data: bytes) -> None:
        self._in.write(data)
        if not self.ready.done():
            self._shake_hands()
            return
        peer = self._peer
        try:
            while self._in.pending:
                # With a buffer it returns the number of bytes, although its type says otherwise.
                peer.buffer_updated(cast("int", self._tls.read(SPACE_BYTES, peer.get_buffer(-1))))
        except ssl.SSLWantReadError:
            return


_Connection: TypeAlias = PlainConnection | _TlsConnection


class _Worker:
    """Sends the requests of one message after another."""

    def __init__(self, floor: _Floor, s3: _Connection | None, container: _Connection) -> None:
        self._floor = floor
        self._peers = {"s3": s3 or container, "container": container}
        self._left: deque[Step] = deque()

    def start(self, left: deque[Step]) -> None:
        self._left = left
        self._next()

    def _next(self) -> None:
        if not self._left:
            self._floor.finished(self)
            return
        where, request = self._left.popleft()
        self._peers[where].ask(request, self._next)


class _Floor:
    """Receives messages, has workers send their requests, deletes messages."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._steps = steps(plan)
        self._over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._ready = 0
        self._received = 0
        self._polls = False
        self._idle: list[_Worker] = []
        self._undeleted = 0
        self._deleting = False
        self._deleted = 0
        self._receive = receive(plan)
        self._queue: _Connection
        self._deletions: _Connection

    async def run(self) -> None:
        """Run until all messages are done."""
        plan = self._plan
        tls = ssl.create_default_context(cafile=plan.authority) if plan.authority else None
        self._queue = await self._connect(plan.sqs_port, tls)
        self._deletions = await self._connect(plan.sqs_port, tls)
        for _ in range(plan.workers):
            s3 = await self._connect(plan.s3_port, tls) if plan.kind == "async" else None
            self._idle.append(_Worker(self, s3, await self._connect(plan.container_port, None)))
        self._poll()
        await self._over

    async def _connect(self, port: int, tls: ssl.SSLContext | None) -> _Connection:
        loop = asyncio.get_running_loop()
        if tls is None:
            _, plain = await loop.create_connection(partial(PlainConnection, self._failed), "127.0.0.1", port)
            return plain
        _, peer = await loop.create_connection(partial(_TlsConnection, tls, self._failed), "127.0.0.1", port)
        await peer.ready
        return peer

    def _failed(self, what: str) -> None:
        if not self._over.done():
            self._over.set_exception(RuntimeError(what))

    def _poll(self) -> None:
        if not self._polls and self._ready < self._plan.receive_limit and self._received < self._plan.messages:
            self._polls = True
            self._queue.ask(self._receive, self._arrived)

    def _arrived(self) -> None:
        self._polls = False
        count = self._queue.count(b'"ReceiptHandle"')
        self._received += count
        self._ready += count
        while self._ready and self._idle:
            self._start(self._idle.pop())
        self._poll()

    def _start(self, worker: _Worker) -> None:
        self._ready -= 1
        worker.start(next(self._steps))

    def finished(self, worker: _Worker) -> None:
        """Record that a worker has sent all requests of a message."""
        self._undeleted += 1
        self._delete()
        if self._ready:
            self._start(worker)
        else:
            self._idle.append(worker)
        self._poll()

    def _delete(self) -> None:
        last = self._deleted + self._undeleted == self._plan.messages
        if self._deleting or (self._undeleted < self._plan.delete_batch and not last) or not self._undeleted:
            return
        count = min(self._undeleted, self._plan.delete_batch)
        self._undeleted -= count
        self._deleting = True
        self._deletions.ask(delete_batch(self._plan, count), partial(self._gone, count))

    def _gone(self, count: int) -> None:
        self._deleting = False
        self._deleted += count
        if self._deleted == self._plan.messages and not self._over.done():
            self._over.set_result(None)
        self._delete()


async def _main(plan: Plan) -> None:
    await _Floor(plan).run()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_main(Plan(**json.loads(sys.argv[1]))))
