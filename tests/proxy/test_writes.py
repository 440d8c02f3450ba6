"""What the two transports of an exchange are asked for: each write is a system call."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from dequeuer.concurrency.slots import FixedLimit
from dequeuer.proxy.admission import Admission
from dequeuer.proxy.client_connection import ClientConnection
from dequeuer.proxy.container_connection import ContainerConnection
from dequeuer.proxy.limits import ProxyLimits
from dequeuer.proxy.parts import ProxyParts
from tests.proxy.conftest import Records, ok

REQUEST = b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nbody"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


class Wire(asyncio.Transport):
    """Keeps what is written. `is_full`: the next write finds the buffer full."""

    def __init__(self) -> None:
        super().__init__()
        self.writes: list[bytes] = []
        self.reads = True
        self.is_full = False
        self.protocol: asyncio.Protocol | None = None

    def write(self, data: bytes | bytearray | memoryview[Any]) -> None:
        self.writes.append(bytes(data))
        if self.is_full and self.protocol is not None:
            self.is_full = False
            self.protocol.pause_writing()

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        pass

    def get_write_buffer_size(self) -> int:
        return 0

    def is_closing(self) -> bool:
        return False

    def is_reading(self) -> bool:
        return self.reads

    def pause_reading(self) -> None:
        self.reads = False

    def resume_reading(self) -> None:
        self.reads = True


class OneConnection:
    """A pool with one connection, which is idle."""

    keep_alive = True

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.free: list[ContainerConnection] = []
        self.connection = ContainerConnection(loop, self.free.append, lambda _connection: None)

    def take_idle(self, *, must_be_open: bool) -> ContainerConnection:
        assert must_be_open
        return self.connection

    def dial(
        self, on_connected: Callable[[ContainerConnection], None], on_failed: Callable[[], None]
    ) -> asyncio.Task[None]:
        raise AssertionError

    def close_idle(self) -> None:
        pass


class Pair:
    """An exchange between two transports that are not there."""

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        admission = Admission(limit=FixedLimit(1), max_queued=0, queue_timeout_s=0, ready_timeout_s=1, now=loop.time)
        admission.set_ready(True)
        self.pool = OneConnection(loop)
        parts = ProxyParts(
            loop=loop,
            limits=ProxyLimits(),
            admission=admission,
            pool=self.pool,
            observer=Records(),
        )
        self.client, self.container = Wire(), Wire()
        self._client = ClientConnection(parts, {}, lambda _connection: None, lambda _connection: None)
        self.client.protocol = self._client
        self._client.connection_made(self.client)
        self.pool.connection.connection_made(self.container)
        self._client.data_received(REQUEST)

    def respond(self, data: bytes) -> None:
        self.pool.connection.data_received(data)


async def test_head_and_body_that_arrive_together_are_one_write() -> None:
    pair = Pair()
    pair.respond(ok(b"hello"))
    assert len(pair.container.writes) == 1
    assert pair.client.writes == [b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"]


async def test_head_chunk_and_last_chunk_that_arrive_together_are_one_write() -> None:
    pair = Pair()
    pair.respond(CHUNKED + b"2\r\nok\r\n0\r\n\r\n")
    assert pair.client.writes == [CHUNKED + b"2\r\nok\r\n0\r\n\r\n"]


async def test_what_has_arrived_waits_for_nothing() -> None:
    pair = Pair()
    for piece in (CHUNKED, b"3\r\none\r\n", b"3\r\ntwo\r\n"):
        pair.respond(piece)
        assert pair.client.writes[-1] == piece


async def test_a_connection_that_is_free_is_not_slowed_down_by_the_client_before() -> None:
    pair = Pair()
    pair.respond(CHUNKED)
    pair.client.is_full = True
    pair.respond(b"2\r\nok\r\n0\r\n\r\n")
    assert pair.pool.free == [pair.pool.connection]
    assert pair.container.reads
