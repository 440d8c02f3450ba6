"""A container with arbitrary responses to probes: a result within the timeout, and none of its bytes in the log."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dequeuer.core.events import Probed
from dequeuer.probes.base import ProbeTiming
from dequeuer.probes.http_get import HttpGetProbe
from dequeuer.probes.tcp_socket import TcpSocketProbe
from tests.hostile import evidence
from tests.hostile.evidence import CANARY
from tests.hostile.server import HEAD, OK, Script, answering, dripping, flooding, serving

C = CANARY.encode()
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
REDIRECT = b"HTTP/1.1 302 F\r\nContent-Length: 0\r\nLocation: "


async def look(script: Script, timeout_s: float, *, tcp: bool = False) -> bool:
    """Run a check of a probe; also check its log lines."""
    timing = ProbeTiming(timeout_s=timeout_s)
    async with asyncio.timeout(60), serving(script) as port:
        headers = (("Authorization", CANARY),)
        http = HttpGetProbe(name="p", port=port, headers=headers, timing=timing)
        probe = TcpSocketProbe(name="p", port=port, timing=timing) if tcp else http
        result = await probe.check()
    with evidence.captured() as out:
        event = Probed(
            probe="p", ok=result.ok, healthy=result.ok, changed=True, detail=result.detail, warning=result.warning
        )
        evidence.log(event)
    assert CANARY not in out.getvalue()
    assert len(result.detail) <= 256
    return result.ok


SLOW = {
    "headers": dripping(HEAD, C),
    "body": dripping(HEAD + b"\r\n", b"x"),
    "interim answers": flooding(b"", b"HTTP/1.1 103 E\r\nA: " + C + b"\r\n\r\n"),
    "a chunk extension": flooding(CHUNKED + b"5;", C),
    "line ends": flooding(b"", b"\r\n"),
    "nothing": answering(b""),
}


@pytest.mark.parametrize("name", SLOW)
async def test_an_endless_response_fails_within_the_timeout(name: str) -> None:
    assert not await look(SLOW[name], 0.2)


REFUSED = {
    "headers": flooding(HEAD, b"X-A: " + C + b"\r\n"),
    "one header": flooding(HEAD + b"X-A: ", C),
    "a location": flooding(REDIRECT, C),
    "trailers": flooding(CHUNKED + b"0\r\n", b"A: " + C + b"\r\n"),
    "the status": flooding(b"HTTP/1.1 2", b"0"),
    "garbage": answering(C + b"\r\n\r\n"),
    "half a head": answering(b"HTTP/1.1 200 OK\r\nSet-Cookie: " + C, then="close"),
    "a reset": answering(b"HTTP/1.1 200 OK\r\nSet-Cookie: " + C, then="reset"),
    "an invalid location": answering(REDIRECT + b"http://[" + C + b"\r\n\r\n"),
    "a location without port": answering(REDIRECT + b"http://127.0.0.1:99999/\r\n\r\n"),
    "a location that is no HTTP": answering(REDIRECT + b"file://127.0.0.1/" + C + b"\r\n\r\n"),
}


@pytest.mark.parametrize("name", REFUSED)
async def test_invalid_http_fails_at_once(name: str) -> None:
    assert not await look(REFUSED[name], 60)


@pytest.mark.parametrize(
    "script",
    [
        flooding(HEAD + b"\r\n", C),
        flooding(CHUNKED, b"ea60\r\n" + b"x" * 60000 + b"\r\n"),
        answering(REDIRECT + b"/" + C + b"\r\n\r\n"),
        answering(HEAD + b"Content-Encoding: gzip\r\n\r\n" + C, then="close"),
        answering(OK + OK),
    ],
)
async def test_only_the_bytes_that_are_read_are_judged(script: Script) -> None:
    assert await look(script, 60)


@pytest.mark.parametrize("script", [flooding(b"", C), answering(b"", then="reset"), answering(C, then="close")])
async def test_a_tcp_probe_reads_nothing(script: Script) -> None:
    assert await look(script, 60, tcp=True)


PARTS = st.sampled_from(
    [b"HTTP/1.1 ", b"200 OK\r\n", b"302 F\r\n", b"Location: /", b"Location: ", b"\r\n", b"Content-Length: 3\r\n", C]
)


@given(st.lists(PARTS | st.binary(max_size=20), max_size=10), st.sampled_from(["close", "reset"]))
@settings(max_examples=100, suppress_health_check=list(HealthCheck), print_blob=True)
async def test_any_bytes_are_a_result(parts: list[bytes], then: str) -> None:
    await look(answering(*parts, then=then), 60)
