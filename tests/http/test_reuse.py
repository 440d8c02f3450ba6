"""When a connection carries a second request: only when nothing of the first one is left on it."""

import asyncio
import math

import pytest

from dequeuer.http import pool as pool_module
from dequeuer.http.keep_alive import max_idle_s
from dequeuer.http.origin import Origin
from dequeuer.http.pool import Pool
from tests.http.canned import ClientConnection, Script, always_send, eventually, ok, response, serving

GET = (b"GET / HTTP/1.1\r\nhost: h\r\n\r\n", b"")
PUT = (b"PUT / HTTP/1.1\r\nhost: h\r\ncontent-length: 4\r\n\r\n", b"body")


async def connections(script: Script, request: tuple[bytes, bytes], *, only_after_success: bool = False) -> int:
    """Send three requests, one after the other; return the number of connections."""
    async with serving(script) as server:
        made = Pool(server.origin, only_after_success=only_after_success)
        for _ in range(3):
            await made.exchange(request, timeout_s=20, limit=1000)
        await made.close()
        return server.connections


@pytest.mark.parametrize("status", [400, 403, 404, 412, 413, 500, 503])
async def test_a_refusal_ends_the_connection_only_where_there_was_a_body_to_be_read(status: int) -> None:
    refusal = response(status, b"no")
    assert await connections(always_send(refusal), PUT) == 3
    assert await connections(always_send(refusal), GET) == 1
    assert await connections(always_send(refusal), GET, only_after_success=True) == 3


@pytest.mark.parametrize("status", [200, 201, 299])
async def test_after_a_success_it_is_used_again(status: int) -> None:
    success = response(status, b"yes")
    assert await connections(always_send(success), PUT) == 1
    assert await connections(always_send(success), PUT, only_after_success=True) == 1


async def test_a_request_whose_end_was_not_written_ends_the_connection() -> None:
    async def script(client: ClientConnection) -> None:
        await client.reader.readuntil(b"\r\n\r\n")
        await client.send(ok(b"early"))
        await client.is_closed()

    async with serving(script) as server:
        made = Pool(server.origin)
        for _ in range(2):
            answer = await made.begin_request(b"PUT / HTTP/1.1\r\nhost: h\r\ncontent-length: 100\r\n\r\nhalf")
            await answer.wait_for_head(20)
            assert await answer.read(100, 20) == b"early"
            made.release(answer)
        assert server.connections == 2
        await eventually(lambda: server.open == 0)
        await made.close()


async def test_a_request_that_the_kernel_has_not_taken_whole_ends_the_connection() -> None:
    is_over = asyncio.Event()

    async def script(client: ClientConnection) -> None:
        client.writer.write(ok(b"early"))
        await client.writer.drain()
        await is_over.wait()  # reads nothing

    async with serving(script) as server:
        made = Pool(server.origin)
        body = bytes(64 * 1024 * 1024)
        head = b"PUT / HTTP/1.1\r\nhost: h\r\ncontent-length: %d\r\n\r\n" % len(body)
        for _ in range(2):
            assert (await made.exchange((head, body), timeout_s=20, limit=100)).status == 200
        assert server.connections == 2
        is_over.set()
        await made.close()


@pytest.mark.parametrize(
    ("lines", "is_kept"),
    [
        ((), True),
        (("Connection: keep-alive",), True),
        (("Connection: x-other",), True),
        (("Connection: close",), False),
        (("Connection: keep-alive", "Connection: close"), False),
        (("Connection: x-other", "connection: Close"), False),
        (("Connection: keep-alive, close",), False),
        (("Connection: x-other, CLOSE",), False),
    ],
)
async def test_every_connection_field_counts(lines: tuple[str, ...], is_kept: bool) -> None:
    assert await connections(always_send(ok(b"fine", *lines)), GET) == (1 if is_kept else 3)


@pytest.mark.parametrize(
    ("field", "seconds"),
    [
        (None, math.inf),
        ("", math.inf),
        ("max=100", math.inf),
        ("x-timeout=3", math.inf),
        ("timeout=5", 4),
        ("timeout=5, max=100", 4),
        ("max=100, Timeout = 5", 4),
        ('timeout="5"', 4),
        ("timeout=2", 1),
        ("timeout=1", 0.5),
        ("timeout=0", 0),
        ("timeout=-1", math.inf),
        ("timeout=soon", math.inf),
        ("timeout=5, timeout=9", 4),
    ],
)
def test_the_keep_alive_timeout_is_read_from_the_header(field: str | None, seconds: float) -> None:
    assert max_idle_s(field) == seconds


async def test_the_keep_alive_timeout_of_the_server_is_respected(monkeypatch: pytest.MonkeyPatch) -> None:
    assert await connections(always_send(ok(b"fine", "Keep-Alive: timeout=0")), GET) == 3
    assert await connections(always_send(ok(b"fine", "Keep-Alive: timeout=60")), GET) == 1
    monkeypatch.setattr(pool_module, "TIMEOUT_CHECK_INTERVAL_S", 1000)  # the timer is too late
    async with serving(always_send(ok(b"fine", "Keep-Alive: timeout=1"))) as server:
        made = Pool(server.origin)
        loop = asyncio.get_running_loop()
        await made.exchange(GET, timeout_s=20, limit=1000)
        began = loop.time()
        while loop.time() < began + 0.5:  # noqa: ASYNC110 - waits for the margin itself
            await asyncio.sleep(0.05)
        await made.exchange(GET, timeout_s=20, limit=1000)
        assert server.connections == 2
        await made.close()


async def test_without_keep_alive_each_request_has_a_connection_of_its_own() -> None:
    async with serving(always_send(ok(b"fine"))) as server:
        made = Pool(server.origin, idle_limit_s=0)
        for _ in range(3):
            await made.exchange(GET, timeout_s=20, limit=1000)
        assert server.connections == 3
        await eventually(lambda: server.open == 0)
        await made.close()


async def test_a_repeated_field_is_joined_with_any_framing() -> None:
    fields = ("Content-Type: text/html", "content-type: application/json")
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n%b\r\n\r\n0\r\n\r\n" % "\r\n".join(fields).encode()
    for raw in (ok(b"", *fields), chunked):
        async with serving(always_send(raw)) as server:
            made = Pool(Origin(host=server.origin.host, port=server.origin.port))
            reply = await made.exchange(GET, timeout_s=20, limit=1000)
            assert reply.field("content-type") == "text/html, application/json" == reply.headers["content-type"]
            await made.close()
