from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest

from dequeuer.http.resetting import reset


async def test_the_other_side_sees_a_reset_and_a_second_one_of_a_closed_connection_is_nothing() -> None:
    ended: asyncio.Queue[type[BaseException] | bytes] = asyncio.Queue()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            ended.put_nowait(await reader.read())
        except ConnectionResetError as error:
            ended.put_nowait(type(error))
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        _, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        reset(writer.transport)
        assert await ended.get() is ConnectionResetError
        with pytest.raises(OSError, match="Bad file descriptor"):  # it has no socket any more
            writer.get_extra_info("socket").getpeername()
        reset(writer.transport)


def test_without_a_connection_there_is_nothing_to_reset() -> None:
    reset(None)
