from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest

from dequeuer.dev import forwarder
from dequeuer.dev.forwarder import Forwarder
from dequeuer.http.resetting import reset
from dequeuer.process.ports import HOST, free_ports

BODY = b"x" * 3_000_000


class Shouting:
    """Returns what it gets in upper case, once the client has ended its half; "!" comes at once."""

    def __init__(self) -> None:
        self.ends: asyncio.Queue[str] = asyncio.Queue()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"!")
        try:
            writer.write((await reader.read()).upper())
            await writer.drain()
            self.ends.put_nowait("whole")
        except OSError:
            self.ends.put_nowait("broken")
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    @asynccontextmanager
    async def at(self, port: int = 0) -> AsyncIterator[int]:
        server = await asyncio.start_server(self.serve, HOST, port)
        async with server:
            yield server.sockets[0].getsockname()[1]


async def opened(port: int) -> tuple[Forwarder, int]:
    made = Forwarder(port)
    return made, await made.listen(HOST, 0)


async def is_reset(port: int) -> bool:
    reader, writer = await asyncio.open_connection(HOST, port)
    try:
        return await reader.read(1) != b"!"
    except ConnectionResetError:
        return True
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


async def test_all_bytes_of_both_directions_pass_also_when_one_of_them_ends_first() -> None:
    async with Shouting().at() as behind:
        made, port = await opened(behind)
        reader, writer = await asyncio.open_connection(HOST, port)
        writer.write(BODY)
        writer.write_eof()
        assert await reader.read() == b"!" + BODY.upper()
        writer.close()
        await writer.wait_closed()
        await made.stop(asyncio.Event())


async def test_while_nothing_listens_connections_are_reset_and_later_ones_pass() -> None:
    (behind,) = free_ports(1)
    made, port = await opened(behind)
    assert await is_reset(port)
    async with Shouting().at(behind):
        assert not await is_reset(port)
    await made.stop(asyncio.Event())


async def test_a_stop_ends_what_is_open() -> None:
    server = Shouting()
    async with server.at() as behind:
        made, port = await opened(behind)
        reader, writer = await asyncio.open_connection(HOST, port)
        assert await reader.read(1) == b"!"
        await made.stop(asyncio.Event())
        with pytest.raises(ConnectionResetError):
            await reader.readexactly(1)
        assert await server.ends.get() == "broken"
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


async def test_an_end_that_breaks_breaks_the_other_one() -> None:
    server = Shouting()
    async with server.at() as behind:
        made, port = await opened(behind)
        reader, writer = await asyncio.open_connection(HOST, port)
        assert await reader.read(1) == b"!"
        writer.write(BODY)
        reset(writer.transport)
        assert await server.ends.get() == "broken"
        await made.stop(asyncio.Event())


async def test_more_connections_than_the_limit_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forwarder, "MAX_CONNECTIONS", 1)
    async with Shouting().at() as behind:
        made, port = await opened(behind)
        reader, writer = await asyncio.open_connection(HOST, port)
        assert await reader.read(1) == b"!"
        assert await is_reset(port)
        writer.close()
        await made.stop(asyncio.Event())
