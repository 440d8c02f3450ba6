"""The admin port is open to the whole cluster: during any attack the kubelet and Prometheus are served."""

from __future__ import annotations

import asyncio
import contextlib
import io
from collections.abc import AsyncIterator, Iterator

import aiohttp
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dequeuer.http.small_server import MAX_IDLE_CONNECTIONS
from dequeuer.observability.admin import AdminServer
from dequeuer.observability.metrics import Metrics
from tests.hostile import evidence
from tests.hostile.evidence import CANARY

C = CANARY.encode()
GET = b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"


@pytest.fixture
def out() -> Iterator[io.StringIO]:
    with evidence.captured() as lines:
        yield lines


@contextlib.asynccontextmanager
async def admin() -> AsyncIterator[AdminServer]:
    server = AdminServer(["127.0.0.1"], 0, Metrics("async", "api", "", 1).render, lambda: True, lambda: True)
    await server.start()
    try:
        yield server
    finally:
        await server.stop()


@pytest.fixture
async def server(out: io.StringIO) -> AsyncIterator[AdminServer]:
    async with admin() as running:
        yield running


async def exchange(port: int, *parts: bytes, enough: bytes = b"\r\n\r\n") -> bytes:
    """Send parts; return the response up to `enough`, or to the end of the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    response = b""
    try:
        with contextlib.suppress(ConnectionError):
            for part in parts:
                writer.write(part)
                await writer.drain()
        with contextlib.suppress(ConnectionError):
            async with asyncio.timeout(60):
                while enough not in response and (more := await reader.read(65536)):
                    response += more
    finally:
        writer.transport.abort()
    return response


async def is_served(port: int) -> bool:
    """Ask as the kubelet does: on a new connection."""
    async with aiohttp.ClientSession() as client, client.get(f"http://127.0.0.1:{port}/healthz") as answer:
        return answer.status == 200 and await answer.text() == "healthy"


ODD: dict[str, tuple[list[bytes], int]] = {
    "garbage": ([C + b" garbage\r\n\r\n"], 400),
    "TLS": ([b"\x16\x03\x01\x02\x00\x01" + C * 50], 400),
    "endless headers": ([GET, *[b"X-A: " + C + b"\r\n"] * 5000], 400),
    "an endless header": ([GET + b"X-A: ", *[C * 100] * 100], 400),
    "an endless name": ([GET, *[C * 100] * 100], 400),
    "an endless path": ([b"GET /", *[C * 100] * 100], 400),
    "an endless line": ([b"A" * 100_000], 400),
    "no host": ([b"GET /healthz HTTP/1.1\r\n\r\n"], 400),
    "control characters": ([GET + b"X-A: \x01" + C + b"\r\n\r\n"], 400),
    "a bad length": ([GET + b"Content-Length: " + C + b"\r\n\r\n"], 400),
    "two lengths": ([GET + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nab"], 400),
    "length and chunks": ([GET + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"], 400),
    "bytes in the path": ([b"GET //../%00%ff/\xff HTTP/1.1\r\nHost: x\r\n\r\n"], 400),
    "an invalid URL": ([b"GET http://[" + C + b"/metrics HTTP/1.1\r\nHost: x\r\n\r\n"], 400),
    "an unknown method": ([b"CANARY /healthz HTTP/1.1\r\nHost: x\r\n\r\n"], 400),
    "a path traversal": ([b"GET /../..//etc/passwd%00?" + C + b" HTTP/1.1\r\nHost: x\r\n\r\n"], 404),
    "a tunnel": ([b"CONNECT " + C + b":1 HTTP/1.1\r\nHost: x\r\n\r\n"], 404),
    "all options": ([b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n"], 404),
    "a huge body": ([b"POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n", *[C * 5000] * 100], 405),
    "a body that is no gzip": (
        [b"POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Encoding: gzip\r\nContent-Length: 999\r\n\r\n", C * 50],
        405,
    ),
    "an expectation": ([GET + b"Expect: " + C + b"\r\n\r\n"], 417),
    "an upgrade": ([GET.replace(b"close", b"upgrade") + b"Upgrade: websocket\r\n\r\n"], 200),
    "an odd host": ([GET.replace(b"Host: x", b"Host: \xff:" + C) + b"\r\n"], 200),
    "a chunk extension": ([GET + b"Transfer-Encoding: chunked\r\n\r\n5;", *[C * 500] * 50], 200),
    "a bad chunk": ([GET + b"Transfer-Encoding: chunked\r\n\r\n", C + b"\r\n"], 0),
}


@pytest.mark.parametrize("name", ODD)
async def test_odd_requests_are_refused_and_leave_no_trace(name: str, server: AdminServer, out: io.StringIO) -> None:
    parts, status = ODD[name]
    response = await exchange(server.port, *parts)
    assert response == b"" or response.split(b" ", 2)[1] == b"%d" % status or status == 0
    assert await is_served(server.port)
    assert out.getvalue() == ""


async def test_pipelined_requests_are_answered_and_no_more(server: AdminServer, out: io.StringIO) -> None:
    many = GET.replace(b"close", b"keep-alive") + b"\r\n"
    response = await exchange(server.port, many * 2000 + GET + b"\r\n", enough=b"never")
    assert response.count(b"healthy") == 2001
    assert await is_served(server.port)
    assert out.getvalue() == ""


@pytest.mark.parametrize(
    "begin", [b"", b"GET /metrics HT", GET + b"X-A: ", GET.replace(b"close", b"keep-alive") + b"\r\n"]
)
async def test_connections_that_wait_are_bounded_and_do_not_shut_others_out(
    begin: bytes, server: AdminServer, out: io.StringIO
) -> None:
    held = []
    for _ in range(MAX_IDLE_CONNECTIONS + 30):
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(begin)
        await writer.drain()
        held.append((reader, writer))
        if begin.endswith(b"\r\n\r\n"):
            await reader.readuntil(b"healthy")
    # The oldest idle ones were closed to make room for the newest.
    async with asyncio.timeout(60):
        for reader, _ in held[:30]:
            with contextlib.suppress(ConnectionError):
                assert await reader.read() == b""
    assert not held[-1][0].at_eof()
    assert await is_served(server.port)
    for _, writer in held:
        writer.transport.abort()
    assert await is_served(server.port)
    assert out.getvalue() == ""


async def test_an_active_client_is_kept_while_idle_connections_are_closed(server: AdminServer) -> None:
    reader, scraper = await asyncio.open_connection("127.0.0.1", server.port)
    held = []
    async with asyncio.timeout(60):
        for at in range(3 * MAX_IDLE_CONNECTIONS):
            held.append(await asyncio.open_connection("127.0.0.1", server.port))
            if at % 20 == 0:
                scraper.write(GET.replace(b"close", b"keep-alive") + b"\r\n")
                assert (await reader.readuntil(b"healthy")).startswith(b"HTTP/1.1 200 ")
    for writer in (scraper, *(writer for _, writer in held)):
        writer.transport.abort()


async def test_a_client_that_does_not_read_is_disconnected(server: AdminServer) -> None:
    slow = []
    for _ in range(3):
        _, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n" * 3000)
        slow.append(writer)
        await asyncio.sleep(0.05)
    assert await is_served(server.port)
    for writer in slow:
        writer.transport.abort()


async def test_requests_add_no_metric_series(server: AdminServer) -> None:
    async def names() -> set[str]:
        text = (await exchange(server.port, GET.replace(b"healthz", b"metrics") + b"\r\n", enough=b"never")).decode()
        return {line.rsplit(" ", 1)[0] for line in text.split("\r\n\r\n", 1)[1].splitlines()}

    before = await names()
    for at in range(50):
        await exchange(server.port, b"M%d /%d HTTP/1.1\r\nHost: x\r\n\r\n" % (at, at))
        await exchange(server.port, b"GET /%d%b HTTP/1.1\r\nHost: x\r\n\r\n" % (at, C))
    assert await names() == before


PARTS = st.sampled_from(
    [b"GET ", b"POST ", b"/metrics ", b"HTTP/1.1\r\n", b"Host: x\r\n", b"\r\n", b"Content-Length: 3\r\n", b"\0", C]
)


@given(st.lists(PARTS | st.binary(max_size=20), min_size=1, max_size=10))
@settings(max_examples=60, suppress_health_check=list(HealthCheck), print_blob=True)
async def test_any_bytes_do_not_stop_the_server(parts: list[bytes]) -> None:
    with evidence.captured() as lines:
        async with admin() as server:
            _, writer = await asyncio.open_connection("127.0.0.1", server.port)
            writer.write(b"".join(parts))
            writer.write_eof()
            assert await is_served(server.port)
            writer.transport.abort()
    assert lines.getvalue() == ""
