"""Calls of realtime APIs."""

from __future__ import annotations

from typing import Any

import pytest

from dequeuer.client import Client
from dequeuer.client.errors import AnswerTooLargeError, GatewayAbsentError, GatewayLostError, InvalidAnswerError
from dequeuer.client.realtime import RealtimeResponse, make_call
from tests.client.stage import HOLD, answer, canned

OK = answer({"label": "setosa"}, X_Model="a")


async def call(response: bytes, *args: Any, **options: Any) -> tuple[RealtimeResponse, str, bytes]:
    """Make a call; return its response, and head and body of its request."""
    async with canned(response) as gateway, Client(gateway.url) as client:
        got = await client.call(*args, **options)
        return got, gateway.heads[0], gateway.requests[0][1]


async def test_a_call_sends_json_to_a_path_of_the_api() -> None:
    response, head, body = await call(OK, "iris", "/predict?top=3&q=a%20b", {"n": [1.5]}, headers={"X-Tenant": "t1"})
    assert head.startswith("POST /iris/predict?top=3&q=a%20b HTTP/1.1\r\n")
    assert "Content-Type: application/json\r\n" in head
    assert "X-Tenant: t1\r\n" in head
    assert body == b'{"n":[1.5]}'
    assert (response.status, response.json(), response.header("x-model")) == (200, {"label": "setosa"}, "a")
    assert response.header("x-nothing") == ""


async def test_bytes_and_methods_are_those_that_are_given() -> None:
    _, head, body = await call(OK, "/v1/iris/", "raw", b"\x00", method="PUT", headers={"Content-Type": "image/png"})
    assert head.startswith("PUT /v1/iris/raw HTTP/1.1\r\n")
    assert "Content-Type: image/png\r\n" in head
    assert body == b"\x00"
    _, head, body = await call(OK, "iris")
    assert (head.partition(" HTTP")[0], body) == ("GET /iris", b"")
    _, head, _ = await call(OK, "iris", "?a=1")
    assert head.startswith("GET /iris?a=1 HTTP")


@pytest.mark.parametrize("status", [404, 429, 500, 503])
async def test_a_response_is_returned_whatever_its_status_is(status: int) -> None:
    response, _, _ = await call(answer(b"pending request queue full\n", status, "text/plain"), "iris")
    assert (response.status, response.body) == (status, b"pending request queue full\n")
    with pytest.raises(InvalidAnswerError, match=f"status {status}"):
        response.json()


async def test_a_response_may_have_no_body() -> None:
    assert (await call(b"HTTP/1.1 204 No Content\r\n\r\n", "iris"))[0].body == b""
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n"
    assert (await call(head, "iris", method="HEAD"))[0].body == b""


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "OPTIONS"])
@pytest.mark.parametrize("lost", [b"", b"HTTP/1.1"])
async def test_a_call_whose_answer_is_lost_is_not_made_again(method: str, lost: bytes) -> None:
    async with canned(lost, OK) as gateway, Client(gateway.url) as client:
        with pytest.raises(GatewayLostError):
            await client.call("iris", "", {}, method=method)
        assert len(gateway.requests) == 1


async def test_a_call_has_limits_of_time_and_size() -> None:
    async with canned(HOLD) as gateway, Client(gateway.url) as client:
        with pytest.raises(GatewayLostError):
            await client.call("iris", timeout_s=0.05)
    async with canned(OK) as gateway, Client(gateway.url, max_result_bytes=5) as client:
        with pytest.raises(AnswerTooLargeError, match="more than 5 bytes"):
            await client.call("iris")
    async with Client(gateway.url) as client:
        with pytest.raises(GatewayAbsentError):
            await client.call("iris")


@pytest.mark.parametrize(
    ("api", "path"),
    [
        ("", ""),
        ("a b", ""),
        ("..", ""),
        ("a/../b", ""),
        ("http://x", ""),
        ("iris", "/../other"),
        ("iris", "../other"),
        ("iris", "/a/%2e%2e/%2E%2e/other"),
        ("iris", "/%252e%252e/other"),
        ("iris", "/.%2e\\other"),
        ("iris", "/a%2f..%2fother"),
        ("iris", "/..%252fother"),
        ("iris", "/a%255c..%255cother"),
        ("iris", "/a#b"),
    ],
)
def test_a_path_that_could_lead_to_another_api_is_refused(api: str, path: str) -> None:
    with pytest.raises(ValueError, match=r"is not the endpoint|leads out of the API"):
        make_call(api, path, None)


def test_a_query_may_hold_what_a_path_may_not() -> None:
    assert make_call("iris", "/a?file=../x", None).path == "/iris/a?file=../x"
