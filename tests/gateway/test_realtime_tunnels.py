"""Upgraded connections of realtime APIs, and clients that read nothing."""

from __future__ import annotations

import asyncio

import pytest

from dequeuer.gateway import written_response
from tests.gateway.realtime import Client, realtime
from tests.still import held_back

UPGRADE = (
    b"GET /v1/hello/ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: k\r\n\r\n"
)
SWITCHED = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: a\r\n\r\n"
)


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(SWITCHED + b"first")
    while data := await reader.read(1 << 16):
        writer.write(data)
        await writer.drain()


async def switched(client: Client) -> None:
    client.send(UPGRADE)
    head = await client.until(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 101 Switching Protocols\r\n")
    assert b"\r\nSec-WebSocket-Accept: a\r\n" in head
    assert b"\r\nUpgrade: websocket\r\n" in head
    assert await client.until(b"first") == b"first"


async def test_a_websocket_is_a_tunnel() -> None:
    async with realtime(echo) as stage, stage.client() as client:
        await switched(client)
        for data in (b"a", bytes(range(256)), b"GET / HTTP/1.1\r\n\r\n", bytes(1 << 20)):
            client.send(data)
            assert await client.reader.readexactly(len(data)) == data
    assert stage.seen[0].startswith(b"GET /ws HTTP/1.1\r\n")
    assert b"\r\nUpgrade: websocket\r\n" in stage.seen[0]


async def test_a_tunnel_passes_on_what_came_before_its_end() -> None:
    got: list[bytes] = []
    ended = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(SWITCHED + b"first")
        got.append(await reader.read())
        ended.set()

    async with realtime(serve) as stage:
        async with stage.client() as client:
            await switched(client)
            client.send(b"bye")
            client.writer.write_eof()
            await ended.wait()
        assert got == [b"bye"]

    async def serve_last(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(SWITCHED + b"first" + b"last")

    async with realtime(serve_last) as stage, stage.client() as client:
        await switched(client)
        assert await client.rest() == b"last"


async def test_a_tunnel_whose_other_side_does_not_read_is_not_read() -> None:
    async def serve(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(SWITCHED + b"first")
        await asyncio.Event().wait()

    async with realtime(serve) as stage, stage.client() as client:
        await switched(client)
        client.send(bytes(1 << 26))
        assert await held_back(client.writer) > 1 << 25


async def test_an_upgrade_that_is_refused_is_a_response() -> None:
    async def serve(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno")

    async with realtime(serve) as stage:
        answer = await stage.ask(UPGRADE)
        assert answer == b"HTTP/1.1 403 Forbidden\r\nConnection: close\r\nContent-Length: 2\r\n\r\nno"


@pytest.mark.parametrize("protocol", [b"foo", b"websocket, foo", b"foo, websocket", b"websocket/13", b"h2c"])
async def test_an_upgrade_to_another_protocol_than_websocket_is_none(protocol: bytes) -> None:
    async with realtime(echo) as stage:
        answer = await stage.ask(
            b"GET /v1/hello HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: %b\r\n\r\n" % protocol
        )
        assert answer.startswith(b"HTTP/1.1 502 Bad Gateway\r\n")
    assert b"\r\nupgrade:" not in stage.seen[0].lower()


async def test_the_name_of_websocket_may_be_written_in_any_case() -> None:
    async with realtime(echo) as stage, stage.client() as client:
        client.send(UPGRADE.replace(b"websocket", b"WebSocket"))
        assert (await client.until(b"first")).startswith(b"HTTP/1.1 101 ")


@pytest.mark.parametrize(
    ("request_", "response"),
    [(UPGRADE, SWITCHED), (b"GET /v1/hello HTTP/1.1\r\nHost: x\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\n")],
    ids=["tunnel", "response"],
)
async def test_a_client_that_reads_nothing_is_cut(
    monkeypatch: pytest.MonkeyPatch, request_: bytes, response: bytes
) -> None:
    monkeypatch.setattr(written_response, "IDLE_TIMEOUT_S", 0.2)
    ended = asyncio.Event()

    async def serve(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(response)
        try:
            while True:
                writer.write(bytes(1 << 16))
                await writer.drain()
        finally:
            ended.set()

    async with realtime(serve) as stage, stage.client() as client:
        client.send(request_)
        await ended.wait()
        with pytest.raises(ConnectionResetError):
            await client.rest()
