from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Never

import pytest
import structlog

from dequeuer.gateway import realtime as gateway_realtime
from dequeuer.gateway import upload
from dequeuer.gateway.realtime import target_behind
from dequeuer.gateway.upstream import Upstream
from dequeuer.http.request_head import MAX_FIELDS, MAX_TARGET_BYTES
from tests.gateway.realtime import CLOSE, OK, answer_ok, realtime
from tests.still import held_back, until_still


@pytest.mark.parametrize(
    ("target", "behind"),
    [
        (b"/v1/hello", b"/"),
        (b"/v1/hello/", b"/"),
        (b"/v1/hello?", b"/?"),
        (b"/v1/hello?a=/b/c/d", b"/?a=/b/c/d"),
        (b"/v1/hello/a%2Fb//c/../d?x=%20y", b"/a%2Fb//c/../d?x=%20y"),
        (b"/v1/hell%6F/a", b"/a"),
    ],
)
def test_the_prefix_is_taken_away_and_nothing_else_changes(target: bytes, behind: bytes) -> None:
    assert target_behind(target, b"/v1/hello") == behind


@pytest.mark.parametrize(
    ("target", "behind"),
    [
        (b"/v1/hello", b"/"),
        (b"/v1/hello/a%2Fb//c/../d?x=%20y&", b"/a%2Fb//c/../d?x=%20y&"),
        (b"/v1/hell%6f/line%0Aend", b"/line%0Aend"),
        (b"http://gate/v1/hello/x?y", b"/x?y"),
        (b"/v1/hello/%ff%00", b"/%ff%00"),
    ],
)
@pytest.mark.parametrize("method", [b"GET", b"PATCH", b"OPTIONS", b"PROPFIND"])
async def test_any_method_and_path_reach_the_api(method: bytes, target: bytes, behind: bytes) -> None:
    async with realtime(answer_ok) as stage:
        answer = await stage.ask(b"%b %b HTTP/1.1\r\n%b\r\n" % (method, target, CLOSE))
        assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
        assert answer.endswith(b"\r\n\r\nok")
    (head,) = stage.seen
    assert head.startswith(b"%b %b HTTP/1.1\r\n" % (method, behind))


async def test_fields_are_forwarded_but_those_of_one_connection() -> None:
    async with realtime(answer_ok) as stage:
        await stage.ask(
            b"GET /v1/hello HTTP/1.1\r\nHost: gate\r\nX-Two: 1\r\nx-two: 2\r\nConnection: close, X-Mine\r\nX-Mine: 1\r\n"
            b"Keep-Alive: 5\r\nX-Latin: \xe9\r\nX-Forwarded-For: 10.0.0.1\r\nX-Forwarded-Prefix: /wrong\r\n"
            b"Upgrade: h2c\r\n\r\n"
        )
    lines = stage.seen[0].split(b"\r\n")
    for line in (b"Host: gate", b"X-Two: 1", b"x-two: 2", b"X-Latin: \xe9", b"X-Forwarded-For: 10.0.0.1, 127.0.0.1"):
        assert line in lines
    assert b"X-Forwarded-Prefix: /v1/hello" in lines
    assert b"X-Forwarded-Host: gate" in lines
    assert not any(
        line.startswith((b"X-Mine", b"Keep-Alive", b"Upgrade", b"X-Forwarded-Prefix: /wrong")) for line in lines
    )
    assert b"Connection: close" in lines


async def test_the_response_is_passed_on_as_it_is() -> None:
    async def serve(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(
            b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
            b"HTTP/1.1 418 I'm a teapot\r\nSet-Cookie: a\r\nset-cookie: b\r\nKeep-Alive: 3\r\nX-L: \xe9\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\nX-Sum: 7\r\n\r\n"
        )

    async with realtime(serve) as stage:
        answer = await stage.ask(b"GET /v1/hello HTTP/1.1\r\nOrigin: x\r\n%b\r\n" % CLOSE)
    hints, _, response = answer.partition(b"\r\n\r\n")
    assert hints == b"HTTP/1.1 103 Early Hints\r\nLink: </a>"
    head, _, body = response.partition(b"\r\n\r\n")
    assert head.split(b"\r\n") == [
        *(b"HTTP/1.1 418 I'm a teapot", b"Set-Cookie: a", b"set-cookie: b", b"X-L: \xe9"),
        *(b"Connection: close", b"Transfer-Encoding: chunked"),
    ]
    assert body.endswith(b"0\r\nX-Sum: 7\r\n\r\n")
    assert body.startswith((b"3\r\nabc\r\n", b"2\r\nab\r\n"))


async def test_connections_of_clients_are_kept_and_those_to_the_api_are_not() -> None:
    async with realtime(answer_ok) as stage, stage.client() as client:
        for _ in range(3):
            client.send(b"POST /v1/hello HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc")
            assert (await client.until(b"ok")).startswith(b"HTTP/1.1 200 OK\r\n")
        assert stage.connections == 3


async def test_an_old_client_gets_its_bytes_and_the_end_of_the_connection() -> None:
    async def serve(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n")

    async with realtime(serve) as stage:
        answer = await stage.ask(b"GET /v1/hello HTTP/1.0\r\n\r\n")
        assert answer == b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nab"


async def test_a_head_response_has_no_body() -> None:
    async def serve(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n")

    async with realtime(serve) as stage:
        answer = await stage.ask(b"HEAD /v1/hello HTTP/1.1\r\n%b\r\n" % CLOSE)
        assert answer == b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 7\r\n\r\n"


async def test_both_bodies_stream_at_the_same_time() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
        while (size := int(await reader.readline(), 16)) > 0:
            piece = (await reader.readexactly(size + 2))[:-2]
            writer.write(b"%x\r\n%b\r\n" % (size, piece.upper()))
        writer.write(b"0\r\n\r\n")

    async with realtime(serve) as stage, stage.client() as client:
        client.send(b"POST /v1/hello HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        await client.until(b"\r\n\r\n")
        for word in (b"one", b"two"):  # each comes back before the next one is sent
            client.send(b"3\r\n%b\r\n" % word)
            assert await client.until(b"%b\r\n" % word.upper()) == b"3\r\n%b\r\n" % word.upper()
        client.send(b"0\r\n\r\n")
        assert await client.until(b"0\r\n\r\n") == b"0\r\n\r\n"


async def test_a_client_that_waits_to_be_asked_for_its_body_is_asked() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(4)
        writer.write(OK)

    async with realtime(serve) as stage, stage.client() as client:
        client.send(b"PUT /v1/hello HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n")
        assert await client.until(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.send(b"body")
        assert (await client.until(b"ok")).startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"expect" not in stage.seen[0].lower()


async def test_a_slow_reader_stops_the_api() -> None:
    sent = 0

    async def serve(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (1 << 28))
        while True:
            writer.write(bytes(1 << 16))
            await writer.drain()
            sent += 1 << 16

    async with realtime(serve) as stage, stage.client() as client:
        client.send(b"GET /v1/hello HTTP/1.1\r\nHost: x\r\n\r\n")
        await client.until(b"\r\n\r\n")
        assert 0 < await until_still(lambda: sent) < 1 << 26


async def test_a_slow_api_stops_the_client() -> None:
    async def serve(_reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await asyncio.Event().wait()

    async with realtime(serve) as stage, stage.client() as client:
        size = 1 << 26
        client.send(b"POST /v1/hello HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % size + bytes(size))
        assert await held_back(client.writer) > size // 2


@pytest.mark.parametrize(
    ("response", "reason"),
    [
        (b"", b"upstream_broken"),
        (b"HTTP/1.1 200", b"upstream_malformed"),
        (b"SSH-2.0-x\r\n\r\n", b"upstream_malformed"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", b"upstream_malformed"),
        (b"HTTP/1.1 101 Switch\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n", b"upstream_malformed"),
        (b"HTTP/1.1 200 OK\r\nX: %b\r\n\r\n" % bytes(100_000).replace(b"\0", b"x"), b"upstream_malformed"),
    ],
)
async def test_an_api_that_does_not_respond_is_502_and_is_asked_once(response: bytes, reason: bytes) -> None:
    async def serve(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(response)

    async with realtime(serve) as stage:
        answer = await stage.ask(b"GET /v1/hello HTTP/1.1\r\n%b\r\n" % CLOSE)
        assert answer.startswith(b"HTTP/1.1 502 Bad Gateway\r\n")
        assert b"\r\nX-Dequeuer-Reason: %b\r\n" % reason in answer
        assert stage.connections == 1


async def test_an_api_that_nobody_serves_is_502() -> None:
    async with realtime(None) as stage:
        answer = await stage.ask(b"POST /v1/hello HTTP/1.1\r\n%bContent-Length: 3\r\n\r\nabc" % CLOSE)
        assert answer.startswith(b"HTTP/1.1 502 Bad Gateway\r\n")
        assert b"\r\nX-Dequeuer-Reason: upstream_unreachable\r\n" in answer
        assert answer.endswith(b"error: the API cannot be reached (hello)")


@pytest.mark.parametrize(
    "response",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\nzz\r\n",
    ],
)
async def test_half_a_response_does_not_look_whole(response: bytes) -> None:
    async def serve(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(response)

    async with realtime(serve) as stage:
        for version in (b"1.0", b"1.1"):
            with pytest.raises(ConnectionResetError):
                await stage.ask(b"GET /v1/hello HTTP/%b\r\n%b\r\n" % (version, CLOSE))


@pytest.mark.parametrize("body", [b"2\r\nab\r\n", b"zz\r\n"])
async def test_half_a_response_to_half_a_request_does_not_look_whole(
    monkeypatch: pytest.MonkeyPatch, body: bytes
) -> None:
    monkeypatch.setattr(upload, "IDLE_TIMEOUT_S", 3)  # half the request is sent in time

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n\r\nhalf")
        await reader.read()
        await asyncio.Event().wait()

    async with realtime(serve) as stage, stage.client() as client:
        client.send(b"POST /v1/hello HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        await client.until(b"half\r\n")
        client.send(body)
        with pytest.raises(ConnectionResetError):
            await client.rest()


@pytest.mark.parametrize("began", [False, True])
async def test_the_api_is_told_when_the_client_leaves(*, began: bool) -> None:
    asked, ended = asyncio.Event(), asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.set()
        if began:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab")
        try:
            await reader.read()
        finally:
            ended.set()

    async with realtime(serve) as stage:
        async with stage.client() as client:
            client.send(b"GET /v1/hello HTTP/1.1\r\nHost: x\r\n\r\n")
            if began:
                await client.until(b"ab")
            else:
                await asked.wait()
        await ended.wait()


async def test_a_body_that_stops_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upload, "IDLE_TIMEOUT_S", 0.1)
    got: list[bytes] = []
    ended = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(100):
                got.append(data)
        finally:
            ended.set()

    async with realtime(serve) as stage, stage.client() as client:
        client.send(b"POST /v1/hello HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n")
        answer = await client.until(b"\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 408 Request Timeout\r\n")
        assert b"\r\nX-Dequeuer-Reason: timeout\r\n" in answer
        await ended.wait()
    assert b"0\r\n\r\n" not in b"".join(got)  # what the API got does not look whole


@pytest.mark.parametrize("fields", [b"Host: x\r\nHost: y\r\n", b"Host: x\r\nContent_Length: 5\r\n", b"Host: a b\r\n"])
async def test_an_ambiguous_request_does_not_reach_the_api(fields: bytes) -> None:
    async with realtime(answer_ok) as stage:
        answer = await stage.ask(b"GET /v1/hello HTTP/1.1\r\n%b\r\n" % fields)
        assert answer.split(b" ")[1] == b"400"
        assert stage.connections == 0


async def test_at_its_name_the_client_is_told_where_an_api_is() -> None:
    async with realtime(answer_ok) as stage:
        answer = await stage.ask(b"POST /hello HTTP/1.1\r\n%bContent-Length: 0\r\n\r\n" % CLOSE)
        assert answer.startswith(b"HTTP/1.1 404 ")
        assert answer.endswith(b"API hello is of kind RealtimeAPI: send its requests to /v1/hello")
        assert stage.connections == 0


async def test_other_paths_are_not_forwarded() -> None:
    async with realtime(answer_ok) as stage:
        answer = await stage.ask(b"GET /v1/hello2 HTTP/1.1\r\n%b\r\n" % CLOSE)
        assert answer.startswith(b"HTTP/1.1 4")
        assert stage.connections == 0


async def test_a_bug_ends_one_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    async with realtime(answer_ok) as stage:
        with monkeypatch.context() as patch:
            patch.setattr(gateway_realtime, "target_behind", lambda _target, _prefix: None)
            with pytest.raises(ConnectionResetError):
                await stage.ask(b"GET /v1/hello HTTP/1.1\r\n%b\r\n" % CLOSE)
        assert (await stage.ask(b"GET /v1/hello HTTP/1.1\r\n%b\r\n" % CLOSE)).endswith(b"ok")


async def test_an_api_that_cannot_be_reached_is_logged_once() -> None:
    with structlog.testing.capture_logs() as lines:
        async with realtime(None) as stage:
            for _ in range(3):
                await stage.ask(b"GET /v1/hello HTTP/1.1\r\n%b\r\n" % CLOSE)
    assert [line["event"] for line in lines] == ["api_unreachable"]


@pytest.mark.parametrize("named", [b"X-Forwarded-Prefix", b"x-forwarded-prefix, X-Mine"])
async def test_a_client_cannot_remove_the_field_of_the_gateway(named: bytes) -> None:
    async with realtime(answer_ok) as stage:
        await stage.ask(
            b"GET /v1/hello HTTP/1.1\r\nHost: x\r\nConnection: close, %b\r\nX-Forwarded-Prefix: /\r\n\r\n" % named
        )
    assert [line for line in stage.seen[0].split(b"\r\n") if b"prefix" in line.lower()] == [
        b"X-Forwarded-Prefix: /v1/hello"
    ]


@pytest.mark.parametrize(
    ("target", "fields", "status"),
    [
        (MAX_TARGET_BYTES, 3, b"200"),
        (MAX_TARGET_BYTES + 1, 3, b"414"),
        (100, MAX_FIELDS, b"200"),
        (100, MAX_FIELDS + 1, b"400"),
    ],
)
async def test_a_head_may_be_as_large_as_for_the_proxy(target: int, fields: int, status: bytes) -> None:
    path = b"/v1/hello/".ljust(target, b"x")
    lines = CLOSE + b"".join(b"X-%d: 1\r\n" % number for number in range(fields - 2))
    async with realtime(answer_ok) as stage:
        answer = await stage.ask(b"GET %b HTTP/1.1\r\n%b\r\n" % (path, lines))
    assert answer.split(b" ")[1] == status
    assert (b"\r\nX-Dequeuer-Reason: too_large\r\n" in answer) == (status == b"414")


@contextmanager
def fails_to_connect() -> Iterator[None]:
    async def connect(_host: str, _port: int) -> Never:
        raise ConnectionRefusedError

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Upstream, "connect", connect)
        yield


async def test_an_api_that_is_back_is_logged_once() -> None:
    with structlog.testing.capture_logs() as lines:
        async with realtime(answer_ok) as stage:
            with fails_to_connect():
                await stage.ask(b"GET /v1/hello HTTP/1.1\r\n%b\r\n" % CLOSE)
            for _ in range(2):
                await stage.ask(b"GET /v1/hello HTTP/1.1\r\n%b\r\n" % CLOSE)
    assert [(line["event"], line["api_name"]) for line in lines] == [
        ("api_unreachable", "hello"),
        ("api_reachable", "hello"),
    ]


async def test_a_gateway_that_stops_closes_the_connections_of_clients() -> None:
    asked, may_answer = asyncio.Event(), asyncio.Event()

    async def serve(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.set()
        await may_answer.wait()
        writer.write(OK)

    async with realtime(serve) as stage, stage.client() as client:
        client.send(b"GET /v1/hello HTTP/1.1\r\nHost: x\r\n\r\n")
        await asked.wait()
        async with stage.draining():
            may_answer.set()
            answer = await client.rest()
    assert b"\r\nConnection: close\r\n" in answer
    assert answer.endswith(b"ok")
