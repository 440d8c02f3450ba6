"""What becomes of requests whose clients leave, are slow, or are more than are allowed; and that nothing of them is left."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest

from tests.hostile.server import reset
from tests.integration.proxy.conversation import converse
from tests.integration.proxy.stand import Stand, stand, threaded
from tests.proxy.conftest import Client, ContainerSide, answering, ok

GET = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"
ONE = {"DEQUEUER_MAX_CONCURRENCY": "1", "DEQUEUER_MAX_QUEUE_LENGTH": "1"}


def leave(client: Client, how: str) -> None:
    """End a client's connection: in order, by half, or with a reset."""
    if how == "FIN":
        client.writer.close()
    elif how == "half":
        client.writer.write_eof()
    else:
        reset(client.writer)


EVERY_WAY = pytest.mark.parametrize("how", ["FIN", "half", "RST"])


class Silent:
    """A container that reads a request, and answers nothing."""

    def __init__(self) -> None:
        self.has_request = asyncio.Event()
        """Later than `dequeuer_proxy_executing`, which counts a request from its admission on, before it is sent."""
        self.left = asyncio.Event()
        """The proxy has closed the connection of a request."""
        self.body = b""

    async def __call__(self, side: ContainerSide) -> None:
        await side.head()
        self.has_request.set()
        with suppress(ConnectionResetError):
            self.body = await side.until_closed()
        self.left.set()

    async def wait_left(self) -> None:
        async with asyncio.timeout(30):
            await self.left.wait()


async def _nothing_is_left(running: Stand) -> None:
    await running.until("dequeuer_proxy_executing", 0)
    await running.until("dequeuer_proxy_queued", 0)
    await running.until("dequeuer_proxy_connections", 0)


@EVERY_WAY
async def test_a_client_that_leaves_while_its_request_is_executed(how: str) -> None:
    container = Silent()
    async with stand(container) as running:
        client = await running.ask(GET)
        await container.has_request.wait()
        leave(client, how)
        await container.wait_left()
        await _nothing_is_left(running)
        assert await running.state('dequeuer_proxy_abandoned_total{reason="client_gone"}') == 1


@EVERY_WAY
async def test_a_client_that_leaves_the_queue_never_reaches_the_container(how: str) -> None:
    async def serve(side: ContainerSide) -> None:
        while True:
            await side.request()
            await answers.acquire()
            side.send(ok())

    answers = asyncio.Semaphore(0)
    async with stand(serve, **{**ONE, "DEQUEUER_MAX_QUEUE_LENGTH": "2"}) as running:
        first = await running.ask(GET)
        await running.until("dequeuer_proxy_executing", 1)
        leaving = await running.ask(b"GET /leaving HTTP/1.1\r\nHost: h\r\n\r\n")
        await running.until("dequeuer_proxy_queued", 1)
        last = await running.ask(b"GET /last HTTP/1.1\r\nHost: h\r\n\r\n")
        await running.until("dequeuer_proxy_queued", 2)
        leave(leaving, how)
        await running.until("dequeuer_proxy_queued", 1)
        answers.release()
        answers.release()
        for client in (first, last):
            assert (await client.head()).startswith(b"HTTP/1.1 200 ")
        assert [request.split()[1] for request in running.requests] == [b"/", b"/last"]


@EVERY_WAY
@pytest.mark.parametrize("field", [b"Content-Length: 100000000", b"Transfer-Encoding: chunked"])
async def test_a_client_that_leaves_in_mid_upload(how: str, field: bytes) -> None:
    """The container sees that the body is not whole: its connection ends."""

    container = Silent()
    async with stand(container) as running:
        client = await running.ask(b"POST / HTTP/1.1\r\nHost: h\r\n%b\r\n\r\n2\r\nhi\r\n" % field)
        await container.has_request.wait()
        leave(client, how)
        await container.wait_left()
        await _nothing_is_left(running)
        assert b"0\r\n\r\n" not in container.body


@EVERY_WAY
async def test_a_client_that_leaves_in_mid_download(how: str) -> None:
    async def serve(side: ContainerSide) -> None:
        await side.head()
        side.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        try:
            while True:
                side.send(b"10000\r\n%b\r\n" % bytes(0x10000))
                await side.writer.drain()
        except ConnectionError:
            ended.set()
            raise

    ended = asyncio.Event()
    async with stand(serve) as running:
        client = await running.ask(GET)
        await client.exactly(1_000_000)
        leave(client, how)
        await _nothing_is_left(running)
        async with asyncio.timeout(30):
            await ended.wait()


@EVERY_WAY
async def test_a_client_that_leaves_a_websocket(how: str) -> None:
    async def serve(side: ContainerSide) -> None:
        await side.head()
        side.send(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
        await side.until_closed()
        left.set()

    left = asyncio.Event()
    async with stand(serve) as running:
        client = await running.ask(b"GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
        assert (await client.head()).startswith(b"HTTP/1.1 101 ")
        await running.until("dequeuer_proxy_upgrades", 1)
        leave(client, how)
        await _nothing_is_left(running)
        await running.until("dequeuer_proxy_upgrades", 0)
        async with asyncio.timeout(30):
            await left.wait()


async def test_a_client_that_writes_byte_by_byte() -> None:
    async def serve(side: ContainerSide) -> None:
        request = await side.request()
        side.send(ok(request[-5:]))
        await side.until_closed()

    async with stand(serve) as running:
        client = await running.connect()
        for byte in b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello":
            await client.send(bytes([byte]))
            await asyncio.sleep(0.001)
        assert (await client.head()).startswith(b"HTTP/1.1 200 ")
        assert await client.exactly(5) == b"hello"


@pytest.mark.parametrize(
    ("sent", "setting"),
    [
        (b"", "DEQUEUER_HEAD_TIMEOUT"),
        (b"GET / HTTP/1.1\r\nHos", "DEQUEUER_HEAD_TIMEOUT"),
        (b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhel", "DEQUEUER_BODY_TIMEOUT"),
        (b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nh", "DEQUEUER_BODY_TIMEOUT"),
    ],
)
async def test_what_does_not_arrive_in_time_is_408(sent: bytes, setting: str) -> None:
    async with stand(Silent(), **{setting: "1"}) as running:
        client = await running.ask(sent)
        answer = await client.rest()
        assert answer.startswith(b"HTTP/1.1 408 ") or not sent
        assert not sent or b"X-Dequeuer-Reason: timeout\r\n" in answer
        client.writer.close()
        await _nothing_is_left(running)


async def test_above_both_limits_a_request_is_refused_as_by_cortex() -> None:
    container = Silent()
    async with stand(container, **ONE) as running:
        await running.ask(GET)
        await container.has_request.wait()
        await running.ask(GET)
        await running.until("dequeuer_proxy_queued", 1)
        refused = await threaded(converse, running.proxy.port, GET)
        assert (refused.status, refused.body) == ("503 Service Unavailable", b"pending request queue full\n")
        fields = dict(refused.fields)
        assert fields["Content-Type"] == "text/plain; charset=utf-8"
        assert (fields["X-Dequeuer-Reason"], fields["Retry-After"]) == ("queue_full", "1")
        assert len(running.requests) == 1


async def test_a_request_that_waits_for_too_long_is_503() -> None:
    container = Silent()
    async with stand(container, **ONE, DEQUEUER_QUEUE_TIMEOUT="1") as running:
        await running.ask(GET)
        await container.has_request.wait()
        late = await threaded(converse, running.proxy.port, GET)
        assert late.status == "503 Service Unavailable"
        assert dict(late.fields)["X-Dequeuer-Reason"] == "queue_timeout"
        assert len(running.requests) == 1


async def test_a_malformed_request_never_reaches_the_container() -> None:
    async with stand(answering(ok())) as running:
        both = b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
        refused = await threaded(converse, running.proxy.port, both)
        assert refused.status == "400 Bad Request"
        assert refused.ended
        assert dict(refused.fields)["X-Dequeuer-Reason"] == "bad_request"
        assert running.requests == []


async def test_requests_that_wait_are_executed_in_their_order() -> None:
    async def serve(side: ContainerSide) -> None:
        while True:
            await side.request()
            await answers.acquire()
            side.send(ok())

    answers = asyncio.Semaphore(0)
    async with stand(serve, DEQUEUER_MAX_CONCURRENCY="1") as running:
        clients = []
        for number in range(20):
            clients.append(await running.ask(b"GET /%d HTTP/1.1\r\nHost: h\r\n\r\n" % number))
            await running.until("dequeuer_proxy_queued", number)
        for client in clients:
            answers.release()
            await client.head()
        assert [request.split()[1] for request in running.requests] == [b"/%d" % number for number in range(20)]
