"""How large a body a caller may send: announced and not, to requests, jobs and realtime APIs."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

import pytest

from dequeuer.gateway.access.gate import Access
from tests.gateway.access.stage import Stage, access_stage, bearer, entry, make_tokens
from tests.gateway.jobs import SUBMISSION
from tests.gateway.realtime import answer_ok, realtime

WEB = entry("web", max_bytes=20)
JOB = json.dumps(SUBMISSION).encode()


async def in_pieces(body: bytes) -> AsyncIterator[bytes]:
    """Yield a body whose length nobody announces."""
    for at in range(0, len(body), 5):
        yield body[at : at + 5]
        await asyncio.sleep(0)


async def send_in_pieces(stage: Stage, path: str, body: bytes) -> tuple[int, str]:
    async with stage.http.post(path, data=in_pieces(body), headers=bearer("web")) as answer:
        return answer.status, await answer.text()


@pytest.mark.parametrize("path", ["/text", "/v1", "/batch/sum", "/v1/mean"])
async def test_a_larger_body_that_is_announced_is_refused_before_it_is_read(path: str) -> None:
    async with access_stage(make_tokens(WEB)) as stage:
        base = stage.http._base_url
        assert base is not None
        reader, writer = await asyncio.open_connection(base.host, base.port)
        head = f"POST {path} HTTP/1.1\r\nHost: g\r\nAuthorization: Bearer web\r\nConnection: close\r\n"
        writer.write(f"{head}Expect: 100-continue\r\nContent-Length: 21\r\n\r\n".encode())
        answer = await reader.readuntil(b"\r\n\r\n")
        answer += await reader.readuntil(b"file of tokens")
        writer.write(b"x" * 21)  # the server waits for what was announced before it ends the connection
        writer.close()
        # Not `100 Continue`, which would ask for the body.
        assert answer.startswith(b"HTTP/1.1 413 ")
        assert b"20 bytes that web may send" in answer
        form = b"application/json" if path in {"/batch/sum", "/v1/mean"} else b"text/plain"
        assert b"\r\nContent-Type: " + form + b"\r\n" in answer
        assert (stage.store.journal, stage.queue.sent) == ([], [])


@pytest.mark.parametrize("headers", [{}, {"Idempotency-Key": "a"}])
async def test_a_body_that_turns_out_larger_leaves_nothing(headers: dict[str, str]) -> None:
    async with access_stage(make_tokens(WEB)) as stage:
        async with stage.http.post("/text", data=in_pieces(b"x" * 21), headers=bearer("web") | headers) as answer:
            assert (answer.status, "20 bytes that web may send" in await answer.text()) == (413, True)
        assert stage.queue.sent == []
        assert not any(key.endswith(("payload", "in_queue")) for key in stage.store.objects)
        assert (await send_in_pieces(stage, "/text", b"x" * 20))[0] == 200


async def test_so_does_the_body_of_a_job() -> None:
    async with access_stage(make_tokens(entry("web", max_bytes=len(JOB) - 1), entry("ops"))) as stage:
        status, text = await send_in_pieces(stage, "/batch/sum", JOB)
        assert (status, f"{len(JOB) - 1} bytes that web may send" in json.loads(text)["message"]) == (413, True)
        assert (await stage.ask("POST", "/batch/sum", bearer("ops"), JOB))[0] == 200


async def test_and_that_of_a_request_to_a_realtime_api() -> None:
    access = Access(tokens=make_tokens(entry("web", ["hello"], max_bytes=20)))
    head = b"POST /v1/hello HTTP/1.1\r\nHost: g\r\nConnection: close\r\nAuthorization: Bearer web\r\n"
    async with realtime(answer_ok, access=access) as stage:
        answer = await stage.ask(head + b"Content-Length: 21\r\n\r\n" + b"x" * 21)
        assert (answer[:13], stage.connections) == (b"HTTP/1.1 413 ", 0)
        assert (await stage.ask(head + b"Content-Length: 20\r\n\r\n" + b"x" * 20))[:13] == b"HTTP/1.1 200 "

    async def answer_nothing(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with realtime(answer_nothing, access=access) as stage:
        chunked = head + b"Transfer-Encoding: chunked\r\n\r\n15\r\n" + b"x" * 21 + b"\r\n0\r\n\r\n"
        answer = await stage.ask(chunked)
        assert answer.startswith(b"HTTP/1.1 413 ")
        assert b"20 bytes that web may send" in answer


async def test_a_caller_without_one_has_the_limit_of_the_gateway_alone() -> None:
    async with access_stage(make_tokens(WEB, entry("ops"))) as stage:
        assert (await stage.ask("POST", "/text", bearer("ops"), b"x" * 21))[0] == 200
