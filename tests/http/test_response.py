"""How much of a response is in memory."""

from __future__ import annotations

import asyncio

from dequeuer.http.connection import Connection

HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n"


class Transport(asyncio.Transport):
    """A transport that records whether it is read."""

    def __init__(self) -> None:
        super().__init__()
        self._is_read = True

    def is_read(self) -> bool:
        return self._is_read

    def write(self, data: object) -> None:
        """Send nothing."""

    def pause_reading(self) -> None:
        self._is_read = False

    def resume_reading(self) -> None:
        self._is_read = True


async def test_an_answer_that_waits_for_its_turn_does_not_fill_up() -> None:
    connection, transport = Connection(asyncio.get_running_loop()), Transport()
    connection.connection_made(transport)
    answer = connection.send(b"GET / HTTP/1.1\r\n\r\n")
    connection.data_received(HEAD + b"x" * 1000)
    assert transport.is_read()
    answer.read_lazily()
    assert not transport.is_read(), "what has arrived is enough until somebody asks for it"
    assert await answer.next_chunk(1) == b"x" * 1000
    assert not transport.is_read()
    waiting = asyncio.create_task(answer.next_chunk(1))
    await asyncio.sleep(0)
    assert transport.is_read()
    connection.data_received(b"y" * 1000)
    assert not transport.is_read()
    assert await waiting == b"y" * 1000


async def test_an_answer_without_a_body_yet_is_held_back_with_its_first_bytes() -> None:
    connection, transport = Connection(asyncio.get_running_loop()), Transport()
    connection.connection_made(transport)
    answer = connection.send(b"GET / HTTP/1.1\r\n\r\n")
    connection.data_received(HEAD)
    answer.read_lazily()
    assert transport.is_read()
    connection.data_received(b"x")
    assert not transport.is_read()
