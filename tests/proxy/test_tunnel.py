"""Connections that were upgraded."""

from __future__ import annotations

import asyncio

import pytest

from dequeuer.proxy.websocket_frames import GOING_AWAY
from tests.hostile.server import reset
from tests.proxy.conftest import Client, ContainerSide, MakeStand, Stand, until
from tests.still import held_back, until_still

UPGRADE = (
    b"GET /ws HTTP/1.1\r\nHost: h\r\nConnection: keep-alive, Upgrade\r\nUpgrade: %b\r\nSec-WebSocket-Key: x\r\n\r\n"
)
SWITCHED = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: %b\r\nX-A: b\r\n\r\n"


def text(content: bytes) -> bytes:
    """Return a text frame of a server."""
    size = len(content)
    length = bytes([size]) if size < 126 else b"\x7e" + size.to_bytes(2, "big")
    return b"\x81" + length + content


async def opened(make_stand: MakeStand, ahead: bytes = b"", protocol: bytes = b"websocket") -> tuple[Stand, Client]:
    """Return a stand and a client with a tunnel to a container that sends back what it gets."""

    async def behave(side: ContainerSide) -> None:
        head = await side.head()
        assert b"\r\nConnection: Upgrade\r\nUpgrade: " + protocol + b"\r\n" in head
        assert b"\r\nSec-WebSocket-Key: x\r\n" in head
        side.send(SWITCHED % protocol + text(b"hello"))
        while data := await side.reader.read(65536):
            side.send(data)
            await side.writer.drain()

    stand = await make_stand(behave)
    client = await stand.ask(UPGRADE % protocol + ahead)
    head = await client.head()
    assert (
        head
        == b"HTTP/1.1 101 Switching Protocols\r\nX-A: b\r\nConnection: Upgrade\r\nUpgrade: " + protocol + b"\r\n\r\n"
    )
    assert await client.exactly(7) == text(b"hello")
    return stand, client


async def test_bytes_pass_in_both_directions(make_stand: MakeStand) -> None:
    stand, client = await opened(make_stand, ahead=b"ahead")
    assert await client.exactly(5) == b"ahead"
    for size in (1, 1000, 1 << 20):
        await client.send(bytes(size))
        assert await client.exactly(size) == bytes(size)
    assert (stand.records.open_upgrades, stand.admission.executing) == (1, 1)
    client.writer.close()
    [record] = await stand.records.wait_for(1)
    assert (record.status, record.is_upgrade, record.reason) == (101, True, "")
    assert record.bytes_in == record.bytes_out - 7 == 5 + 1 + 1000 + (1 << 20)
    assert (stand.records.open_upgrades, stand.admission.executing) == (0, 0)


@pytest.mark.parametrize("protocol", [b"websocket", b"my-protocol/1"])
async def test_the_container_ends_the_tunnel(make_stand: MakeStand, protocol: bytes) -> None:
    async def behave(side: ContainerSide) -> None:
        await side.head()
        side.send(SWITCHED % protocol + b"last")

    stand = await make_stand(behave)
    client = await stand.ask(UPGRADE % protocol)
    assert (await client.rest()).endswith(b"\r\n\r\nlast")
    await stand.records.wait_for(1)


async def test_a_client_whose_upgrade_is_declined_gets_the_response(make_stand: MakeStand) -> None:
    async def behave(side: ContainerSide) -> None:
        await side.head()
        side.send(b"HTTP/1.1 426 No\r\nContent-Length: 2\r\n\r\nno")
        await side.until_closed()

    stand = await make_stand(behave)
    client = await stand.ask(UPGRADE % b"websocket")
    assert b"426 No" in await client.head()
    assert await client.exactly(2) == b"no"


async def test_a_client_that_does_not_read_stops_the_container(make_stand: MakeStand) -> None:
    sent = 0

    async def behave(side: ContainerSide) -> None:
        nonlocal sent
        await side.head()
        side.send(SWITCHED % b"x")
        while sent < 64 << 20:
            side.send(bytes(1 << 16))
            await side.writer.drain()
            sent += 1 << 16

    stand = await make_stand(behave)
    client = await stand.ask(UPGRADE % b"x")
    await client.head()
    assert await until_still(lambda: sent) < 32 << 20


async def test_a_container_that_does_not_read_stops_the_client(make_stand: MakeStand) -> None:
    closed = asyncio.Event()

    async def behave(side: ContainerSide) -> None:
        await side.head()
        side.send(SWITCHED % b"x")
        await closed.wait()

    stand = await make_stand(behave)
    client = await stand.ask(UPGRADE % b"x")
    await client.head()
    size = 64 << 20
    client.writer.write(bytes(size))
    assert await held_back(client.writer) > size // 2
    # The client leaves unseen, because nothing is read from it. What the container never reads is not kept for it.
    reset(client.writer)
    await stand.records.wait_for(1)
    await until(lambda: not stand.pool._open)
    closed.set()


async def test_a_websocket_is_told_that_the_server_goes_away(make_stand: MakeStand) -> None:
    stand, client = await opened(make_stand)
    await client.send(b"\x81\x83abcd12")  # a frame of which the last byte is missing
    assert await client.exactly(8) == b"\x81\x83abcd12"
    stand.listener.stop_listening()
    draining = asyncio.create_task(stand.listener.drain(30))
    await asyncio.sleep(0)
    await client.send(b"3" + b"\x81\x80abcd")
    assert await client.exactly(1) == b"3"
    got = await client.exactly(4)
    if got != GOING_AWAY:  # the second frame came with the end of the first
        assert got + await client.exactly(2) == b"\x81\x80abcd"
        assert await client.exactly(4) == GOING_AWAY
    await client.send(b"\x88\x82abcdbj")
    client.writer.close()
    await asyncio.wait_for(draining, 30)
    [record] = await stand.records.wait_for(1)
    assert record.reason == ""


async def test_another_protocol_is_cut_at_the_end_of_the_grace(make_stand: MakeStand) -> None:
    stand, client = await opened(make_stand, protocol=b"x")
    stand.listener.stop_listening()
    await stand.listener.drain(0.01)
    assert await client.is_cut()
    await stand.records.wait_for(1)
