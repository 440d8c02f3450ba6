"""Clients of the gateway with arbitrary requests: nothing is written outside the request's own prefix."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dequeuer.formats.headers import MAX_BYTES, parse_headers
from dequeuer.formats.request_id import is_request_id
from dequeuer.gateway.application import make_app, make_runner
from dequeuer.http.server import IdleLimit
from tests.gateway.fakes import PREFIX, URL, FakeQueue, Store, make_gateway
from tests.hostile import evidence
from tests.hostile.evidence import CANARY

C = CANARY.encode()
LIMIT = 2**20
MAX_IDLE = 20
POST = b"POST /api HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: " + C + b"\r\n"


class Gateway:
    """A running gateway with its store and its queue."""

    def __init__(self, port: int, store: Store, queue: FakeQueue) -> None:
        self.port = port
        self.store = store
        self.queue = queue

    async def exchange(self, *parts: bytes, end: bool = False) -> bytes:
        """Send parts; return the response up to some of its body, or to the end of the connection."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        response = b""
        try:
            with contextlib.suppress(ConnectionError):
                for part in parts:
                    writer.write(part)
                    await writer.drain()
                if end:
                    writer.write_eof()
            with contextlib.suppress(ConnectionError):
                async with asyncio.timeout(60):
                    while b"\r\n\r\n" not in response and (more := await reader.read(65536)):
                        response += more
        finally:
            writer.transport.abort()
        return response

    def check(self) -> None:
        """Check what was written and sent: complete requests below their own prefix, or nothing."""
        for _, key in self.store.journal:
            if is_request_id(key):
                continue  # an id that was sent
            request_id, _, name = key.removeprefix(PREFIX).partition("/")
            assert key.startswith(PREFIX)
            assert is_request_id(request_id)
            assert name in {"headers.json", "payload", "status/in_queue"}
        for _, request_id in self.queue.sent:
            keys = {key for key in self.store.objects if key.startswith(f"{PREFIX}{request_id}/")}
            assert {key.rpartition("/")[2] for key in keys} == {"headers.json", "payload", "in_queue"}
            parse_headers(self.store.objects[f"{PREFIX}{request_id}/headers.json"][0])


@contextlib.asynccontextmanager
async def gateway() -> AsyncIterator[Gateway]:
    store = Store()
    queue = FakeQueue(store)
    limit, app = IdleLimit(MAX_IDLE), make_app(make_gateway(store, queue, LIMIT), {"api": URL})
    limit.watch(app)
    runner = make_runner(app)
    with evidence.captured() as out:
        await runner.setup()
        await limit.listen(runner, ["127.0.0.1"], 0)
        running = Gateway(runner.addresses[0][1], store, queue)
        try:
            yield running
        finally:
            await runner.cleanup()
    running.check()
    assert CANARY not in out.getvalue()
    assert "Traceback" not in out.getvalue()


def in_cluster(request_id: bytes) -> bytes:
    names = b"X-Cortex-API-Name: api\r\nX-Cortex-Queue-URL: " + URL.encode() + b"\r\nX-Request-ID: "
    return POST.replace(b"/api", b"/") + names + request_id + b"\r\n"


TWO = b"Content-Length: 2\r\n\r\n{}"
ODD: dict[str, tuple[list[bytes], int]] = {
    "a good one": ([POST + TWO], 200),
    "latin letters in a header": ([POST + b"X-A: \xff\xfe\r\n" + TWO], 200),
    "half a surrogate in a header": ([POST + b"X-A: \xed\xa0\x80\r\n" + TWO], 200),
    "a carriage return in a header": ([POST + b"X-A: a\rX-B: b\r\n" + TWO], 400),
    "a control character in a header": ([POST + b"X-A: a\x01b\r\n" + TWO], 400),
    "NUL in a header": ([POST + b"X-A: a\0b\r\n" + TWO], 400),
    "a header of 40 KiB": ([POST + b"X-A: " + b"c" * 40_000 + b"\r\n" + TWO], 400),
    "too many headers": ([POST, *[b"X-A: c\r\n" * 50] * 50, TWO], 400),
    "headers that the sidecar would refuse": ([POST, *[b"X-A: " + b"c" * 30_000 + b"\r\n"] * 3, TWO], 431),
    "an id with a traversal": ([in_cluster(b"../../x") + TWO], 400),
    "an id with a slash": ([in_cluster(b"a/b") + TWO], 400),
    "an id that is too long": ([in_cluster(b"a" * 129) + TWO], 400),
    "an id of other letters": ([in_cluster("ä".encode()) + TWO], 400),
    "an API with a traversal": ([POST.replace(b"/api", b"/%2e%2e") + TWO], 400),
    "a path with a traversal": ([POST.replace(b"/api", b"/api/../../x") + TWO], 404),
    "an id with a traversal in a look-up": ([b"GET /api/..%2f..%2fx HTTP/1.1\r\nHost: x\r\n\r\n"], 400),
    "length and chunks": ([POST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"], 400),
    "an invalid chunk": ([POST + b"Transfer-Encoding: chunked\r\n\r\n" + C + b"\r\n"], 400),
    "a good chunk, then garbage": ([POST + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n" + C + b"\r\n"], 400),
    "too large": ([POST + b"Content-Length: 99999999\r\n\r\n"], 413),
    "endless": ([POST + b"Transfer-Encoding: chunked\r\n\r\n", *[b"10000\r\n" + b"x" * 65536 + b"\r\n"] * 40], 413),
    "trailers": ([POST + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\nX-Evil: " + C + b"\r\n\r\n"], 200),
    "endless trailers": (
        [POST + b"Transfer-Encoding: chunked\r\n\r\n0\r\n", *[b"X-A: " + C + b"\r\n" * 50] * 200],
        400,
    ),
    "invalid gzip": ([POST + b"Content-Encoding: gzip\r\n" + TWO], 200),
    "an upgrade": ([POST.replace(b"close", b"upgrade") + b"Upgrade: websocket\r\n" + TWO], 200),
}


@pytest.mark.parametrize("name", ODD)
async def test_odd_requests(name: str) -> None:
    parts, status = ODD[name]
    async with gateway() as running:
        response = await running.exchange(*parts)
        # A client that is still sending can see a reset of the connection before it has read the response.
        assert response == b"" or response.split(b" ", 2)[1] == b"%d" % status
        assert bool(running.queue.sent) is (status == 200)
        assert (await running.exchange(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")).startswith(b"HTTP/1.1 200 ")


async def test_a_payload_that_breaks_off_is_no_request() -> None:
    async with gateway() as running:
        await running.exchange(POST + b"Content-Length: 20\r\n\r\n{}", end=True)
        await running.exchange(POST + b"Transfer-Encoding: chunked\r\n\r\n10000\r\n" + b"x" * 400, end=True)
        assert running.queue.sent == []
        assert running.store.objects == {}


async def test_headers_up_to_the_sidecar_s_limit_are_accepted() -> None:
    value = b"c" * 16_000
    async with gateway() as running:
        response = await running.exchange(POST + b"".join(b"X-%d: %b\r\n" % (at, value) for at in range(4)) + TWO)
        assert response.startswith(b"HTTP/1.1 200 ")
        assert sum(len(body) for key, (body, _) in running.store.objects.items() if key.endswith(".json")) < MAX_BYTES


async def test_waiting_clients_are_bounded_and_busy_ones_stay() -> None:
    async with gateway() as running:
        reader, upload = await asyncio.open_connection("127.0.0.1", running.port)
        upload.write(POST + b"Content-Length: 4\r\n\r\n{")
        await upload.drain()
        await running.exchange(
            b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
        )  # after this response the server has seen the upload
        held = [await asyncio.open_connection("127.0.0.1", running.port) for _ in range(3 * MAX_IDLE)]
        async with asyncio.timeout(60):
            for waiting, _ in held[:MAX_IDLE]:
                with contextlib.suppress(ConnectionError):
                    assert await waiting.read() == b""
            assert not held[-1][0].at_eof()
            upload.write(b"  }")
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 ")
        for writer in (upload, *(writer for _, writer in held)):
            writer.transport.abort()


IDS = st.sampled_from([b"..", b"/", b"%2f", b"%2e", b"a", b"\\", b":", b".", b"-", b"_", b"%00", b"%0a", b"payload"])


@given(st.lists(IDS, min_size=1, max_size=6).map(b"".join))
@settings(max_examples=60, suppress_health_check=list(HealthCheck), print_blob=True)
async def test_any_name_stays_below_its_prefix(name: bytes) -> None:
    async with gateway() as running:
        await running.exchange(b"POST /" + name + b" HTTP/1.1\r\nHost: x\r\n" + TWO)
        await running.exchange(b"GET /api/" + name + b" HTTP/1.1\r\nHost: x\r\n\r\n")
        await running.exchange(in_cluster(name) + TWO)


VALUES = st.binary(max_size=30).map(lambda value: value.replace(b"\r", b"").replace(b"\n", b""))


@given(st.lists(st.tuples(st.sampled_from([b"X-A", b"x-a", b"Cookie", b"Content-Type"]), VALUES), max_size=5))
@settings(max_examples=60, suppress_health_check=list(HealthCheck), print_blob=True)
async def test_accepted_headers_can_be_forwarded(headers: list[tuple[bytes, bytes]]) -> None:
    async with gateway() as running:
        response = await running.exchange(POST + b"".join(b"%b: %b\r\n" % pair for pair in headers) + TWO)
        assert response.split(b" ", 2)[1] in {b"200", b"400"}
        for body, _ in running.store.objects.values():
            if body.startswith(b'{"'):
                json.loads(body)
