"""A container with arbitrary responses: the request gets an outcome, and nothing leaks."""

from __future__ import annotations

import asyncio
import gzip
import io
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dequeuer.container.target import HttpTarget
from dequeuer.core.message import Done, Outcome, Retry
from tests.hostile import evidence
from tests.hostile.evidence import CANARY, REQUEST
from tests.hostile.server import (
    HEAD,
    OK,
    Script,
    answering,
    dripping,
    flooding,
    responding_early,
    responding_twice,
    serving,
)

C = CANARY.encode()
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
RESULT = f"{REQUEST}result.json"


@pytest.fixture
def out() -> Iterator[io.StringIO]:
    with evidence.captured() as lines:
        yield lines


async def attack(script: Script, timeout_s: float = 60, payload: bytes = C) -> tuple[str, evidence.Discard]:
    """Send one request to a container that follows `script`; return the outcome."""
    store = evidence.submitted(payload)
    async with asyncio.timeout(100), serving(script) as port:
        target = HttpTarget(port=port, timeout_s=timeout_s)
        try:
            outcome = await evidence.work(evidence.async_handler(store, target))
        finally:
            await target.close()
    assert CANARY not in outcome.reason
    assert evidence.keys_outside(store) == []
    return ended(outcome), store


def ended(outcome: Outcome) -> str:
    if isinstance(outcome, Retry):
        return "retried"
    assert isinstance(outcome, Done)
    return outcome.state


def answer(status: bytes = b"200 OK", head: bytes = b"Content-Length: 2\r\n", body: bytes = b"{}") -> bytes:
    return b"HTTP/1.1 " + status + b"\r\nContent-Type: application/json\r\n" + head + b"\r\n" + body


FINITE: dict[str, tuple[bytes, str]] = {
    "a good one": (OK, "completed"),
    "HTTP/1.0": (OK.replace(b"1.1", b"1.0"), "completed"),
    "carriage return in a header": (answer(head=b"X-A: a\rX-B: " + C + b"\r\nContent-Length: 2\r\n"), "failed"),
    "carriage return in the type": (OK.replace(b"json", b"json\rX: " + C), "failed"),
    "NUL in a header": (answer(head=b"X-A: \0" + C + b"\r\nContent-Length: 2\r\n"), "failed"),
    "a length that is too short": (answer(head=b"Content-Length: 1\r\n", body=b"1" + C), "failed"),
    "a negative length": (answer(head=b"Content-Length: -1\r\n"), "failed"),
    "two lengths": (answer(head=b"Content-Length: 2\r\nContent-Length: 3\r\n", body=b"{} "), "failed"),
    "a list of lengths": (answer(head=b"Content-Length: 2, 2\r\n"), "failed"),
    "a length with a sign": (answer(head=b"Content-Length: +2\r\n"), "failed"),
    "a length beyond 64 bits": (answer(head=b"Content-Length: " + b"9" * 40 + b"\r\n"), "failed"),
    "a length of 64 bits": (answer(head=b"Content-Length: 18446744073709551615\r\n"), "failed"),
    "length and chunks": (answer(head=b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n", body=b"0\r\n\r\n"), "failed"),
    "chunks and length": (answer(head=b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n", body=b"0\r\n\r\n"), "failed"),
    "an invalid chunk size": (CHUNKED + C + b"\r\n{}\r\n0\r\n\r\n", "failed"),
    "a negative chunk size": (CHUNKED + b"-2\r\n{}\r\n0\r\n\r\n", "failed"),
    "a chunk size beyond 64 bits": (CHUNKED + b"f" * 18 + b"\r\n{}\r\n0\r\n\r\n", "failed"),
    "a chunk longer than its size": (CHUNKED + b"2\r\n{}" + C + b"\r\n0\r\n\r\n", "failed"),
    "garbage after a good chunk": (CHUNKED + b"2\r\n{}\r\n" + C + b"\r\n", "failed"),
    "garbage before the status": (C + b"\r\n" + OK, "failed"),
    "binary garbage": (bytes(range(256)) * 40, "failed"),
    "HTTP/0.9": (b'{"secret": "' + C + b'"}', "failed"),
    "HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "failed"),
    "HTTP/9.9": (OK.replace(b"1.1", b"9.9"), "failed"),
    "status 999": (answer(b"999 " + C), "failed"),
    "status 000": (answer(b"000 " + C), "failed"),
    "status 2000": (answer(b"2000 OK"), "failed"),
    "status 20": (answer(b"20 OK"), "failed"),
    "101": (b"HTTP/1.1 101 S\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n" + C, "failed"),
    "101 and an answer": (b"HTTP/1.1 101 Switching Protocols\r\n\r\n" + OK, "failed"),
    "204 with a body": (answer(b"204 No"), "failed"),
    "304 with a body": (answer(b"304 No"), "failed"),
    "a redirect to nowhere": (answer(b"302 F", b"Location: http://[" + C + b"\r\nContent-Length: 2\r\n"), "failed"),
    "a challenge": (answer(b"401 U", b"WWW-Authenticate: Digest " + C + b"\r\nContent-Length: 2\r\n"), "failed"),
    "503 with an invalid Retry-After": (answer(b"503 B", b"Retry-After: " + C + b"\r\nContent-Length: 2\r\n"), "retried"),
    "503 with a Retry-After of 5000 digits": (answer(b"503 B", b"Retry-After: " + b"9" * 5000 + b"\r\nContent-Length: 2\r\n"), "retried"),
    "an odd cookie": (answer(head=b"Set-Cookie: " + C + b"=\xff; Expires=x\r\nContent-Length: 2\r\n"), "completed"),
    "an odd link": (answer(head=b"Link: <" + C + b"; rel=\r\nContent-Length: 2\r\n"), "completed"),
    "a type of other bytes": (OK.replace(b"application/json", b"\xff\xfe"), "failed"),
    "a parameter of other bytes": (OK.replace(b"json", b"json; a=\xff\xfe"), "completed"),
    "deep nesting": (answer(head=b"Content-Length: 200000\r\n", body=b"[" * 200_000), "failed"),
    "not JSON": (answer(head=b"Content-Length: %d\r\n" % len(C), body=C), "failed"),
    "invalid gzip": (answer(head=b"Content-Encoding: gzip\r\nContent-Length: %d\r\n" % len(C), body=C), "failed"),
    "invalid br": (answer(head=b"Content-Encoding: br\r\nContent-Length: %d\r\n" % len(C), body=C), "failed"),
    "invalid zstd": (answer(head=b"Content-Encoding: zstd\r\nContent-Length: %d\r\n" % len(C), body=C), "failed"),
    "invalid deflate": (answer(head=b"Content-Encoding: deflate\r\nContent-Length: %d\r\n" % len(C), body=C), "failed"),
    "encoded twice": (
        answer(head=b"Content-Encoding: gzip, gzip\r\nConnection: close\r\n", body=gzip.compress(gzip.compress(b"{}"))),
        "failed",
    ),
    "half a stream that reads well": (
        answer(head=b"Content-Encoding: gzip\r\nContent-Length: 15\r\n", body=gzip.compress(b"12345")[:15]),
        "failed",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FINITE)
async def test_any_response_ends_the_request_one_way(name: str, out: io.StringIO) -> None:
    raw, expected = FINITE[name]
    how, store = await attack(answering(raw, then="close"))
    assert how == expected
    assert (RESULT in store.objects) is (how == "completed")
    assert CANARY not in out.getvalue()
    assert all(line["level"] in {"info", "warning"} for line in evidence.lines(out))


CUT = answer(head=b"Set-Cookie: " + C + b"\r\nContent-Length: 40\r\n", body=b'{"a": "' + C)


@pytest.mark.parametrize("then", ["close", "reset"])
@pytest.mark.parametrize("at", range(0, len(CUT) + 1, 3))
async def test_a_connection_that_ends_anywhere_is_tried_again_and_quotes_nothing(
    at: int, then: str, out: io.StringIO
) -> None:
    how, store = await attack(answering(CUT[:at], then=then))
    assert how == "retried"
    assert RESULT not in store.objects
    assert CANARY not in out.getvalue()


REFUSED = {
    "headers": flooding(HEAD, b"X-A: " + C + b"\r\n"),
    "one header": flooding(HEAD + b"X-A: ", C),
    "the name of a header": flooding(HEAD, C),
    "a folded header": flooding(HEAD + b"X-A: a", b"\r\n " + C),
    "the reason": flooding(b"HTTP/1.1 200 ", C),
    "the status": flooding(b"HTTP/1.1 2", b"0"),
    "trailers": flooding(CHUNKED + b"2\r\n{}\r\n0\r\n", b"X-A: " + C + b"\r\n"),
    "one trailer": flooding(CHUNKED + b"2\r\n{}\r\n0\r\nX-A: ", C),
    "a body until the end": flooding(HEAD + b"\r\n", b" "),
    "chunks": flooding(CHUNKED, b"ea60\r\n" + b" " * 60000 + b"\r\n"),
    "line ends": flooding(b"", b"\r\n"),
    "spaces in a header": flooding(HEAD + b"X-A:", b" "),
    "interim answers": flooding(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "interim answers with headers": flooding(b"", b"HTTP/1.1 103 E\r\nLink: " + C + b"\r\n\r\n"),
    "a chunk extension": flooding(CHUNKED + b"5;", C),
    "a chunk size": flooding(CHUNKED, b"0"),
}
TIMED_OUT = {
    "dripping headers": dripping(HEAD, b"X"),
    "dripping body": dripping(HEAD + b"\r\n", b" "),
    "dripping interim answers": dripping(b"", b"HTTP/1.1 102 P\r\n\r\n"),
    "nothing": answering(b""),
}


@pytest.mark.parametrize("name", REFUSED)
async def test_an_endless_response_is_refused(name: str, out: io.StringIO) -> None:
    how, store = await attack(REFUSED[name])
    assert how == "failed"
    assert RESULT not in store.objects
    assert CANARY not in out.getvalue()


@pytest.mark.parametrize("name", TIMED_OUT)
async def test_an_endless_response_ends_with_the_request_s_time(name: str, out: io.StringIO) -> None:
    how, store = await attack(TIMED_OUT[name], timeout_s=0.3)
    assert how == "failed"
    assert RESULT not in store.objects
    assert "no complete response within 0.3 s" in out.getvalue()
    assert CANARY not in out.getvalue()


@pytest.mark.parametrize(
    ("raw", "expected"),
    [(OK, "completed"), (answer(b"413 Too Large"), "failed"), (answer(b"503 Busy"), "retried")],
)
async def test_a_response_before_the_payload_was_read(raw: bytes, expected: str, out: io.StringIO) -> None:
    how, _ = await attack(responding_early(raw), payload=C * 300_000)
    assert how == expected
    assert CANARY not in out.getvalue()


async def test_a_response_without_a_request_is_used_for_no_request() -> None:
    sent = asyncio.Event()
    async with asyncio.timeout(60), serving(responding_twice(OK, OK.replace(b"{}", b"99"), sent)) as port:
        target = HttpTarget(port=port, timeout_s=60)
        for _ in range(3):
            sent.clear()
            async with target.post("/", [], b"x") as reply:
                assert b"".join([chunk async for chunk in reply.chunks()]) == b"{}"
            await sent.wait()
            await asyncio.sleep(0.01)  # bytes that have arrived are read before timers run
        await target.close()


async def test_of_two_responses_to_one_request_the_second_is_not_used() -> None:
    async with asyncio.timeout(60), serving(answering(OK + OK.replace(b"{}", b"99"))) as port:
        target = HttpTarget(port=port, timeout_s=60)
        for _ in range(3):
            async with target.post("/", [], b"x") as reply:
                assert b"".join([chunk async for chunk in reply.chunks()]) == b"{}"
        await target.close()


FRAGMENTS = st.sampled_from(
    [
        b"HTTP/1.1 ",
        b"HTTP/1.0 ",
        b"200 OK\r\n",
        b"100 C\r\n\r\n",
        b"503 B\r\n",
        b"204 N\r\n",
        b"\r\n",
        b"\n",
        b"\r",
        b"\0",
        b":",
        b"Content-Type: application/json\r\n",
        b"Content-Length: 2\r\n",
        b"Content-Length: 1e1\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b"Content-Encoding: gzip\r\n",
        b"Content-Encoding: br\r\n",
        b"Connection: close\r\n",
        b"Retry-After: -1\r\n",
        b"{}",
        b"0\r\n\r\n",
        b"2\r\n{}\r\n",
        C,
        gzip.compress(b"{}"),
    ]
)


@given(st.lists(FRAGMENTS | st.binary(max_size=30), max_size=12), st.sampled_from(["close", "reset"]))
@settings(max_examples=150, suppress_health_check=list(HealthCheck), print_blob=True)
async def test_any_bytes_end_the_request_one_way(parts: list[bytes], then: str) -> None:
    with evidence.captured() as out:
        how, store = await attack(answering(*parts, then=then))
    assert (RESULT in store.objects) is (how == "completed")
    assert CANARY not in out.getvalue()
    evidence.lines(out)
