"""Upgrades that are used to smuggle: bytes become those of a tunnel only once the container has agreed to it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest

from tests.integration.proxy.client import converse
from tests.integration.proxy.judge import Request
from tests.integration.proxy.recorder import Recorder, echo
from tests.integration.proxy.response_judge import read_responses

SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n"
SWITCHED = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
UPGRADE_REQUIRED = b"HTTP/1.1 426 Upgrade Required\r\nSec-WebSocket-Version: 13\r\nContent-Length: 0\r\n\r\n"


def upgrade(protocol: bytes, *fields: bytes, body: bytes = b"") -> bytes:
    lines = [b"GET /first HTTP/1.1", b"Host: h", b"Connection: Upgrade", b"Upgrade: " + protocol, *fields]
    return b"\r\n".join([*lines, b"", body])


@pytest.fixture
def recorder(shared_recorder: Recorder) -> Iterator[Recorder]:
    shared_recorder.take()
    yield shared_recorder
    shared_recorder.answer = echo
    shared_recorder.take()


@pytest.mark.parametrize(
    "request_bytes",
    [
        upgrade(b"h2c", b"HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA"),
        upgrade(b"H2C"),
        upgrade(b"websocket, h2c"),
        upgrade(b"websocket", b"Upgrade: h2c"),
        upgrade(b"websocket", b"Content-Length: 3", body=b"abc"),
        upgrade(b"websocket", b"Transfer-Encoding: chunked", body=b"3\r\nabc\r\n0\r\n\r\n"),
        upgrade(b"websocket").replace(b"HTTP/1.1", b"HTTP/1.0"),
        upgrade(b"websocket").replace(b"Connection: Upgrade", b"Connection: keep-alive"),
        upgrade(b"websocket").replace(b"Upgrade: websocket\r\n", b""),
    ],
)
def test_a_container_cannot_switch_to_what_was_not_passed_on(
    request_bytes: bytes, shared_proxy: int, recorder: Recorder
) -> None:
    recorder.answer = lambda request: [SWITCHED] if request.target == b"/first" else echo(request)
    last = b"GET /last HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
    received = converse(shared_proxy, [request_bytes + last])
    first, *others = read_responses(received.data, [b"GET", b"GET"], is_closed=True)
    assert first.status == 502
    assert [response.body for response in others] in ([], [b"GET /last"])
    assert all(not request.values(b"upgrade") for request in recorder.take().requests)


def test_what_is_sent_ahead_of_an_upgrade_that_is_refused_is_read_as_requests(
    shared_proxy: int, recorder: Recorder
) -> None:
    recorder.answer = lambda request: [UPGRADE_REQUIRED] if request.target == b"/first" else echo(request)
    received = converse(shared_proxy, [upgrade(b"websocket", b"Sec-WebSocket-Version: 777"), b"\x81\x05hello\r\n\r\n"])
    statuses = [response.status for response in read_responses(received.data, [b"GET", b"(frame)"], is_closed=True)]
    assert statuses == [426, 400]
    assert [request.target for request in recorder.take().requests] == [b"/first"]


def test_what_is_sent_ahead_of_an_upgrade_reaches_the_container_after_it_has_agreed(
    shared_proxy: int, recorder: Recorder
) -> None:
    before_it_agreed: list[bytes] = []

    def respond(request: Request) -> Sequence[bytes]:
        if request.target == b"/first":
            # The tunnel makes everything that follows it a part of it: here it would look like a request.
            before_it_agreed.extend(recorder.targets())
            return [SWITCHED]
        return echo(request)

    recorder.answer = respond
    received = converse(shared_proxy, [upgrade(b"websocket") + SMUGGLED], lambda data: b"GET /smuggled" in data)
    assert received.data.startswith(b"HTTP/1.1 101 ")
    assert before_it_agreed == [b"/first"]
    [sent] = recorder.take().sent
    assert sent.endswith(b"\r\n\r\n" + SMUGGLED)
