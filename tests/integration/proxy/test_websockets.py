"""WebSockets with a client of its own library, directly and through the proxy."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

import pytest
import websockets
from websockets.asyncio.client import ClientConnection, connect

from tests.integration.proxy.conftest import Pair
from tests.integration.proxy.containers import Container
from tests.integration.proxy.proxy_process import Proxy
from tests.integration.proxy.stand import threaded

EVERY_SERVER = pytest.mark.parametrize("pair", ["uvicorn", "gunicorn"], indirect=True)
EVERY_WAY = pytest.mark.parametrize("through", [False, True], ids=["directly", "through the proxy"])


def opened(pair: Pair, through: bool, **options: object) -> connect:
    port = pair.ports[through]
    return connect(f"ws://127.0.0.1:{port}/ws", max_size=None, open_timeout=60, proxy=None, **options)  # type: ignore[arg-type]


@EVERY_SERVER
@EVERY_WAY
@pytest.mark.parametrize("compression", ["deflate", None])
async def test_messages_of_every_size(pair: Pair, through: bool, compression: str | None) -> None:
    async with opened(pair, through, compression=compression) as client:
        assert bool(client.protocol.extensions) is (compression == "deflate")
        for size in (0, 1, 125, 126, 127, 65535, 65536, 1_000_000, 8_000_000):
            data = (b"abcdefg\x00" * (size // 8 + 1))[:size]
            await client.send(data)
            assert await client.recv() == data
        await client.send("t\u00e9xt")
        assert await client.recv() == "t\u00e9xt"


@EVERY_SERVER
@EVERY_WAY
async def test_fragments_pings_and_subprotocols(pair: Pair, through: bool) -> None:
    async with opened(pair, through, subprotocols=["b.example", "a.example"]) as client:
        assert client.subprotocol == "b.example"
        await client.send(["frag", "ment", "ed"])
        assert await client.recv() == "fragmented"
        for _ in range(3):
            async with asyncio.timeout(30):
                await (await client.ping())


@EVERY_SERVER
@EVERY_WAY
@pytest.mark.parametrize("code", [1000, 1001, 1008, 3000, 4999])
async def test_the_container_closes_with_a_code(pair: Pair, through: bool, code: int) -> None:
    async with opened(pair, through) as client:
        await client.send(f"close {code}")
        with pytest.raises(websockets.ConnectionClosed):
            await client.recv()
        assert (client.close_code, client.close_reason) == (code, "as you wish")


@EVERY_SERVER
@EVERY_WAY
async def test_the_client_closes_with_a_code(pair: Pair, through: bool) -> None:
    async with opened(pair, through) as client:
        await client.close(4001, "enough")
        assert (client.close_code, client.close_reason) == (4001, "enough")
        assert client.protocol.close_rcvd is not None  # the container has answered


@EVERY_WAY
async def test_a_path_without_a_websocket_is_declined(pair: Pair, through: bool) -> None:
    with pytest.raises(websockets.InvalidStatus) as refused:
        async with connect(f"ws://127.0.0.1:{pair.ports[through]}/nowhere", proxy=None):
            pass
    assert refused.value.response.status_code == 403


async def test_a_hundred_at_a_time(pair: Pair) -> None:
    async def talk(number: int) -> None:
        async with opened(pair, through=True) as client:
            for turn in range(5):
                await client.send(f"{number} {turn}")
                assert await client.recv() == f"{number} {turn}"

    async with asyncio.TaskGroup() as group:
        for number in range(100):
            group.create_task(talk(number))


@pytest.mark.parametrize("server", ["uvicorn", "gunicorn"])
async def test_a_drain_tells_the_client_that_the_server_goes_away(server: str, tmp_path: Path) -> None:
    with Container(server, tmp_path) as container, Proxy(container.port) as proxy:
        container.wait_ready()
        await threaded(proxy.wait_ready)
        async with (
            connect(f"ws://127.0.0.1:{proxy.port}/ws", proxy=None) as idle,
            connect(f"ws://127.0.0.1:{proxy.port}/ws", proxy=None) as busy,
        ):
            await busy.send("hello")
            assert await busy.recv() == "hello"
            proxy.terminate()
            await _closed(idle, 1001)
            await _closed(busy, 1001)
        assert await threaded(proxy.wait) == 0


async def test_a_container_that_is_killed_ends_the_websocket(tmp_path: Path) -> None:
    with Container("uvicorn", tmp_path) as container, Proxy(container.port) as proxy:
        container.wait_ready()
        await threaded(proxy.wait_ready)
        async with connect(f"ws://127.0.0.1:{proxy.port}/ws", proxy=None) as client:
            container.signal(signal.SIGKILL)
            await _closed(client, 1006)


async def _closed(client: ClientConnection, code: int) -> None:
    async with asyncio.timeout(60):
        await client.wait_closed()
    assert client.close_code == code
