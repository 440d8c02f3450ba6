"""Requests over reused connections, on real sockets."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager

import pytest

from dequeuer.http import pool as pool_module
from dequeuer.http.connection import Connection
from dequeuer.http.errors import (
    ConnectionBrokenError,
    HttpTransportError,
    MalformedError,
    ResponseTimeoutError,
    UnreachableError,
)
from dequeuer.http.origin import Origin
from dequeuer.http.pool import Pool
from dequeuer.http.response import HIGH_WATER_BYTES, Response
from tests.http.canned import ClientConnection, RunningServer, Script, always_send, echo, eventually, ok, serving
from tests.jumping_clock import jumping_clock

LIMIT = 1_000_000
OK = ok(b"fine")


def get(path: str = "/") -> tuple[bytes, bytes]:
    return f"GET {path} HTTP/1.1\r\nhost: h\r\n\r\n".encode(), b""


@asynccontextmanager
async def pool(script: Script, idle_limit_s: float = 20.0) -> AsyncIterator[tuple[Pool, RunningServer]]:
    async with serving(script) as server:
        made = Pool(server.origin, idle_limit_s=idle_limit_s)
        try:
            yield made, server
        finally:
            await made.close()


async def ask(made: Pool, path: str = "/", *, timeout_s: float = 20.0, limit: int = LIMIT) -> bytes:
    return (await made.exchange(get(path), timeout_s=timeout_s, limit=limit)).body


@asynccontextmanager
async def opened(made: Pool, *, timeout_s: float) -> AsyncIterator[Response]:
    answer = await made.stream(get(), timeout_s=timeout_s)
    try:
        yield answer
    finally:
        made.release(answer)


def once(*parts: bytes) -> Script:
    """Respond to one request in parts, then close the connection."""

    async def script(client: ClientConnection) -> None:
        await client.read_request()
        await client.send(*parts)

    return script


async def test_one_connection_serves_many_requests() -> None:
    async with pool(echo) as (made, server):
        for number in range(20):
            assert await ask(made, f"/{number}") == f"/{number}".encode()
        assert server.connections == 1


async def test_requests_at_the_same_time_each_get_their_own_answer() -> None:
    async with pool(echo) as (made, server):
        paths = [f"/{number}" for number in range(50)]
        assert await asyncio.gather(*[ask(made, path) for path in paths]) == [path.encode() for path in paths]
        before = server.connections
        assert await asyncio.gather(*[ask(made, path) for path in paths]) == [path.encode() for path in paths]
        assert server.connections == before <= 50


@pytest.mark.parametrize(
    ("parts", "body"),
    [
        ((OK,), b"fine"),
        ((b"HTTP/1.1 200 OK\r\nConte", b"nt-Length: 4\r\n\r", b"\nfi", b"ne"), b"fine"),
        ((b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nfi\r\n", b"2\r\nne\r\n0\r\n\r\n"), b"fine"),
        ((b"HTTP/1.1 204 No Content\r\n\r\n",), b""),
        ((b"HTTP/1.1 100 Continue\r\n\r\n", OK), b"fine"),
        ((b"HTTP/1.1 100 Continue\r\n\r\n" + OK,), b"fine"),
        ((b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n", OK), b"fine"),
        ((b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",), b""),
    ],
)
async def test_every_way_to_frame_an_answer(parts: tuple[bytes, ...], body: bytes) -> None:
    async with pool(always_send(*parts)) as (made, server):
        assert [await ask(made) for _ in range(3)] == [body] * 3
        assert server.connections == 1


async def test_an_answer_without_a_length_ends_with_its_connection() -> None:
    async with pool(once(b"HTTP/1.1 200 OK\r\n\r\n", b"fi", b"ne")) as (made, server):
        assert [await ask(made) for _ in range(2)] == [b"fine"] * 2
        assert server.connections == 2


async def test_a_connection_with_connection_close_is_not_reused() -> None:
    async with pool(always_send(ok(b"fine", "Connection: close"))) as (made, server):
        assert [await ask(made) for _ in range(3)] == [b"fine"] * 3
        assert server.connections == 3


async def test_fields_are_joined_and_spelt_small() -> None:
    async with pool(always_send(ok(b"", "X-One: 1", "x-one: 2", "ETag: é"))) as (made, _):
        reply = await made.exchange(get(), timeout_s=20, limit=LIMIT)
        assert reply.headers["x-one"] == "1, 2"
        assert reply.headers["etag"] == "é".encode().decode("latin-1")


@pytest.mark.parametrize(
    ("parts", "error"),
    [
        ((b"",), ConnectionBrokenError),
        ((b"HTTP/1.1 200",), ConnectionBrokenError),
        ((b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf",), ConnectionBrokenError),
        ((b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nha",), ConnectionBrokenError),
        ((b"SMTP ready\r\n\r\n",), MalformedError),
        ((b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",), MalformedError),
        ((b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",), MalformedError),
        ((b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",), HttpTransportError),
        ((b"HTTP/1.1 200 OK\r\nX: " + b"y" * 70_000 + b"\r\n\r\n",), MalformedError),
        ((b"HTTP/1.1 200 OK\r\n" + b"".join(b"X%d: y\r\n" % n for n in range(300)) + b"\r\n",), MalformedError),
    ],
)
async def test_what_is_no_whole_answer_is_an_error_and_not_asked_again(
    parts: tuple[bytes, ...], error: type[HttpTransportError]
) -> None:
    async with pool(once(*parts)) as (made, server):
        with pytest.raises(error) as caught:
            await ask(made)
        assert "y" * 10 not in str(caught.value)
        assert len(server.heads) == 1


async def test_a_body_beyond_its_limit_is_refused_and_its_connection_ended() -> None:
    async with pool(always_send(ok(b"x" * 10_000_000))) as (made, server):
        with pytest.raises(MalformedError, match="1000000"):
            await ask(made)
        await eventually(lambda: server.open == 0)


async def test_a_connection_closed_while_idle_costs_no_request() -> None:
    async def script(client: ClientConnection) -> None:
        await client.read_request()
        await client.send(OK)
        if client.number <= 5:
            # The next request is being sent when the connection is closed.
            await client.read_request()
            client.writer.transport.abort()
        else:
            await always_send(OK)(client)

    async with pool(script) as (made, server):
        assert await asyncio.gather(*[ask(made) for _ in range(5)]) == [b"fine"] * 5
        assert await ask(made) == b"fine"
        assert server.connections == 6


async def test_a_connection_that_is_lost_before_its_first_request_is_an_error() -> None:
    async with serving(echo) as server:
        connection = Connection(asyncio.get_running_loop())
        answer = connection.send(*get())
        with pytest.raises(ConnectionBrokenError):
            await answer.wait_for_head(20)
        assert server.connections == 0


async def test_a_fresh_connection_that_breaks_is_an_error() -> None:
    async def script(client: ClientConnection) -> None:
        await client.read_request()
        client.writer.transport.abort()

    async with pool(script) as (made, server):
        with pytest.raises(ConnectionBrokenError):
            await ask(made)
        assert server.connections == 1


async def test_a_kept_connection_that_breaks_in_mid_answer_is_not_asked_again() -> None:
    async def script(client: ClientConnection) -> None:
        await client.read_request()
        await client.send(OK)
        await client.read_request()
        await client.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")

    async with pool(script) as (made, server):
        await ask(made)
        with pytest.raises(ConnectionBrokenError):
            await ask(made)
        assert (server.connections, len(server.heads)) == (1, 2)


async def test_a_response_without_a_request_is_not_used_for_the_next_request() -> None:
    was_read = asyncio.Event()

    async def script(client: ClientConnection) -> None:
        if client.number == 1:
            head = await client.read_request()
            await client.send(ok(head.split(" ")[1].encode()))
            await was_read.wait()
            await client.send(ok(b"stale"))
        await echo(client)

    async with pool(script) as (made, server):
        assert await ask(made, "/1") == b"/1"
        was_read.set()
        await eventually(lambda: not any(kept.is_reusable for kept in made._idle))
        assert await ask(made, "/2") == b"/2"
        assert server.connections == 2


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n/1\r\n0\r\n\r\n"


@pytest.mark.parametrize("surplus", [ok(b"stale"), b"\r\n"])
@pytest.mark.parametrize("first", [ok(b"/1"), CHUNKED])
async def test_the_second_of_two_responses_is_never_used_for_the_next_request(first: bytes, surplus: bytes) -> None:
    async with pool(always_send(first + surplus)) as (made, _):
        assert [await ask(made) for _ in range(3)] == [b"/1"] * 3


async def test_a_length_that_is_too_short_is_no_answer() -> None:
    async with pool(always_send(ok(b"/1") + b"x")) as (made, server):
        with pytest.raises(MalformedError):
            await ask(made)
        await eventually(lambda: server.open == 0)


async def test_silence_ends_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool_module, "TIMEOUT_CHECK_INTERVAL_S", 0.02)

    async def script(client: ClientConnection) -> None:
        await client.read_request()
        await client.is_closed()

    async with pool(script) as (made, server):
        with pytest.raises(ResponseTimeoutError):
            await ask(made, timeout_s=0.1)
        await eventually(lambda: server.open == 0)


async def test_silence_in_mid_body_ends_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool_module, "TIMEOUT_CHECK_INTERVAL_S", 0.02)

    async def script(client: ClientConnection) -> None:
        await client.read_request()
        await client.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
        await client.is_closed()

    async with pool(script) as (made, _):
        with pytest.raises(ResponseTimeoutError):
            await ask(made, timeout_s=0.1)


async def test_time_without_a_read_does_not_count_against_the_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool_module, "TIMEOUT_CHECK_INTERVAL_S", 0.02)
    jump = jumping_clock(monkeypatch)
    body = b"x" * 3 * HIGH_WATER_BYTES  # most of it waits for the reader
    async with pool(always_send(ok(body))) as (made, _), opened(made, timeout_s=20) as answer:
        jump(1000)
        await asyncio.sleep(0.3)  # the timeouts are checked meanwhile
        assert not answer.done
        assert await answer.read(LIMIT, 20) == body


async def test_a_slow_reader_stops_the_sender() -> None:
    size, sent = 64 * 1024 * 1024, 0

    async def script(client: ClientConnection) -> None:
        nonlocal sent
        await client.read_request()
        await client.send(f"HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n".encode())
        chunk = bytes(1024 * 1024)
        for _ in range(size // len(chunk)):
            client.writer.write(chunk)
            await client.writer.drain()
            sent += len(chunk)
        await client.is_closed()

    async with pool(script) as (made, _), opened(made, timeout_s=20) as answer:
        before = -1
        while sent != before:  # until nothing more is sent
            before = sent
            await asyncio.sleep(0.2)
        assert sent < size / 2
        got = 0
        async with aclosing(answer.chunks(20)) as chunks:
            async for chunk in chunks:
                got += len(chunk)
        assert got == size


async def test_an_answer_that_is_left_unread_ends_its_connection() -> None:
    async with pool(always_send(ok(b"x" * 10_000_000))) as (made, server):
        async with opened(made, timeout_s=20) as answer:
            assert answer.status == 200
        await eventually(lambda: server.open == 0)
        assert len(await ask(made, limit=10_000_000)) == 10_000_000


async def test_an_answer_that_is_left_early_in_its_stream_ends_its_connection() -> None:
    async with pool(always_send(ok(b"x" * 10_000_000))) as (made, server):
        async with opened(made, timeout_s=20) as answer, aclosing(answer.chunks(20)) as chunks:
            await anext(chunks)
        await eventually(lambda: server.open == 0)


async def test_a_request_that_is_cancelled_ends_its_connection() -> None:
    received = asyncio.Event()

    async def script(client: ClientConnection) -> None:
        await client.read_request()
        received.set()
        await client.is_closed()

    async with pool(script) as (made, server):
        asking = asyncio.create_task(ask(made))
        await received.wait()
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        await eventually(lambda: server.open == 0)


async def test_a_connection_that_is_idle_too_long_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool_module, "TIMEOUT_CHECK_INTERVAL_S", 0.02)
    async with pool(echo, idle_limit_s=0.1) as (made, server):
        await ask(made)
        await eventually(lambda: server.open == 0)
        # The timer ends with the last connection, and begins with the next.
        await eventually(lambda: made._timer is None)
        await ask(made)
        await eventually(lambda: server.open == 0)
        assert server.connections == 2


async def test_closing_fails_what_is_under_way() -> None:
    received = asyncio.Event()

    async def script(client: ClientConnection) -> None:
        await client.read_request()
        received.set()
        await client.is_closed()

    async with pool(script) as (made, _):
        asking = asyncio.create_task(ask(made))
        await received.wait()
        await made.close()
        with pytest.raises(ConnectionBrokenError):
            await asking


async def test_a_server_that_is_not_there_is_unreachable() -> None:
    async with serving(echo) as server:
        origin = server.origin
    made = Pool(origin)
    with pytest.raises(UnreachableError, match=f"127.0.0.1:{origin.port} cannot be reached"):
        await ask(made)
    await made.close()


async def test_a_name_that_is_not_known_is_unreachable() -> None:
    made = Pool(Origin(host="nowhere.invalid", port=80))
    with pytest.raises(UnreachableError, match=r"nowhere\.invalid"):
        await ask(made)
    await made.close()


async def test_small_chunks_without_end_are_a_body_and_no_flood_of_heads() -> None:
    chunk = b"400\r\n" + b"x" * 1024 + b"\r\n"
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    async with pool(always_send(head, *[chunk * 50] * 20, b"0\r\n\r\n")) as (made, _):
        assert len(await ask(made, limit=2_000_000)) == 1024 * 1000


async def test_a_body_larger_than_the_read_ahead_limit_is_read_completely() -> None:
    async with pool(always_send(ok(b"x" * 3_000_000))) as (made, server):
        assert [len(await ask(made, limit=3_000_000)) for _ in range(3)] == [3_000_000] * 3
        assert server.connections == 1


@pytest.mark.parametrize(
    ("host", "port", "authority"),
    [("h", 80, "h"), ("h", 443, "h:443"), ("::1", 4566, "[::1]:4566"), ("10.0.0.1", 80, "10.0.0.1")],
)
def test_the_host_field(host: str, port: int, authority: str) -> None:
    assert Origin(host=host, port=port).authority == authority
