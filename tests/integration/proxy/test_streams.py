"""Streams in both directions: as they arrive, slowed down by their readers, with flat memory."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
from contextlib import AsyncExitStack

import httpx
import pytest

from tests.integration.proxy.apps import PIECE
from tests.integration.proxy.conftest import Pair
from tests.integration.proxy.conversation import Conversation
from tests.integration.proxy.stand import stand, threaded
from tests.integration.waiting import eventually
from tests.proxy.conftest import ContainerSide
from tests.still import until_still

EVERY_SERVER = pytest.mark.parametrize("pair", ["uvicorn", "gunicorn"], indirect=True)
MIB = 1024 * 1024
BIG_MIB = int(os.environ.get("PROXY_BIG_MIB", "1024"))
"""Of each of the large bodies: by hand with PROXY_BIG_MIB=10240."""
MAX_GROWTH_KIB = 16 * 1024
STREAMS = 1000
BLOCK = bytes(range(256)) * 1024


@EVERY_SERVER
async def test_each_event_arrives_before_the_next_one_is_made(pair: Pair) -> None:
    for number, port in enumerate(pair.ports):
        count = 10 + number
        async with (
            httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=60) as client,
            client.stream("GET", f"/events?count={count}") as answer,
        ):
            assert answer.headers["content-type"].startswith("text/event-stream")
            lines = answer.aiter_lines()
            for event in range(count):
                # The container makes no other event before it is asked to: what is held back would be waited for in vain.
                assert [await anext(lines) for _ in range(3)] == [f"id: {event}", "data: {}", ""]
                await client.post(f"/next?count={count}")


@EVERY_SERVER
def test_a_response_begins_before_its_request_ends(pair: Pair) -> None:
    for port in pair.ports:
        with Conversation(port) as connection:
            connection.send(b"POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
            status, fields = connection.head()
            assert (status, dict(fields)["Transfer-Encoding" if port == pair.proxy.port else "transfer-encoding"]) == (
                "200 OK",
                "chunked",
            )
            assert connection.chunk() == b"abc"
            for number in range(50):
                connection.send(b"5\r\n%05d\r\n" % number)
                assert connection.chunk() == b"%05d" % number
            connection.send(b"0\r\n\r\n")
            assert connection.chunk() == b""
            assert connection.fields() == []
            # The connection is kept.
            connection.send(b"GET /status/404 HTTP/1.1\r\nHost: h\r\n\r\n")
            assert connection.answer().status == "404 Not Found"


def test_a_large_response_takes_no_memory(pair: Pair) -> None:
    before_kib = pair.proxy.reset_peak()
    pieces = BIG_MIB * MIB // len(PIECE)
    with Conversation(pair.proxy.port) as connection:
        connection.send(b"GET /large?pieces=%d&sized=true HTTP/1.1\r\nHost: h\r\n\r\n" % pieces)
        assert dict(connection.head()[1])["Content-Length"] == str(BIG_MIB * MIB)
        for _ in range(pieces):
            assert connection.exactly(len(PIECE)) == PIECE
    assert pair.proxy.memory_kib("VmHWM") - before_kib < MAX_GROWTH_KIB


@pytest.mark.parametrize("is_chunked", [False, True], ids=["sized", "chunked"])
def test_a_large_request_takes_no_memory(pair: Pair, is_chunked: bool) -> None:
    before_kib = pair.proxy.reset_peak()
    size = BIG_MIB * MIB // (4 if is_chunked else 1)
    field = b"Transfer-Encoding: chunked" if is_chunked else b"Content-Length: %d" % size
    expected = hashlib.sha256()
    with Conversation(pair.proxy.port) as connection:
        connection.send(b"POST /digest HTTP/1.1\r\nHost: h\r\n%b\r\n\r\n" % field)
        for _ in range(size // len(BLOCK)):
            expected.update(BLOCK)
            connection.send(b"%x\r\n%b\r\n" % (len(BLOCK), BLOCK) if is_chunked else BLOCK)
        if is_chunked:
            connection.send(b"0\r\n\r\n")
        assert json.loads(connection.answer().body) == {"size": size, "sha256": expected.hexdigest()}
    assert pair.proxy.memory_kib("VmHWM") - before_kib < MAX_GROWTH_KIB


async def endless(side: ContainerSide) -> None:
    """Send without end, and count what the proxy has taken."""
    await side.head()
    side.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        side.send(b"40000\r\n%b\r\n" % BLOCK)
        await side.writer.drain()


async def test_a_slow_reader_slows_the_container_down_and_loses_nothing() -> None:
    size = 64 * MIB

    async def serve(side: ContainerSide) -> None:
        await side.head()
        side.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
        for _ in range(size // len(BLOCK)):
            side.send(BLOCK)
            await side.writer.drain()
            sent.append(len(BLOCK))
        await side.until_closed()

    sent: list[int] = []
    async with stand(serve) as running:
        before_kib = running.proxy.reset_peak()
        client = await running.ask(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        await client.head()
        async with asyncio.timeout(60):
            await until_still(lambda: len(sent))
        assert sum(sent) < size // 2  # the buffers of kernels and proxy are full, and the container waits
        found = hashlib.sha256()
        for _ in range(size // len(BLOCK)):
            found.update(await client.exactly(len(BLOCK)))
        assert found.digest() == hashlib.sha256(BLOCK * (size // len(BLOCK))).digest()
        assert running.proxy.memory_kib("VmHWM") - before_kib < MAX_GROWTH_KIB


async def test_a_container_that_reads_slowly_slows_the_client_down_and_loses_nothing() -> None:
    size = 64 * MIB

    async def serve(side: ContainerSide) -> None:
        await side.head()
        await go_on.wait()
        for _ in range(size // len(BLOCK)):
            found.update(await side.reader.readexactly(len(BLOCK)))
        side.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    async def upload() -> None:
        await client.send(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n" % size)
        for _ in range(size // len(BLOCK)):
            await client.send(BLOCK)
            sent.append(len(BLOCK))

    found, sent, go_on = hashlib.sha256(), [0], asyncio.Event()
    async with stand(serve) as running:
        before_kib = running.proxy.reset_peak()
        client = await running.connect()
        uploading = asyncio.create_task(upload())
        async with asyncio.timeout(60):
            await until_still(lambda: len(sent))
        assert sum(sent) < size // 2
        go_on.set()
        await uploading
        assert (await client.head()).startswith(b"HTTP/1.1 200 ")
        assert found.digest() == hashlib.sha256(BLOCK * (size // len(BLOCK))).digest()
        assert running.proxy.memory_kib("VmHWM") - before_kib < MAX_GROWTH_KIB


async def test_a_reader_that_stops_for_too_long_is_cut() -> None:
    async with stand(endless, DEQUEUER_BODY_TIMEOUT="1") as running:
        client = await running.ask(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        await client.head()
        await running.until("dequeuer_proxy_executing", 0)
        assert await client.is_cut()


async def test_a_thousand_open_streams(pair: Pair) -> None:
    """All at the same time, each of them alive, in bounded memory."""
    before_kib = pair.proxy.reset_peak()
    async with AsyncExitStack() as stack:
        streams = []
        for _ in range(STREAMS):
            reader, writer = await asyncio.open_connection("127.0.0.1", pair.proxy.port)
            stack.callback(writer.close)
            writer.write(b"GET /never HTTP/1.1\r\nHost: h\r\n\r\n")
            streams.append(reader)
        async with asyncio.timeout(120):
            for reader in streams:
                assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 ")
                assert await reader.readuntil(b"begun\n\n\r\n") == b"d\r\ndata: begun\n\n\r\n"
        assert await threaded(pair.proxy.metric, "dequeuer_proxy_executing") == STREAMS
        growth_kib = pair.proxy.memory_kib("VmHWM") - before_kib
        # Another request is served beside them.
        async with httpx.AsyncClient() as client:
            assert (await client.get(f"http://127.0.0.1:{pair.proxy.port}/status/404")).status_code == 404
    await threaded(eventually, lambda: pair.proxy.metric("dequeuer_proxy_executing") == 0, "all streams to be ended")
    assert growth_kib < 60 * 1024
