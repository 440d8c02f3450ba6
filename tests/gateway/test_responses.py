"""Results on their way out, and errors."""

from __future__ import annotations

from dataclasses import replace

import pytest
from aiohttp import ClientPayloadError
from aiohttp.test_utils import make_mocked_request

from dequeuer.core.errors import SourceGoneError, SourceUnavailableError, StoreUnavailableError
from dequeuer.gateway.model import FoundRequest, Report
from dequeuer.gateway.responses import report_response
from dequeuer.sinks.base import ListedPage
from tests.gateway.fakes import PREFIX, FakeQueue, Store
from tests.gateway.one_request import KEYS, complete
from tests.gateway.served import COMPLETED, Serve, raw


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


@pytest.mark.parametrize("method", ["GET", "DELETE"])
async def test_of_a_result_that_is_larger_than_wanted_the_size_is_sent(serve: Serve, store: Store, method: str) -> None:
    result = b"[" + b"1" * 98 + b"]"
    store.memory.seed([(f"{PREFIX}id1/status/completed", b""), (f"{PREFIX}id1/result.json", result)])
    small = f'{{"id":"id1","status":"completed","result_bytes":100,{COMPLETED}}}\n'.encode()
    async with serve() as http:
        for limit, is_left_out in ((0, True), (99, True), (100, False), (10**12 - 1, False)):
            async with http.request(method, f"/api/id1?max_result_bytes={limit}") as answer:
                body = await answer.read()
            assert (body == small) is is_left_out
            assert (result in body) is not is_left_out
        async with http.get("/api/id1?wait=5&max_result_bytes=0") as answer:
            assert await answer.read() == small


LEAVING_OUT = [
    ("GET", "/api/id1?max_result_bytes=0"),
    ("GET", "/api/id1?wait=5&max_result_bytes=0"),
    ("DELETE", "/api/id1?max_result_bytes=0"),
    ("GET", "/api/id1/events"),
]


@pytest.mark.parametrize(("method", "path"), LEAVING_OUT)
async def test_a_result_that_is_left_out_is_not_opened(serve: Serve, store: Store, method: str, path: str) -> None:
    complete(store, result=b'"' + b"x" * 100_000 + b'"')
    async with serve() as http, http.request(method, path) as answer:
        assert b'"result_bytes":100002' in await answer.read()
    assert [key for op, key in store.reads if op == "get"] == []


@pytest.mark.parametrize(("method", "path"), LEAVING_OUT)
async def test_a_result_that_the_listing_does_not_show_yet_is_looked_for(
    serve: Serve, store: Store, monkeypatch: pytest.MonkeyPatch, method: str, path: str
) -> None:
    complete(store, result=b'"' + b"x" * 100_000 + b'"')
    find = store.list_page

    async def without_result(prefix: str, *, after: str = "", token: str = "") -> ListedPage:
        page = await find(prefix, after=after, token=token)
        return replace(page, objects=[listed for listed in page.objects if listed.key != KEYS.result])

    monkeypatch.setattr(store, "list_page", without_result)
    async with serve() as http, http.request(method, path) as answer:
        assert b'"result_bytes":100002' in await answer.read()
        async with http.get("/api/id1") as whole:
            assert len((await whole.json())["result"]) == 100_000
    assert [key for op, key in store.reads if op == "get"] == [KEYS.result] * 2
    assert store.opened == []


@pytest.mark.parametrize(("path", "name"), [("/api/id1", "result.json"), ("/api/id1/payload", "payload")])
async def test_an_object_that_is_not_read_is_closed(serve: Serve, store: Store, path: str, name: str) -> None:
    store.memory.seed([(f"{PREFIX}id1/payload", b"x" * 100_000)])
    complete(store, result=b'"' + b"x" * 100_000 + b'"')
    async with serve() as http, http.head(path) as answer:
        assert answer.status == 200
        await answer.read()
    assert [key for op, key in store.reads if op == "get"] == [f"{PREFIX}id1/{name}"]
    assert store.opened == []


@pytest.mark.parametrize("left_out_bytes", [None, 100])
async def test_a_status_without_its_result_has_the_headers_that_it_was_given(left_out_bytes: int | None) -> None:
    report = Report(found=FoundRequest(status="completed", times={}), left_out_bytes=left_out_bytes)
    asked = make_mocked_request("POST", "/api")
    answer = await report_response(asked, "id1", report, {"Preference-Applied": "wait=5"})
    assert answer.headers["Preference-Applied"] == "wait=5"


@pytest.mark.parametrize("given", ["", "-1", "x", "1" * 13, "1&max_result_bytes=2"])
async def test_a_wrong_limit_of_a_result_is_refused_before_anything_is_done(
    serve: Serve, store: Store, given: str
) -> None:
    store.memory.seed([(f"{PREFIX}id1/status/in_queue", b"")])
    before = set(store.objects)
    async with serve() as http:
        for method in ("GET", "DELETE"):
            async with http.request(method, f"/api/id1?max_result_bytes={given}") as answer:
                assert (answer.status, (await answer.json())["code"]) == (400, "invalid_max_result_bytes")
    assert set(store.objects) == before


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
