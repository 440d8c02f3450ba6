from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from io import BytesIO
from typing import TypeAlias

import pytest
import yarl
from aiohttp import ClientPayloadError, ClientSession, web
from structlog.testing import capture_logs

from dequeuer.core.errors import SourceGoneError, SourceUnavailableError, StoreUnavailableError
from dequeuer.gateway import upload
from dequeuer.gateway.application import make_app, make_runner
from dequeuer.gateway.body import MAX_BUFFERED_BYTES
from tests.gateway.fakes import PREFIX, URL, FakeQueue, Store, make_gateway, serving

LIMIT = 64 * 1024 * 1024
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z")
IN_CLUSTER = {"X-Request-ID": "id1", "X-Cortex-API-Name": "api", "X-Cortex-Queue-URL": URL}

Serve: TypeAlias = Callable[..., AbstractAsyncContextManager[ClientSession]]

COMPLETED = '"ended":"2021-05-03T12:00:00Z","attempts":[{"outcome":"completed","ended":"2021-05-03T12:00:00Z"}]'
"""The fields of a completed request that Cortex does not have, as the fake store has them."""


@pytest.fixture
def serve(store: Store, queue: FakeQueue) -> Serve:
    @asynccontextmanager
    async def run(queues: dict[str, str] | None = None) -> AsyncIterator[ClientSession]:
        gateway = make_gateway(store, queue, LIMIT)
        app = make_app(gateway, {"api": URL} if queues is None else queues)
        async with serving(app, auto_decompress=False) as session:
            yield session

    return run


def as_it_stands(session: ClientSession, path: str) -> yarl.URL:
    """Return a URL whose path the client must not normalise."""
    return yarl.URL(f"{str(session._base_url).rstrip('/')}{path}", encoded=True)


async def raw(session: ClientSession, request: bytes, *, answer: bool = True) -> bytes:
    """Send bytes over a new connection; without `answer`, close it at once."""
    base = session._base_url
    assert base is not None
    reader, writer = await asyncio.open_connection(base.host, base.port)
    try:
        writer.write(request)
        await writer.drain()
        return await _read_answer(reader) if answer else b""
    finally:
        writer.close()
        await writer.wait_closed()


async def _read_answer(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    if head.startswith(b"HTTP/1.1 100 "):
        head += await reader.readuntil(b"\r\n\r\n")
    length = re.search(rb"\r\nContent-Length: ([0-9]+)\r\n", head)
    assert length is not None
    return head + await reader.readexactly(int(length[1]))


async def test_submit_and_follow(serve: Serve, store: Store, queue: FakeQueue) -> None:
    async with serve() as http:
        async with http.post("/api", data=b'{"a":1}', headers={"Content-Type": "application/json"}) as answer:
            assert answer.status == 200
            assert answer.headers["Content-Type"] == "application/json"
            document = await answer.json()
        assert list(document) == ["id"]
        request_id = document["id"]
        assert UUID.match(request_id)
        assert queue.sent == [(URL, request_id)]
        assert store.objects[f"{PREFIX}{request_id}/payload"] == (b'{"a":1}', "application/json")
        async with http.get(f"/api/{request_id}") as answer:
            text = f'{{"id":"{request_id}","status":"in_queue","created":"2021-05-03T12:00:00Z"}}\n'
            assert await answer.text() == text
        store.objects[f"{PREFIX}{request_id}/status/completed"] = (b"", None)
        store.objects[f"{PREFIX}{request_id}/result.json"] = (b' {"n": 12345678901234567890.10}', "application/json")
        async with http.get(f"/api/{request_id}") as answer:
            assert answer.headers["Content-Type"] == "application/json"
            assert await answer.text() == (
                f'{{"id":"{request_id}","status":"completed","result": {{"n": 12345678901234567890.10}},'
                f'"timestamp":"2021-05-03T12:00:00Z","created":"2021-05-03T12:00:00Z",{COMPLETED}}}\n'
            )


async def test_submit_and_follow_in_cluster(serve: Serve, store: Store, queue: FakeQueue) -> None:
    async with serve({}) as http:
        async with http.post("/", data=b"x", headers=IN_CLUSTER) as answer:
            assert (answer.status, await answer.text()) == (200, '{"id":"id1"}\n')
        assert queue.sent == [(URL, "id1")]
        headers = json.loads(store.objects[f"{PREFIX}id1/headers.json"][0])
        assert headers["X-Request-Id"] == ["id1"]
        assert not [name for name in headers if name.lower().startswith("x-cortex")]
        async with http.get("/id1", headers={"X-Cortex-API-Name": "api"}) as answer:
            assert (answer.status, await answer.text()) == (
                200,
                '{"id":"id1","status":"in_queue","created":"2021-05-03T12:00:00Z"}\n',
            )
        async with http.get("/id2", headers={"X-Cortex-API-Name": "api"}) as answer:
            assert (answer.status, await answer.text()) == (404, "error: id id2 not found")
            assert answer.headers["Content-Type"] == "text/plain"


@pytest.mark.parametrize("missing", ["X-Request-ID", "X-Cortex-API-Name", "X-Cortex-Queue-URL"])
async def test_a_missing_header_in_cluster(serve: Serve, store: Store, missing: str) -> None:
    async with serve({}) as http:
        headers = {name: value for name, value in IN_CLUSTER.items() if name != missing}
        async with http.post("/", data=b"x", headers=headers) as answer:
            assert (answer.status, answer.headers["Content-Type"]) == (400, "text/plain")
            shown = "x-request-id" if missing == "X-Request-ID" else missing
            assert await answer.text() == f"error: missing {shown} key in request header"
        async with http.get("/id1") as answer:
            assert (answer.status, await answer.text()) == (
                400,
                "error: missing X-Cortex-API-Name key in request header",
            )
    assert (store.reads, store.journal) == ([], [])


@pytest.mark.parametrize("url", ["file:///etc/passwd", "the-queue", "http://h/q?x=1", "http://u@h/q", "http://h/ q"])
async def test_a_malformed_queue_url(serve: Serve, store: Store, url: str) -> None:
    async with serve({}) as http, http.post("/", headers=IN_CLUSTER | {"X-Cortex-Queue-URL": url}) as answer:
        assert answer.status == 400
        assert "is not the URL of a queue" in await answer.text()
    assert (store.reads, store.journal) == ([], [])


async def test_configured_queues_bind_the_in_cluster_form(serve: Serve, store: Store) -> None:
    async with serve() as http:
        async with http.post("/", headers=IN_CLUSTER | {"X-Cortex-Queue-URL": f"{URL}.fifo"}) as answer:
            assert (answer.status, "DEQUEUER_QUEUES" in await answer.text()) == (400, True)
        async with http.post("/", headers=IN_CLUSTER | {"X-Cortex-API-Name": "other"}) as answer:
            assert (answer.status, "DEQUEUER_QUEUES" in await answer.text()) == (404, True)
        async with http.get("/id1", headers={"X-Cortex-API-Name": "other"}) as answer:
            assert (answer.status, "DEQUEUER_QUEUES" in await answer.text()) == (404, True)
        assert (store.reads, store.journal) == ([], [])
        async with http.post("/", headers=IN_CLUSTER) as answer:
            assert answer.status == 200


async def test_the_client_cannot_choose_the_id(serve: Serve) -> None:
    async with serve() as http, http.post("/api", headers={"X-Request-ID": "id1"}) as answer:
        assert UUID.match((await answer.json())["id"])


async def test_a_repeated_submission_in_cluster(serve: Serve, store: Store, queue: FakeQueue) -> None:
    store.memory.seed([(f"{PREFIX}id1/status/completed", b""), (f"{PREFIX}id1/result.json", b"1")])
    async with serve({}) as http, http.post("/", data=BytesIO(b"y" * 3_000_000), headers=IN_CLUSTER) as answer:
        assert (answer.status, await answer.text()) == (200, '{"id":"id1"}\n')
    assert (store.journal, queue.sent) == ([], [])


@pytest.mark.parametrize("path", ["/nope", "/nope/"])
async def test_an_unknown_api(serve: Serve, store: Store, path: str) -> None:
    async with serve() as http:
        async with http.post(path, data=b"x") as answer:
            assert (answer.status, answer.headers["Content-Type"]) == (404, "text/plain")
            assert await answer.text() == (
                "error: API nope is not served here: name it and its queue in DEQUEUER_QUEUES of the gateway"
            )
        async with http.get("/nope/id1") as answer:
            assert answer.status == 404
    assert (store.reads, store.journal) == ([], [])


@pytest.mark.parametrize(
    "path",
    [
        "/api/a%2Fb",
        "/api/..%2F..%2Fother",
        "/api/%2e%2e%2fx",
        "/api/a%0d%0ab",
        "/api/a%00",
        "/api/%ff",
        "/api/a%20b",
        "/api/" + "x" * 129,
        "/api/" + "x" * 7000,
        "/a%2Fb/id1",
        "/%2e%2e%2f/id1",
        "/a%0a/id1",
    ],
)
async def test_bad_names_reach_nothing(serve: Serve, store: Store, path: str) -> None:
    async with serve() as http, http.get(as_it_stands(http, path)) as answer:
        text = await answer.text()
        assert (answer.status, answer.headers["Content-Type"]) == (400, "text/plain")
        assert "is not valid: 1 to 128 letters" in text
        assert text.isprintable()
        assert len(text) < 500
    assert store.reads == []


@pytest.mark.parametrize("path", ["/a%2Fb", "/%2e%2e", "/a%0a", "/" + "x" * 200])
async def test_bad_api_names_are_not_submitted_to(serve: Serve, store: Store, path: str) -> None:
    async with serve() as http, http.post(as_it_stands(http, path), data=b"x") as answer:
        assert answer.status == 400
    assert (store.reads, store.journal) == ([], [])


@pytest.mark.parametrize("request_id", ["../x", "a/b", "a b", "é", "x" * 129])
async def test_bad_ids_in_cluster(serve: Serve, store: Store, request_id: str) -> None:
    async with serve({}) as http, http.post("/", headers=IN_CLUSTER | {"X-Request-ID": request_id}) as answer:
        assert (answer.status, "request id" in await answer.text()) == (400, True)
    assert (store.reads, store.journal) == ([], [])


@pytest.mark.parametrize(
    "result", [b"null", b"[1, 2]", b'"text"', b"1e400", b"-0.10", b'{"a":1,"a":2}', '"é"'.encode(), b'"\\ud800"']
)
async def test_any_json_is_a_result(serve: Serve, store: Store, result: bytes) -> None:
    store.memory.seed([(f"{PREFIX}id1/status/completed", b""), (f"{PREFIX}id1/result.json", result)])
    async with serve() as http, http.get("/api/id1") as answer:
        assert await answer.read() == (
            b'{"id":"id1","status":"completed","result":'
            + result
            + f',"timestamp":"2021-05-03T12:00:00Z",{COMPLETED}}}\n'.encode()
        )


async def test_a_big_result_is_streamed(serve: Serve, store: Store) -> None:
    result = b"[" + b"1234567," * 1_000_000 + b"1]"
    store.memory.seed([(f"{PREFIX}id1/status/completed", b""), (f"{PREFIX}id1/result.json", result)])
    async with serve() as http:
        async with http.get("/api/id1") as answer:
            whole = await answer.read()
            assert int(answer.headers["Content-Length"]) == len(whole)
            assert whole[42:].startswith(result)
        async with http.head("/api/id1") as answer:
            assert (answer.status, int(answer.headers["Content-Length"])) == (200, len(whole))
            assert await answer.read() == b""
        async with http.get("/healthz") as answer:
            assert answer.status == 200


async def test_a_client_can_detect_a_truncated_result(serve: Serve, store: Store) -> None:
    store.memory.seed([(f"{PREFIX}id1/status/completed", b""), (f"{PREFIX}id1/result.json", b"1" * 1_000_000)])
    store.break_at("stream", "")
    async with serve() as http, http.get("/api/id1") as answer:
        assert answer.status == 200
        with pytest.raises(ClientPayloadError):
            await answer.read()


async def test_a_client_that_leaves_in_mid_result(serve: Serve, store: Store) -> None:
    store.memory.seed([(f"{PREFIX}id1/status/completed", b""), (f"{PREFIX}id1/result.json", b"1" * 20_000_000)])
    async with serve() as http:
        await raw(http, b"GET /api/id1 HTTP/1.1\r\nHost: x\r\n\r\n", answer=False)
        async with http.get("/healthz") as answer:
            assert answer.status == 200


async def test_a_completed_request_whose_result_is_gone(serve: Serve, store: Store) -> None:
    store.memory.seed([(f"{PREFIX}id1/status/completed", b"")])
    async with serve() as http, http.get("/api/id1") as answer:
        assert await answer.text() == f'{{"id":"id1","status":"completed",{COMPLETED}}}\n'


async def test_a_failed_request_has_a_reason(serve: Serve, store: Store) -> None:
    store.memory.seed([(f"{PREFIX}id1/status/failed", b'{"error":"status \\"500\\"","status_code":500}')])
    async with serve() as http, http.get("/api/id1") as answer:
        assert await answer.json() == {
            "id": "id1",
            "status": "failed",
            "ended": "2021-05-03T12:00:00Z",
            "attempts": [
                {"outcome": "failed", "ended": "2021-05-03T12:00:00Z", "reason": 'status "500"', "status_code": 500}
            ],
            "error": {"message": 'status "500"', "status_code": 500},
        }


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


@pytest.mark.parametrize("error", [SourceUnavailableError("secret-host"), SourceGoneError("secret-host")])
async def test_an_unavailable_queue(serve: Serve, store: Store, queue: FakeQueue, error: Exception) -> None:
    queue.error = error
    async with serve() as http, http.post("/api", data=b"x") as answer:
        text = await answer.text()
        assert (answer.status, answer.headers["Retry-After"]) == (503, "1")
        assert text.startswith("error: the queue ")
        assert "secret-host" not in text
    assert store.objects == {}


@pytest.mark.parametrize("op", ["put", "list", "get"])
@pytest.mark.usefixtures("no_pauses")
async def test_an_unavailable_store(serve: Serve, store: Store, op: str) -> None:
    store.memory.seed([(f"{PREFIX}id1/status/completed", b""), (f"{PREFIX}id1/result.json", b"1")])
    store.break_at(op, "", StoreUnavailableError("secret-host"))
    async with serve() as http, http.post("/api") if op == "put" else http.get("/api/id1") as answer:
        assert (answer.status, answer.headers["Retry-After"]) == (503, "1")
        assert await answer.text() == "error: the store is not available: try again"


async def test_a_bug_is_not_shown(serve: Serve, store: Store) -> None:
    store.break_at("list", "", RuntimeError("secret"))
    async with serve() as http, http.get("/api/id1") as answer:
        assert (answer.status, await answer.text()) == (500, "error: internal error of the gateway: see its log")


async def test_a_submission_is_one_line_in_the_log(serve: Serve) -> None:
    with capture_logs() as logs:
        async with serve() as http, http.post("/api", data=b"value", headers={"Authorization": "value"}) as answer:
            document = await answer.json()
    assert logs == [
        {
            "event": "request_submitted",
            "log_level": "info",
            "request_id": document["id"],
            "api_name": "api",
            "bytes": 5,
        }
    ]


async def test_healthz(serve: Serve) -> None:
    async with serve() as http, http.get("/healthz") as answer:
        assert (answer.status, await answer.text(), answer.headers["Content-Type"]) == (200, "ok", "text/plain")


async def test_other_paths_and_methods(serve: Serve) -> None:
    async with serve() as http:
        async with http.get("/a/b/c") as answer:
            assert (answer.status, (await answer.text())[:19]) == (404, "error: no such path")
        async with http.patch("/api", data=b"x") as answer:
            assert (answer.status, answer.headers["Allow"]) == (405, "DELETE, GET, HEAD, POST, PUT")
            assert "use DELETE, GET, HEAD, POST" in await answer.text()


async def test_an_answer_is_readable_from_any_origin(serve: Serve) -> None:
    async with serve() as http:
        for path, status in (("/healthz", 200), ("/api/id1", 404), ("/a/b/c", 404), ("/api/a%00", 400)):
            url = as_it_stands(http, path)
            async with http.get(url, headers={"Origin": "https://page"}) as answer:
                assert answer.status == status
                assert answer.headers["Access-Control-Allow-Origin"] == "*"
                assert answer.headers["Access-Control-Allow-Credentials"] == "true"
                assert answer.headers["Access-Control-Expose-Headers"] == "Content-Length,Content-Range"
        async with http.get("/healthz") as answer:
            assert not [name for name in answer.headers if name.startswith("Access-Control")]


async def test_big_results_are_readable_from_any_origin(serve: Serve, store: Store) -> None:
    store.memory.seed([(f"{PREFIX}id1/status/completed", b""), (f"{PREFIX}id1/result.json", b"1")])
    async with serve() as http, http.get("/api/id1", headers={"Origin": "https://page"}) as answer:
        assert answer.headers["Access-Control-Allow-Origin"] == "*"


@pytest.mark.parametrize(
    ("asked", "status", "granted"),
    [
        ({"Access-Control-Request-Method": "POST"}, 200, {}),
        (
            {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type, accept"},
            200,
            {"Access-Control-Allow-Headers": "Content-Type"},
        ),
        ({"Access-Control-Request-Method": "PUT"}, 200, {"Access-Control-Allow-Methods": "PUT"}),
        ({"Access-Control-Request-Method": "DELETE"}, 405, None),
        ({"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "x-cortex-api-name"}, 403, None),
        ({}, 400, None),
    ],
)
async def test_preflights(serve: Serve, asked: dict[str, str], status: int, granted: dict[str, str] | None) -> None:
    always = {"Access-Control-Allow-Origin": "*", "Access-Control-Allow-Credentials": "true"}
    async with serve() as http, http.options("/api", headers={"Origin": "https://page", **asked}) as answer:
        assert answer.status == status
        given = {name: value for name, value in answer.headers.items() if name.startswith("Access-Control")}
        assert given == ({} if granted is None else always | granted)
