"""Unmodified containers see and send through the proxy what they see and send without it."""

from __future__ import annotations

import asyncio
import json

import pytest

from tests.integration.proxy.conftest import Pair
from tests.integration.proxy.conversation import Answer, Conversation, converse
from tests.integration.proxy.stand import stand, threaded
from tests.proxy.conftest import ContainerSide

ADDED = {"x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "traceparent"}
HOP_BY_HOP = {"connection", "keep-alive", "te", "upgrade", "proxy-connection"}
EVERY_SERVER = pytest.mark.parametrize("pair", ["uvicorn", "uvicorn-h11", "gunicorn"], indirect=True)


def request(line: str, *fields: str, body: bytes = b"") -> bytes:
    return "\r\n".join([line, "Host: api.example", "Connection: close", *fields, "", ""]).encode("latin-1") + body


def compare(pair: Pair, *parts: bytes, method: str = "GET") -> tuple[Answer, Answer]:
    """Return what the container answers directly, and through the proxy, without what the proxy says it adds."""
    direct, through = (converse(port, *parts, method=method) for port in pair.ports)
    return _seen(direct), _seen(through)


def _seen(answer: Answer) -> Answer:
    fields = tuple((name, value) for name, value in answer.fields if name.lower() != "server")
    body = answer.body
    if body.startswith(b"{"):
        seen = json.loads(body)
        if "headers" in seen:
            seen["headers"] = [
                field
                for field in seen["headers"]
                if field[0] not in ADDED | HOP_BY_HOP | {"content-length", "transfer-encoding"}
            ]
        body = json.dumps(seen).encode()
    return Answer(status=answer.status, fields=fields, body=body, trailers=answer.trailers, ended=answer.ended)


@EVERY_SERVER
@pytest.mark.parametrize(
    "target",
    [
        "/seen",
        "/seen/",
        "/seen?",
        "/seen?a",
        "/seen?a=1&a=2&=&&b",
        "/seen?a=%2F+%20%00/?b?",
        "/seen/a%2Fb%2fc",
        "/seen//a///b",
        "/seen/../a/./b",
        "/seen/%2e%2e/a",
        "/seen/a;b=c,d:@!$&'()*+=~",
        "/seen/%E2%82%AC/%ff",
        "/seen/a%0d%0ab",
        "/seen/" + "a" * 4000,
    ],
)
def test_the_bytes_of_path_and_query(pair: Pair, target: str) -> None:
    direct, through = compare(pair, request(f"GET {target} HTTP/1.1"))
    assert through == direct
    seen = json.loads(through.body)
    assert seen["raw_path"] + ("?" + seen["query"] if seen["query"] else "") == (
        "/seen" if target == "/seen?" else target
    )


@EVERY_SERVER
def test_repeated_fields_in_their_order(pair: Pair) -> None:
    fields = (
        "X-B: 2",
        "x-a: 1",
        "X-B: 1",
        "Cookie: a=1",
        "Cookie: b=2",
        "X-Empty:",
        "X-Latin: \xe9\xff",
        "Accept: */*",
    )
    direct, through = compare(pair, request("GET /seen HTTP/1.1", *fields))
    assert through == direct
    assert [name for name, _ in json.loads(through.body)["headers"]][1:] == [
        *("x-b", "x-a", "x-b", "cookie", "cookie", "x-empty", "x-latin", "accept")
    ]
    assert [value for name, value in through.fields if name.lower() == "set-cookie"] == [
        "first=1; Path=/; SameSite=lax",
        "second=2; Path=/; SameSite=lax",
    ]


@pytest.mark.parametrize("pair", ["uvicorn-h11"], indirect=True)
@pytest.mark.parametrize(
    "method",
    ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "BREW", "get", "M-SEARCH", "QUERY"],
)
def test_any_method(pair: Pair, method: str) -> None:
    direct, through = compare(pair, request(f"{method} /seen HTTP/1.1", "Content-Length: 3", body=b"abc"))
    assert through == direct
    seen = json.loads(through.body)
    assert (seen["method"], seen["size"]) == (method, 3)


@EVERY_SERVER
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
@pytest.mark.parametrize("code", [200, 201, 204, 205, 301, 304, 404, 418, 500, 503, 599])
def test_any_status(pair: Pair, method: str, code: int) -> None:
    direct, through = compare(pair, request(f"{method} /status/{code} HTTP/1.1"), method=method)
    assert through == direct
    assert through.status.startswith(str(code))


@EVERY_SERVER
def test_a_response_to_head_has_no_body(pair: Pair) -> None:
    direct, through = compare(pair, request("HEAD /seen HTTP/1.1"), method="HEAD")
    assert through == direct


@EVERY_SERVER
@pytest.mark.parametrize("sized", [True, False])
@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_bodies_of_responses(pair: Pair, version: str, sized: bool) -> None:
    direct, through = compare(pair, request(f"GET /large?pieces=20&sized={int(sized)} HTTP/{version}"))
    assert through == direct
    assert len(through.body) == 20 * 65536


@EVERY_SERVER
@pytest.mark.parametrize(
    ("fields", "body"),
    [
        (["Content-Length: 0"], b""),
        (["Content-Length: 5"], b"hello"),
        (["Content-Length: 200000"], b"x" * 200_000),
        (["Transfer-Encoding: chunked"], b"0\r\n\r\n"),
        (["Transfer-Encoding: chunked"], b"5\r\nhello\r\n1;a=b\r\n!\r\n0\r\n\r\n"),
        (["Transfer-Encoding: chunked"], b"".join(b"1000\r\n%b\r\n" % (b"y" * 4096) for _ in range(50)) + b"0\r\n\r\n"),
        (["Content-Length: 5", "Expect: 100-continue"], b"hello"),
    ],
)
def test_bodies_of_requests(pair: Pair, fields: list[str], body: bytes) -> None:
    direct, through = compare(pair, request("POST /seen HTTP/1.1", *fields, body=body))
    assert through == direct


@EVERY_SERVER
def test_http10_with_and_without_keep_alive(pair: Pair) -> None:
    for port in pair.ports:
        with Conversation(port) as connection:
            connection.send(b"GET /status/404 HTTP/1.0\r\n\r\n")
            assert connection.answer().ended
    with Conversation(pair.proxy.port) as connection:
        for _ in range(3):
            connection.send(b"GET /status/404 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
            assert not connection.answer().ended


def test_the_host_of_the_client_and_what_is_added(pair: Pair) -> None:
    answer = converse(
        pair.proxy.port,
        request(
            "GET /seen HTTP/1.1", "X-Forwarded-For: 192.0.2.1", "X-Forwarded-Proto: https", "Forwarded: for=192.0.2.1"
        ),
    )
    seen = dict(json.loads(answer.body)["headers"])
    assert seen["host"] == "api.example"
    assert seen["x-forwarded-for"] == "192.0.2.1, 127.0.0.1"
    assert seen["x-forwarded-proto"] == "https"
    assert seen["x-forwarded-host"] == "api.example"
    assert seen["forwarded"] == "for=192.0.2.1, for=127.0.0.1;proto=http"
    assert len(seen["traceparent"]) == 55
    assert "connection" not in seen


RESPONSES = {
    "a reason of its own": b"HTTP/1.1 299 Quite Fine, Thank You\r\nContent-Length: 2\r\n\r\nok",
    "no reason": b"HTTP/1.1 200 \r\nContent-Length: 2\r\n\r\nok",
    "early hints": b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\nLink: </b.js>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
    "two interim responses": b"HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: <a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
    "trailers": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n2\r\nok\r\n0\r\nX-Sum: 1\r\nX-Sum: 2\r\n\r\n",
    "until the end of the connection": b"HTTP/1.0 200 OK\r\nX-A: b\r\n\r\nall of this",
    "repeated fields": b"HTTP/1.1 200 OK\r\nVary: a\r\nX: 1\r\nvary: b\r\nX: 1\r\nContent-Length: 2\r\n\r\nok",
    "204": b"HTTP/1.1 204 Gone Quiet\r\nX-A: b\r\n\r\n",
    "304 with a length": b'HTTP/1.1 304 Not Modified\r\nETag: "a"\r\nContent-Length: 100\r\n\r\n',
    "compressed": b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\n\x1f\x8b\x00\xff",
}


@pytest.mark.parametrize("name", RESPONSES)
async def test_what_only_a_container_of_bytes_sends(name: str) -> None:
    async def serve(side: ContainerSide) -> None:
        await side.request()
        side.send(RESPONSES[name])
        await side.writer.drain()
        side.writer.close()

    async with stand(serve) as running:
        asked = request("GET / HTTP/1.1").replace(b"Connection: close\r\n", b"")
        direct = await threaded(converse, running.container_port, asked)
        through = await threaded(converse, running.proxy.port, asked)
    assert through == direct


async def test_trailers_of_a_request_reach_the_container() -> None:
    async def serve(side: ContainerSide) -> None:
        await side.head()
        bodies.append(await side.reader.readuntil(b"X-Sum: 2\r\n\r\n"))
        side.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    bodies: list[bytes] = []
    data = request(
        "POST / HTTP/1.1",
        "TE: trailers",
        "Trailer: X-Sum",
        "Transfer-Encoding: chunked",
        body=b"3\r\nabc\r\n0\r\nX-Sum: 1\r\nX-Sum: 2\r\n\r\n",
    )
    async with stand(serve) as running:
        for port in (running.container_port, running.proxy.port):
            assert (await threaded(converse, port, data)).status == "200 OK"
    assert bodies[0] == bodies[1]


async def test_early_hints_arrive_before_the_response() -> None:
    async def serve(side: ContainerSide) -> None:
        await side.request()
        side.send(b"HTTP/1.1 103 Early Hints\r\nLink: <a>\r\n\r\n")
        await seen.wait()
        side.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        await side.until_closed()

    seen = asyncio.Event()
    async with stand(serve) as running:
        client = await running.ask(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        assert await client.head() == b"HTTP/1.1 103 Early Hints\r\nLink: <a>\r\n\r\n"
        seen.set()
        assert (await client.head()).startswith(b"HTTP/1.1 200 OK\r\n")


async def test_a_container_that_refuses_before_100_continue_gets_no_body() -> None:
    async def serve(side: ContainerSide) -> None:
        await side.head()
        side.send(b"HTTP/1.1 417 No\r\nContent-Length: 0\r\n\r\n")
        rests.append(await side.until_closed())

    rests: list[bytes] = []
    data = request("POST / HTTP/1.1", "Content-Length: 5", "Expect: 100-continue")
    async with stand(serve) as running:
        assert (await threaded(converse, running.proxy.port, data)).status == "417 No"
        await running.until("dequeuer_proxy_executing", 0)
    assert rests == [b""]
