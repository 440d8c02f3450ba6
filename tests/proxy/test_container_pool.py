"""Connections to the container: which of them carries another request."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator

import pytest

from dequeuer.http.framing import BodyReader, Trailers
from dequeuer.http.origin import LOCALHOST, Origin
from dequeuer.http.response_head import ResponseHead
from dequeuer.proxy.container_connection import MAX_IDLE_S, ContainerConnection, FailureKind
from dequeuer.proxy.container_pool import ContainerPool


class Receiver:
    """`ResponseReceiver` that waits for the end."""

    method = b"GET"

    def __init__(self) -> None:
        self.ended = asyncio.Event()

    def on_interim(self, head: ResponseHead) -> None:
        raise AssertionError

    def on_response(self, head: ResponseHead, body: BodyReader) -> None:
        pass

    def on_upgrade(self, head: ResponseHead, rest: bytes) -> None:
        raise AssertionError

    def on_response_data(self, piece: bytes) -> None:
        pass

    def on_read_end(self) -> None: ...

    def on_response_end(self, trailers: Trailers) -> None:
        self.ended.set()

    def on_failure(self, kind: FailureKind) -> None:
        self.ended.set()

    def on_writable(self, is_writable: bool) -> None:
        pass


class Side:
    """A pool, and the container as a socket that is only touched by the test, so that no event loop sees it first."""

    def __init__(self, *, keep_alive: bool = True) -> None:
        self._listener = socket.create_server((LOCALHOST, 0))
        origin = Origin(host=LOCALHOST, port=self._listener.getsockname()[1])
        self.pool = ContainerPool(origin, keep_alive=keep_alive, on_unreachable=lambda: None)
        self.container: socket.socket | None = None

    async def exchange(self, fields: bytes = b"") -> None:
        """Carry one request, on a new connection."""
        connected: asyncio.Future[ContainerConnection] = asyncio.get_running_loop().create_future()
        self.pool.dial(connected.set_result, lambda: None)
        connection = await connected
        self.container = self._listener.accept()[0]
        self.container.settimeout(30)  # the event loop stands still meanwhile
        receiver = Receiver()
        connection.begin(receiver, b"GET / HTTP/1.1\r\n\r\n", has_body=False)
        connection.end_request()
        self.container.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n%b\r\nok" % fields)
        await receiver.ended.wait()

    async def close(self) -> None:
        await self.pool.close()
        self._listener.close()
        if self.container is not None:
            self.container.close()


@pytest.fixture
async def side() -> AsyncIterator[Side]:
    made = Side()
    yield made
    await made.close()


async def test_a_connection_is_used_again(side: Side) -> None:
    await side.exchange()
    connection = side.pool.take_idle(must_be_open=True)
    assert connection is not None
    assert connection.is_reused
    assert side.pool.take_idle(must_be_open=False) is None


@pytest.mark.parametrize("data", [b"", b"HTTP/1.1 408 Too Late\r\n\r\n"], ids=["closed", "sent data"])
async def test_what_the_event_loop_has_not_seen_yet_is_asked_of_the_kernel(side: Side, data: bytes) -> None:
    await side.exchange()
    assert side.container is not None
    if data:
        side.container.sendall(data)
    else:
        side.container.close()
    assert side.pool.take_idle(must_be_open=True) is None


async def test_a_request_that_may_be_sent_twice_does_not_ask(side: Side) -> None:
    await side.exchange()
    assert side.container is not None
    side.container.close()
    assert side.pool.take_idle(must_be_open=False) is not None


@pytest.mark.parametrize("fields", [b"Connection: close\r\n", b"Keep-Alive: timeout=0\r\n"])
async def test_the_container_ends_a_connection(side: Side, fields: bytes) -> None:
    await side.exchange(fields)
    assert side.pool.take_idle(must_be_open=False) is None


async def test_bytes_after_a_response_end_the_connection(side: Side) -> None:
    await side.exchange()
    assert side.container is not None
    side.container.sendall(b"x")
    await asyncio.sleep(0.01)
    assert side.pool.take_idle(must_be_open=False) is None


async def test_an_idle_connection_is_closed_after_a_while(side: Side, monkeypatch: pytest.MonkeyPatch) -> None:
    await side.exchange()
    loop = asyncio.get_running_loop()
    now = loop.time()
    with monkeypatch.context() as patch:
        patch.setattr(loop, "time", lambda: now + MAX_IDLE_S)
        side.pool.close_idle()
    assert side.container is not None
    await asyncio.sleep(0)
    assert side.container.recv(100) == b"GET / HTTP/1.1\r\n\r\n"
    assert side.container.recv(100) == b""


async def test_nothing_is_kept_where_nothing_is_to_be() -> None:
    side = Side(keep_alive=False)
    await side.exchange()
    assert side.pool.take_idle(must_be_open=False) is None
    await side.close()
