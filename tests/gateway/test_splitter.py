from __future__ import annotations

import asyncio
import socket
import threading
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

import pytest
from aiohttp import web

from dequeuer.core.errors import ConfigurationError
from dequeuer.core.events import CopyEnded, Event
from dequeuer.gateway import copies, realtime
from dequeuer.gateway.access.gate import Access
from dequeuer.gateway.endpoints import Endpoint, Split, Target, load_endpoints
from dequeuer.gateway.splitter import choose
from dequeuer.http.request_head import read_request_head
from tests.gateway.access.stage import entry, make_tokens
from tests.gateway.realtime import CLOSE, DEADLINE_S, answer_ok
from tests.gateway.splits import PATH, Api, answering, split
from tests.gateway.test_endpoints import REALTIME, written

GET = b"GET /v1/split HTTP/1.1\r\n%b\r\n" % CLOSE
POST = b"POST /v1/split HTTP/1.1\r\n%bContent-Length: 4\r\n\r\nbody" % CLOSE
CHUNKED = b"POST /v1/split HTTP/1.1\r\n%bTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n" % CLOSE


def target(name: str, weight: int) -> Target:
    return Target(api=Endpoint(api_name=name, kind="RealtimeAPI", path=PATH), address=("127.0.0.1", 1), weight=weight)


def test_the_weights_are_the_shares_of_the_requests() -> None:
    made, random = Split(targets=(target("never", 0), target("a", 30), target("b", 70))), Random(1)
    shares = Counter(choose(made, random).api.api_name for _ in range(10_000))
    assert shares.keys() == {"a", "b"}
    assert 2_800 < shares["a"] < 3_200


async def test_a_request_goes_to_one_of_the_apis_and_which_one_is_told() -> None:
    a, b = Api(answering(b"a"), 0), Api(answering(b"b"), 100)
    async with split({"a": a, "b": b}) as stage:
        for _ in range(5):
            assert (await stage.ask(POST)).endswith(b"\r\n\r\nb")
        assert stage.chosen == ["b"] * 5
    assert (len(a.heads), len(b.heads)) == (0, 5)


@pytest.mark.parametrize("method", [b"GET", b"DELETE", b"OPTIONS", b"PROPFIND"])
async def test_the_endpoint_is_taken_away_and_the_query_is_kept(method: bytes) -> None:
    api = Api(answer_ok, 100)
    async with split({"a": api}) as stage:
        assert (await stage.ask(b"%b /v1/split?a=/b HTTP/1.1\r\n%b\r\n" % (method, CLOSE))).endswith(b"ok")
    assert api.heads[0].startswith(b"%b /?a=/b HTTP/1.1\r\n" % method)
    assert b"\r\nX-Forwarded-Prefix: /v1/split\r\n" in api.heads[0]


@pytest.mark.parametrize("path", [b"/v1/split/", b"/v1/split/x", b"/split", b"/split/x"])
async def test_only_exactly_the_endpoint_is_served(path: bytes) -> None:
    api = Api(answer_ok, 100)
    async with split({"a": api}) as stage:
        answer = await stage.ask(b"POST %b HTTP/1.1\r\n%bContent-Length: 0\r\n\r\n" % (path, CLOSE))
        assert answer.startswith((b"HTTP/1.1 404 ", b"HTTP/1.1 405 "))
        if path != b"/split/x":
            assert answer.endswith(b"API split is of kind TrafficSplitter: send its requests to exactly /v1/split")
    assert api.heads == []


async def test_a_token_must_name_the_splitter_and_reaches_no_api() -> None:
    api, shadow = Api(answer_ok, 100), Api(answer_ok, 100)
    access = Access(tokens=make_tokens(entry("good", ["split"], ["submit"]), entry("bad", ["a", "shadow"])))
    async with split({"a": api}, shadow, access=access) as stage:
        for token, status in ((b"bad", b"403"), (b"good", b"200")):
            fields = b"Authorization: Bearer %b\r\n%b" % (token, CLOSE)
            answer = await stage.ask(b"GET /v1/split HTTP/1.1\r\n%b\r\n" % fields)
            assert answer.split(b" ")[1] == status
        assert await stage.until_copies(1) == ["responded"]
    (seen,), (copied,) = api.heads, shadow.heads
    assert b"authorization" not in (seen + copied).lower()


async def test_an_api_that_cannot_be_reached_is_502_and_no_other_is_asked() -> None:
    down, other, shadow = Api(answer_ok, 100), Api(answer_ok, 0), Api(answer_ok, 100)
    async with split({"down": down, "other": other}, shadow, down={"down"}) as stage:
        assert (await stage.ask(POST)).startswith(b"HTTP/1.1 502 ")
    assert other.heads == shadow.heads == []


@pytest.mark.parametrize("request_bytes", [GET, POST, CHUNKED])
async def test_the_shadow_gets_the_same_request_and_its_response_is_thrown_away(request_bytes: bytes) -> None:
    bodies: dict[bytes, bytes] = {}

    async def keep(name: bytes, reader: asyncio.StreamReader) -> None:
        end = {GET: b"", POST: b"body", CHUNKED: b"4\r\nbody\r\n0\r\n\r\n"}[request_bytes]
        bodies[name] = await reader.readexactly(len(end))

    real = Api(answering(b"real", lambda reader: keep(b"real", reader)), 100)
    shadow = Api(answering(b"shadow", lambda reader: keep(b"shadow", reader)), 100)
    async with split({"a": real}, shadow) as stage:
        pretended = request_bytes.replace(b"\r\n\r\n", b"\r\nX-Dequeuer-Shadow: yes\r\n\r\n", 1)
        assert (await stage.ask(pretended)).endswith(b"\r\n\r\nreal")
        assert await stage.until_copies(1) == ["responded"]
    assert bodies[b"shadow"] == bodies[b"real"]
    (seen,), (copied,) = real.heads, shadow.heads
    assert copied == seen.removesuffix(b"\r\n") + b"X-Dequeuer-Shadow: true\r\n\r\n"
    assert b"shadow" not in seen.lower()


async def test_a_shadow_of_weight_zero_gets_nothing() -> None:
    shadow = Api(answer_ok, 0)
    async with split({"a": Api(answer_ok, 100)}, shadow) as stage:
        for _ in range(20):
            assert (await stage.ask(GET)).endswith(b"ok")
        assert (stage.copies, shadow.heads) == ([], [])


async def test_the_client_does_not_wait_for_the_shadow() -> None:
    may_answer = asyncio.Event()
    shadow = Api(answering(b"late", lambda _: may_answer.wait()), 100)
    async with split({"a": Api(answer_ok, 100)}, shadow) as stage:
        assert (await stage.ask(POST)).endswith(b"ok")
        assert stage.copies == []
        may_answer.set()
        assert await stage.until_copies(1) == ["responded"]


@pytest.mark.parametrize(
    "response", [b"", b"HTTP/1.1 200", b"SSH\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx"]
)
async def test_a_shadow_that_breaks_changes_nothing_for_the_client(response: bytes) -> None:
    async def serve(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(response)

    async with split({"a": Api(answer_ok, 100)}, Api(serve, 100)) as stage:
        assert (await stage.ask(POST)).endswith(b"ok")
        assert await stage.until_copies(1) == ["broken"]


async def test_a_shadow_that_nobody_serves_changes_nothing_for_the_client() -> None:
    async with split({"a": Api(answer_ok, 100)}, Api(answer_ok, 100), down={"shadow"}) as stage:
        assert (await stage.ask(POST)).endswith(b"ok")
        assert await stage.until_copies(1) == ["unreachable"]


def post(size: int) -> bytes:
    return b"POST /v1/split HTTP/1.1\r\n%bContent-Length: %d\r\n\r\n" % (CLOSE, size) + bytes(size)


async def test_a_shadow_that_reads_nothing_does_not_slow_the_request_and_its_bytes_are_given_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(copies, "MAX_WAITING_BYTES", 1 << 20)
    monkeypatch.setattr(copies, "TIMEOUT_S", 15)
    sizes = [1 << 25, 1 << 19]

    async def read_all(reader: asyncio.StreamReader) -> None:
        await reader.readexactly(sizes[len(real.heads) - 1])

    async def hang_first(reader: asyncio.StreamReader) -> None:
        is_first = b"Content-Length: %d\r\n" % sizes[0] in shadow.heads[-1]
        await (asyncio.Event().wait() if is_first else reader.readexactly(sizes[1]))

    real, shadow = Api(answering(b"all", read_all), 100), Api(answering(b"", hang_first), 100)
    async with split({"a": real}, shadow) as stage:
        assert (await stage.ask(post(sizes[0]))).endswith(b"all")
        assert await stage.until_copies(1) == ["slow"]
        assert (await stage.ask(post(sizes[1]))).endswith(b"all")
        assert await stage.until_copies(2) == ["slow", "responded"]


async def test_a_name_of_the_shadow_that_is_not_resolved_delays_no_request(monkeypatch: pytest.MonkeyPatch) -> None:
    resolve, is_over = socket.getaddrinfo, threading.Event()

    def slow(host: str, *args: Any, **options: Any) -> Any:
        if host != "shadow.example":
            return resolve(host, *args, **options)
        is_over.wait(DEADLINE_S)
        raise socket.gaierror("no answer of the name server")

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    real, shadow = Api(answer_ok, 100), Api(answer_ok, 100)
    try:
        async with split({"a": real}, shadow, host="localhost", shadow_host="shadow.example") as stage:
            for _ in range(40):  # more than the loop has threads
                async with asyncio.timeout(5):
                    assert (await stage.ask(POST)).endswith(b"ok")
            is_over.set()
            assert await stage.until_copies(40) == ["unreachable"] * 40
    finally:
        is_over.set()


async def test_a_copy_goes_to_the_first_address_of_the_shadow_that_can_be_reached(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    resolve = socket.getaddrinfo

    def two(host: str, *args: Any, **options: Any) -> Any:
        if host != "shadow.example":
            return resolve(host, *args, **options)
        return [*resolve("127.0.0.2", *args, **options), *resolve("127.0.0.1", *args, **options)]

    monkeypatch.setattr(socket, "getaddrinfo", two)
    shadow = Api(answer_ok, 100)
    async with split({"a": Api(answer_ok, 100)}, shadow, shadow_host="shadow.example") as stage:
        assert (await stage.ask(POST)).endswith(b"ok")
        assert await stage.until_copies(1) == ["responded"]


async def test_half_a_request_is_no_whole_copy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copies, "TIMEOUT_S", 15)
    got: list[bytes] = []
    arrived, ended = asyncio.Event(), asyncio.Event()

    async def serve(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(100):
                got.append(data)
                if b"half" in b"".join(got):
                    arrived.set()
        finally:
            ended.set()

    async def hang(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with split({"a": Api(hang, 100)}, Api(serve, 100)) as stage:
        async with stage.client() as client:
            client.send(b"POST /v1/split HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n")
            await arrived.wait()
        assert await stage.until_copies(1) == ["incomplete"]
        await ended.wait()
    assert b"0\r\n\r\n" not in b"".join(got)


async def test_a_client_that_leaves_before_its_body_was_asked_for_ends_the_copy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(copies, "TIMEOUT_S", 15)

    async def gone(_request: web.Request, _data: bytes) -> None:
        raise ConnectionResetError

    async def hang(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await reader.read()

    monkeypatch.setattr(realtime, "write", gone)
    async with split({"a": Api(hang, 100)}, Api(hang, 100)) as stage, stage.client() as client:
        client.send(b"PUT /v1/split HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n")
        assert await stage.until_copies(1) == ["incomplete"]


async def test_an_api_that_answers_before_the_body_was_whole_cuts_the_copy() -> None:
    async def refuse(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")

    async def hang(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with split({"a": Api(refuse, 100)}, Api(hang, 100)) as stage, stage.client() as client:
        client.send(b"POST /v1/split HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf")
        assert (await client.until(b"\r\n\r\n")).startswith(b"HTTP/1.1 413 ")
        assert await stage.until_copies(1) == ["incomplete"]


async def test_copies_are_bounded_in_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copies, "MAX_COPIES", 2)
    may_answer = asyncio.Event()
    shadow = Api(answering(b"", lambda _: may_answer.wait()), 100)
    async with split({"a": Api(answer_ok, 100)}, shadow) as stage:
        for _ in range(3):
            assert (await stage.ask(GET)).endswith(b"ok")
        assert await stage.until_copies(1) == ["too_many"]
        may_answer.set()
        assert await stage.until_copies(3) == ["too_many", "responded", "responded"]
        assert len(shadow.heads) == 2


async def test_copies_are_bounded_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copies, "TIMEOUT_S", 0.2)

    async def hang(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with split({"a": Api(answer_ok, 100)}, Api(hang, 100)) as stage:
        assert (await stage.ask(GET)).endswith(b"ok")
        assert await stage.until_copies(1) == ["timeout"]


async def test_a_response_of_the_shadow_is_not_read_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copies, "MAX_RESPONSE_BYTES", 1 << 20)
    monkeypatch.setattr(copies, "TIMEOUT_S", 15)
    cut = asyncio.Event()

    async def serve(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        try:
            while True:
                writer.write(bytes(1 << 16))
                await writer.drain()
        finally:
            cut.set()

    async with split({"a": Api(answer_ok, 100)}, Api(serve, 100)) as stage:
        assert (await stage.ask(GET)).endswith(b"ok")
        assert await stage.until_copies(1) == ["responded"]
        await cut.wait()


async def test_websockets_are_passed_on_and_not_copied() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 101 Switch\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
        writer.write((await reader.readexactly(4)).upper())

    shadow = Api(answer_ok, 100)
    async with split({"a": Api(serve, 100)}, shadow) as stage, stage.client() as client:
        client.send(b"GET /v1/split HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
        await client.until(b"\r\n\r\n")
        client.send(b"ping")
        assert await client.until(b"PING") == b"PING"
        assert (shadow.heads, stage.copies) == ([], [])


async def test_copies_end_with_the_gateway() -> None:
    asked = asyncio.Event()

    async def hang(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        asked.set()
        await reader.read()

    async with split({"a": Api(answer_ok, 100)}, Api(hang, 100)) as stage:
        assert (await stage.ask(GET)).endswith(b"ok")
        await asked.wait()
        assert stage.copies == []
    assert stage.copies == ["incomplete"]


async def test_a_request_that_the_gateway_finishes_while_it_stops_begins_no_copy() -> None:
    ends: list[Event] = []
    made = copies.Copies(ends.append)
    await made.close()
    head = read_request_head(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    shadow = Target(api=Endpoint(api_name="shadow", kind="RealtimeAPI", path=PATH), address=("localhost", 1), weight=1)
    assert made.begin("split", shadow, b"GET / HTTP/1.1\r\n\r\n", head) is None
    assert ends == [CopyEnded(splitter="split", api_name="shadow", result="incomplete")]
    assert [one for one in asyncio.all_tasks() if one.get_name() == "gateway-copy"] == []


SPLITTER = """\
- name: hello
  kind: TrafficSplitter
  networking: {endpoint: /v1/hello}
  apis:
  - {name: answer, weight: 100}
  - {name: next, weight: 5, shadow: true}
"""


def test_the_splitter_of_a_file(tmp_path: Path) -> None:
    path = written(tmp_path, REALTIME + REALTIME.replace("answer", "next") + SPLITTER)
    *_, hello = load_endpoints(path, {}, {"next": ("10.0.0.1", 80)})

    def expected(name: str, address: tuple[str, int], weight: int) -> Target:
        api = Endpoint(api_name=name, kind="RealtimeAPI", path="/v1/hello")
        return Target(api=api, address=address, weight=weight)

    assert hello.split == Split(
        targets=(expected("answer", ("api-answer", 8888), 100),), shadow=expected("next", ("10.0.0.1", 80), 5)
    )


@pytest.mark.parametrize(
    ("file", "fault"),
    [
        (REALTIME + SPLITTER, r'cortex.yaml:9:\d+: .*"next" is not in the file; allowed: the RealtimeAPIs of the file'),
        (REALTIME.replace("answer", "nest") + SPLITTER, r'"next" is not in the file \(did you mean nest\?\)'),
        (
            REALTIME.replace("RealtimeAPI", "AsyncAPI") + REALTIME.replace("answer", "next") + SPLITTER,
            r"cortex.yaml:11:\d+: .* is of kind AsyncAPI; allowed: a RealtimeAPI",
        ),
        (
            REALTIME + REALTIME.replace("answer", "next") + SPLITTER.replace("100", "99"),
            r"cortex.yaml:10:\d+: .*have weights of 99 in all without the shadow; allowed: 100",
        ),
    ],
)
def test_the_faults_of_a_splitter_are_told_with_their_lines(tmp_path: Path, file: str, fault: str) -> None:
    with pytest.raises(ConfigurationError, match=fault):
        load_endpoints(written(tmp_path, file), None)
