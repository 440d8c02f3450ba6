"""Payloads on their way in, with their headers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

import pytest
from aiohttp import ClientSession, web
from structlog.testing import capture_logs

from dequeuer.gateway import upload
from dequeuer.gateway.application import make_app, make_runner
from dequeuer.gateway.body import MAX_BUFFERED_BYTES
from tests.gateway.fakes import PREFIX, URL, FakeQueue, Store, make_gateway
from tests.gateway.served import LIMIT, Serve, raw


async def test_headers_and_body_are_kept_as_they_came(serve: Serve, store: Store) -> None:
    body = b"\x1f\x8b not really gzip"
    async with serve() as http:
        text = await raw(
            http,
            b"POST /api HTTP/1.1\r\nHost: gateway\r\nConnection: close\r\nContent-Length: %d\r\n"
            b"content-encoding: gzip\r\ncontent-type: text/x\r\nX-Multi: a\r\nX-Multi: b\r\nX-Utf: \xc3\xa9\r\n"
            b"X-Latin: \xe9\r\nx-cortex-api-name: z\r\nX-Cortex-Queue-URL: z\r\nX-Cortex-Other: kept\r\n\r\n%b"
            % (len(body), body),
        )
    assert text.startswith(b"HTTP/1.1 200 ")
    request_id = json.loads(text.split(b"\r\n\r\n", 1)[1])["id"]
    assert store.objects[f"{PREFIX}{request_id}/payload"] == (body, "text/x")
    assert json.loads(store.objects[f"{PREFIX}{request_id}/headers.json"][0]) == {
        "Connection": ["close"],
        "Content-Length": [str(len(body))],
        "Content-Encoding": ["gzip"],
        "Content-Type": ["text/x"],
        "X-Multi": ["a", "b"],
        "X-Utf": ["é"],
        "X-Latin": ["é"],
        "X-Cortex-Other": ["kept"],
    }


async def test_no_content_type_is_invented(serve: Serve, store: Store) -> None:
    async with serve() as http:
        text = await raw(http, b"POST /api HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}")
    request_id = json.loads(text.split(b"\r\n\r\n", 1)[1])["id"]
    assert store.objects[f"{PREFIX}{request_id}/payload"] == (b"{}", "binary/octet-stream")
    assert "Content-Type" not in json.loads(store.objects[f"{PREFIX}{request_id}/headers.json"][0])


@pytest.mark.parametrize("chunked", [True, False])
async def test_a_big_payload_passes_in_pieces(queue: FakeQueue, *, chunked: bool) -> None:
    store = queue.store = Store(keep_streams=False)
    total = 40 * 1024 * 1024

    async def body() -> AsyncIterator[bytes]:
        for _ in range(total // 65536):
            yield bytes(65536)

    runner = make_runner(make_app(make_gateway(store, queue, LIMIT), {"api": URL}))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    headers = {} if chunked else {"Content-Length": str(total)}
    async with ClientSession() as http, http.post(f"http://{host}:{port}/api", data=body(), headers=headers) as answer:
        assert answer.status == 200
    await runner.cleanup()
    assert store.streamed == total
    assert store.largest_chunk < 1024 * 1024
    assert len(queue.sent) == 1


async def test_a_payload_too_large(serve: Serve, store: Store, queue: FakeQueue) -> None:
    async def body() -> AsyncIterator[bytes]:
        for _ in range(LIMIT // 65536 + 1):
            yield bytes(65536)

    async with serve() as http:
        announced = b"POST /api HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n" % (LIMIT + 1)
        text = await raw(http, announced)
        assert text.startswith(b"HTTP/1.1 413 ")
        async with http.post("/api", data=body()) as answer:
            assert (answer.status, answer.headers["Content-Type"]) == (413, "text/plain")
            assert f"larger than the {LIMIT} bytes allowed" in await answer.text()
    assert (store.objects, queue.sent) == ({}, [])


async def test_100_continue_is_sent_after_the_request_is_validated(serve: Serve, store: Store) -> None:
    expect = b"POST /%b HTTP/1.1\r\nHost: x\r\nConnection: close\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n"
    async with serve() as http:
        assert (await raw(http, expect % b"nope")).startswith(b"HTTP/1.1 404 ")
        text = await raw(http, expect % b"api" + b"{}")
        assert text.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 ")
    [headers] = [body for key, (body, _) in store.objects.items() if key.endswith("headers.json")]
    assert "Expect" not in json.loads(headers)


@pytest.mark.parametrize("sent", [b"some", b"x" * (MAX_BUFFERED_BYTES + 100_000)], ids=["small", "big"])
@pytest.mark.parametrize("framing", [b"Content-Length: 5000000", b"Transfer-Encoding: chunked"])
async def test_a_client_that_leaves_in_mid_upload(
    serve: Serve, store: Store, queue: FakeQueue, sent: bytes, framing: bytes
) -> None:
    body = sent if b"Length" in framing else b"%x\r\n%b\r\n" % (len(sent), sent)
    with capture_logs() as logs:
        async with serve() as http:
            await raw(http, b"POST /api HTTP/1.1\r\nHost: x\r\n%b\r\n\r\n%b" % (framing, body), answer=False)
            while not logs:  # noqa: ASYNC110 - the log is the only sign of it
                await asyncio.sleep(0)
    [line] = logs
    assert (line["event"], line["status"]) == ("request_refused", 400)
    assert (store.objects, queue.sent) == ({}, [])


async def test_a_malformed_payload(
    serve: Serve, store: Store, queue: FakeQueue, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("DEBUG"):
        async with serve() as http:
            text = await raw(http, b"POST /api HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n")
    assert "zz" not in caplog.text
    assert b" 400 " in text.split(b"\r\n", 1)[0]
    assert (store.objects, queue.sent) == ({}, [])


async def test_a_client_that_stalls(
    serve: Serve, store: Store, queue: FakeQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upload, "IDLE_TIMEOUT_S", 0.01)
    async with serve() as http:
        text = await raw(http, b"POST /api HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 9\r\n\r\nhalf")
    assert text.startswith(b"HTTP/1.1 408 ")
    assert (store.objects, queue.sent) == ({}, [])
