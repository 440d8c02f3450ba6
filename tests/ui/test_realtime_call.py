"""A call of a realtime API with the page: what may be sent, and what of the answer is shown."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from dequeuer.ui import realtime_call
from dequeuer.ui.errors import UiError
from dequeuer.ui.realtime_call import parse_call
from tests.tcp_server import tcp_server
from tests.ui.stage import Answered, Browser, page_of

LISTED = b'{"apis":[{"name":"hello","kind":"RealtimeAPI","endpoint":"/v1/hello"}]}'


class FakeGateway:
    """Lists one API, and answers calls with `answer`, byte for byte."""

    def __init__(self) -> None:
        self.answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Own: yes\r\n\r\nok"
        self.heads: list[str] = []
        self.bodies: list[bytes] = []
        self.stays_open = False

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            length = next(
                (int(line[15:]) for line in head.split("\r\n") if line.lower().startswith("content-length")), 0
            )
            body = await reader.readexactly(length)
            if head.startswith("GET /_apis "):
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(LISTED), LISTED))
            else:
                self.heads.append(head)
                self.bodies.append(body)
                writer.write(self.answer)
            await writer.drain()
            if self.heads and self.stays_open:
                await asyncio.Event().wait()


@asynccontextmanager
async def staged() -> AsyncIterator[tuple[FakeGateway, Browser]]:
    gateway = FakeGateway()
    async with (
        tcp_server(gateway.serve) as port,
        page_of(f"http://127.0.0.1:{port}", gateway_token="secret") as browser,
    ):
        yield gateway, browser


async def call(browser: Browser, **fields: Any) -> Answered:
    return await browser.change("POST", "/api/apis/hello/calls", json.dumps(fields).encode())


async def test_a_call_reaches_the_endpoint_and_its_answer_is_shown() -> None:
    async with staged() as (gateway, browser):
        answer = await call(browser, method="PUT", path="/a/b%20c?d=%26", headers={"X-One": "1"}, body="é")
        assert answer.status == 200
        assert answer.json["headers"]["X-Own"] == "yes"
        assert (answer.json["status"], answer.json["body"]) == (200, "ok")
        assert 0 <= answer.json["duration_s"] < 60
        assert b"secret" not in answer.body
        [head], [body] = gateway.heads, gateway.bodies
        assert head.startswith("PUT /v1/hello/a/b%20c?d=%26 HTTP/1.1\r\n")
        assert ("X-One: 1" in head, body) == (True, "é".encode())
        assert (await call(browser)).json["status"] == 200
        assert gateway.heads[1].startswith("GET /v1/hello HTTP/1.1\r\n")


async def test_an_error_of_the_container_is_an_answer() -> None:
    async with staged() as (gateway, browser):
        gateway.answer = b"HTTP/1.1 500 x\r\nContent-Length: 9\r\n\r\n<script>\xff"
        answer = await call(browser)
        assert (answer.status, answer.json["status"], answer.json["body"]) == (200, 500, "<script>\ufffd")
        gateway.answer = b"HTTP/1.1 302 x\r\nLocation: http://evil.example\r\nContent-Length: 0\r\n\r\n"
        assert (await call(browser)).json["status"] == 302, "it is not followed"
        gateway.answer = b"HTTP/1.1 204 x\r\n\r\n"
        assert (await call(browser)).json["body"] == ""


async def test_the_answer_to_head_is_its_headers_alone() -> None:
    async with staged() as (gateway, browser):
        gateway.answer = b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\nX-Own: yes\r\n\r\n"
        answer = await call(browser, method="HEAD")
        assert (answer.status, answer.json["status"], answer.json["body"]) == (200, 200, "")
        assert answer.json["headers"]["X-Own"] == "yes"
        assert gateway.heads[0].startswith("HEAD /v1/hello HTTP/1.1\r\n")


async def test_of_a_large_body_only_the_beginning_is_read() -> None:
    async with staged() as (gateway, browser):
        gateway.answer = b"HTTP/1.1 200 OK\r\nContent-Length: 10000000\r\n\r\n" + b"x" * 1_000_000
        gateway.stays_open = True
        answer = await call(browser)
        assert len(answer.json["body"]) == 64 * 1024


async def test_of_a_stream_that_goes_on_what_came_in_time_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(realtime_call, "TIMEOUT_S", 3)  # the first part has to be there in time
    async with staged() as (gateway, browser):
        gateway.answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n"
        gateway.stays_open = True
        assert (await call(browser)).json["body"] == "first"


async def test_no_answer_in_time_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(realtime_call, "TIMEOUT_S", 0.5)
    async with staged() as (gateway, browser):
        gateway.answer, gateway.stays_open = b"", True
        answer = await call(browser)
        assert (answer.status, "no whole answer within 0.5 s" in answer.error) == (502, True)


@pytest.mark.parametrize(
    "path",
    [
        *("/../other", "/%2e%2e/other", "/%252e%252e/other", "/a/./b", "/..%2fother", "/..\\other", "/..%5cother"),
        *("/..%252fother", "/a%255c..%255cother"),
        *("/a b", "/a\r\nX: y", "/é", "/a#b", '/a"b', "/" + "x" * 3000, "/\0"),
    ],
)
def test_a_path_never_leads_to_another_api_nor_into_a_head(path: str) -> None:
    with pytest.raises(UiError) as caught:
        parse_call(json.dumps({"path": path}).encode())
    assert caught.value.status == 400


@pytest.mark.parametrize(
    "headers",
    [
        {"X-A": "1\r\nX-B: 2"},
        {"X-A\r\nX-B": "1"},
        {"X A": "1"},
        {"": "1"},
        {"X-A": "\0"},
        {"X-A": "é"},
        {"X-A": 1},
        {"X-A": "x" * 5000},
        {"Host": "evil.example"},
        {"content-length": "5"},
        {"Transfer-Encoding": "chunked"},
        {"Connection": "upgrade"},
        {"Upgrade": "websocket"},
        {"Proxy-Authorization": "x"},
        {f"X-{number}": "1" for number in range(65)},
        ["X-A"],
    ],
)
def test_no_header_ends_the_head_or_is_about_the_connection(headers: Any) -> None:
    with pytest.raises(UiError) as caught:
        parse_call(json.dumps({"headers": headers}).encode())
    assert caught.value.status == 400


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"x", b"[]", b'{"method":"TRACE"}', b'{"method":"get"}', b'{"path":1}', b'{"body":1}', b"\xff"),
        *(b'{"body":"\\ud800"}', b'{"method":["GET"]}', b"[" * 100_000, b'{"body":' + b"[" * 100_000),
        b'{"path":' + b"9" * 10_000 + b"}",
    ],
)
def test_a_call_of_another_form_is_refused(body: bytes) -> None:
    with pytest.raises(UiError) as caught:
        parse_call(body)
    assert caught.value.status == 400


def test_a_path_is_put_behind_the_endpoint() -> None:
    assert [parse_call(json.dumps({"path": path}).encode()).path for path in ("", "/", "a", "?x=1", "/a..b/...")] == [
        *("", "/", "/a", "?x=1", "/a..b/..."),
    ]
