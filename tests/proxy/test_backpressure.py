"""Nothing is buffered without a bound, on any side."""

from __future__ import annotations

import asyncio

import pytest

from dequeuer.proxy.limits import ProxyLimits
from tests.proxy.conftest import ContainerSide, MakeStand, answering, ok, until
from tests.still import held_back, until_still

GET = b"GET /a HTTP/1.1\r\nHost: h\r\n\r\n"
LARGE = 32 << 20


@pytest.mark.parametrize("is_chunked", [False, True])
async def test_a_client_that_does_not_read_stops_the_container(make_stand: MakeStand, is_chunked: bool) -> None:
    sent = 0

    async def behave(side: ContainerSide) -> None:
        nonlocal sent
        await side.request()
        framing = b"Transfer-Encoding: chunked" if is_chunked else b"Content-Length: %d" % LARGE
        side.send(b"HTTP/1.1 200 OK\r\n" + framing + b"\r\n\r\n")
        piece = bytes(1 << 16)
        while sent < LARGE:
            side.send(b"%x\r\n%b\r\n" % (len(piece), piece) if is_chunked else piece)
            await side.writer.drain()
            sent += len(piece)
        if is_chunked:
            side.send(b"0\r\n\r\n")
        await side.until_closed()

    stand = await make_stand(behave)
    client = await stand.ask(GET)
    await client.head()
    assert await until_still(lambda: sent) < LARGE // 2
    if is_chunked:
        body = b""
        while not body.endswith(b"\r\n0\r\n\r\n"):
            body += await client.reader.read(1 << 20)
        assert len(body) > LARGE
    else:
        assert len(await client.exactly(LARGE)) == LARGE
    [record] = await stand.records.wait_for(1)
    assert (record.bytes_out, record.reason) == (LARGE, "")


async def test_a_container_that_does_not_read_stops_the_client(make_stand: MakeStand) -> None:
    go_on = asyncio.Event()

    async def behave(side: ContainerSide) -> None:
        await side.head()
        await go_on.wait()
        await side.reader.readexactly(LARGE)
        side.send(ok())
        await side.until_closed()

    stand = await make_stand(behave)
    client = await stand.connect()
    client.writer.write(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n" % LARGE + bytes(LARGE))
    await until(lambda: bool(stand.requests))
    assert await held_back(client.writer) > LARGE // 2
    go_on.set()
    assert b"200 OK" in await client.head()


async def test_a_client_that_reads_nothing_is_cut(make_stand: MakeStand) -> None:
    closed = asyncio.Event()

    async def behave(side: ContainerSide) -> None:
        await side.request()
        side.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % LARGE + bytes(LARGE))
        try:
            await side.until_closed()
        finally:
            closed.set()

    stand = await make_stand(behave, limits=ProxyLimits(body_timeout_s=0.01))
    await stand.ask(GET)
    await asyncio.wait_for(closed.wait(), 30)
    [record] = await stand.records.wait_for(1)
    assert record.reason == "client_gone"
    assert stand.admission.executing == 0


async def test_a_client_that_asks_and_does_not_read_is_not_answered_without_end(make_stand: MakeStand) -> None:
    stand = await make_stand(answering(ok(bytes(60_000))))
    client = await stand.connect()
    client.writer.write(GET * 5000)
    assert await until_still(lambda: len(stand.requests)) < 2500
    for _ in range(5000):
        await client.head()
        await client.exactly(60_000)


async def test_a_client_that_leaves_the_end_of_its_last_response_unread_is_cut(make_stand: MakeStand) -> None:
    stand = await make_stand(answering(ok(bytes(50_000))), limits=ProxyLimits(body_timeout_s=0.01))
    client = await stand.ask(GET * 1000)
    # The connection was idle when its last response had been taken from the container, and may be so for a minute.
    await until(lambda: not stand.listener.connections)
    assert len(stand.requests) < 1000
    client.writer.close()


async def test_requests_sent_ahead_are_not_read_without_end(make_stand: MakeStand) -> None:
    stand = await make_stand(answering(ok()), is_ready=False)
    client = await stand.connect()
    client.writer.write(GET * 500_000)
    assert await held_back(client.writer) > 500_000 * len(GET) // 2
