"""When a connection carries a second request: only when that one cannot meet what is left of the first."""

import asyncio
import math

import pytest

from dequeuer.http import pool as pool_module
from dequeuer.http.keep_alive import max_idle_s
from dequeuer.http.origin import Origin
from dequeuer.http.pool import Pool
from tests.http.canned import Dialogue, Speak, always, answered, eventually, ok, serving

GET = (b"GET / HTTP/1.1\r\nhost: h\r\n\r\n", b"")
PUT = (b"PUT / HTTP/1.1\r\nhost: h\r\ncontent-length: 4\r\n\r\n", b"body")


async def connections(speak: Speak, request: tuple[bytes, bytes], *, only_after_success: bool = False) -> int:
    """Send three requests, one after the other; return how many connections that took."""
    async with serving(speak) as told:
        made = Pool(told.origin, only_after_success=only_after_success)
        for _ in range(3):
            await made.exchange(request, timeout_s=20, limit=1000)
        await made.close()
        return told.connections


@pytest.mark.parametrize("status", [400, 403, 404, 412, 413, 500, 503])
async def test_a_refusal_ends_the_connection_only_where_there_was_a_body_to_be_read(status: int) -> None:
    refusal = answered(status, b"no")
    assert await connections(always(refusal), PUT) == 3
    assert await connections(always(refusal), GET) == 1
    assert await connections(always(refusal), GET, only_after_success=True) == 3


@pytest.mark.parametrize("status", [200, 201, 299])
async def test_after_a_success_it_is_used_again(status: int) -> None:
    success = answered(status, b"yes")
    assert await connections(always(success), PUT) == 1
    assert await connections(always(success), PUT, only_after_success=True) == 1


async def test_a_request_whose_end_was_not_written_ends_the_connection() -> None:
    async def speak(dialogue: Dialogue) -> None:
        await dialogue.reader.readuntil(b"\r\n\r\n")
        await dialogue.say(ok(b"early"))
        await dialogue.is_hung_up_on()

    async with serving(speak) as told:
        made = Pool(told.origin)
        for _ in range(2):
            answer = await made.begin_request(b"PUT / HTTP/1.1\r\nhost: h\r\ncontent-length: 100\r\n\r\nhalf")
            await answer.wait_for_head(20)
            assert await answer.read(100, 20) == b"early"
            made.release(answer)
        assert told.connections == 2
        await eventually(lambda: told.open == 0)
        await made.close()


async def test_a_request_that_the_kernel_has_not_taken_whole_ends_the_connection() -> None:
    is_over = asyncio.Event()

    async def speak(dialogue: Dialogue) -> None:
        dialogue.writer.write(ok(b"early"))
        await dialogue.writer.drain()
        await is_over.wait()  # reads nothing

    async with serving(speak) as told:
        made = Pool(told.origin)
        body = bytes(64 * 1024 * 1024)
        head = b"PUT / HTTP/1.1\r\nhost: h\r\ncontent-length: %d\r\n\r\n" % len(body)
        for _ in range(2):
            assert (await made.exchange((head, body), timeout_s=20, limit=100)).status == 200
        assert told.connections == 2
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
    assert await connections(always(ok(b"fine", *lines)), GET) == (1 if is_kept else 3)


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
def test_what_a_server_promises(field: str | None, seconds: float) -> None:
    assert max_idle_s(field) == seconds


async def test_a_server_that_keeps_connections_for_a_shorter_time_is_obeyed(monkeypatch: pytest.MonkeyPatch) -> None:
    assert await connections(always(ok(b"fine", "Keep-Alive: timeout=0")), GET) == 3
    assert await connections(always(ok(b"fine", "Keep-Alive: timeout=60")), GET) == 1
    monkeypatch.setattr(pool_module, "TIMEOUT_CHECK_INTERVAL_S", 1000)  # the timer does not find it in time
    async with serving(always(ok(b"fine", "Keep-Alive: timeout=1"))) as told:
        made = Pool(told.origin)
        loop = asyncio.get_running_loop()
        await made.exchange(GET, timeout_s=20, limit=1000)
        began = loop.time()
        while loop.time() < began + 0.5:  # noqa: ASYNC110 - the margin itself is what is waited for
            await asyncio.sleep(0.05)
        await made.exchange(GET, timeout_s=20, limit=1000)
        assert told.connections == 2
        await made.close()


async def test_without_keep_alive_each_request_has_a_connection_of_its_own() -> None:
    async with serving(always(ok(b"fine"))) as told:
        made = Pool(told.origin, idle_limit_s=0)
        for _ in range(3):
            await made.exchange(GET, timeout_s=20, limit=1000)
        assert told.connections == 3
        await eventually(lambda: told.open == 0)
        await made.close()


async def test_a_repeated_field_is_told_whole_whatever_the_framing() -> None:
    fields = ("Content-Type: text/html", "content-type: application/json")
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n%b\r\n\r\n0\r\n\r\n" % "\r\n".join(fields).encode()
    for raw in (ok(b"", *fields), chunked):
        async with serving(always(raw)) as told:
            made = Pool(Origin(host=told.origin.host, port=told.origin.port))
            reply = await made.exchange(GET, timeout_s=20, limit=1000)
            assert reply.field("content-type") == "text/html, application/json" == reply.headers["content-type"]
            await made.close()
