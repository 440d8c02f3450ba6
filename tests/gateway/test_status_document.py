"""The status document tells attempts, reasons of failures and progress."""

from __future__ import annotations

from dequeuer.core.errors import StoreDeniedError
from dequeuer.formats.failure import RequestFailure, encode_failure
from dequeuer.gateway.application import make_app
from dequeuer.gateway.service import Gateway
from tests.gateway.fakes import URL, Store, serving
from tests.gateway.one_request import API, KEYS, begin, complete


async def test_attempts_that_cannot_be_read_hide_no_status(store: Store, gateway: Gateway) -> None:
    begin(store)
    store.break_at("list", API.attempts("id1"), StoreDeniedError("no", "AccessDenied"))
    async with serving(make_app(gateway, {"api": URL})) as http, http.get("/api/id1") as answer:
        assert (answer.status, (await answer.json())["status"]) == (200, "in_queue")


async def test_the_reason_and_the_attempts_of_a_failure_are_shown(store: Store, gateway: Gateway) -> None:
    begin(store)
    record = b'{"began":"2021-05-03T11:59:00Z","ended":"2021-05-03T11:59:01Z","worker":"p","outcome":"retried","code":"unreachable","reason":"r"}'
    failed = RequestFailure(error="a client cancelled the request before it was begun", code="cancelled")
    store.memory.seed([(API.attempt("id1", 1), record), (KEYS.failed, encode_failure(failed, 2))])
    async with serving(make_app(gateway, {"api": URL})) as http, http.get("/api/id1") as answer:
        document = await answer.json()
    assert document["error"] == {"code": "cancelled", "message": failed.error}
    assert [attempt["outcome"] for attempt in document["attempts"]] == ["retried", "failed"]
    assert document["attempts"][1]["code"] == "cancelled"


async def test_a_list_tells_how_often_a_failed_request_was_received(store: Store, gateway: Gateway) -> None:
    begin(store)
    failed = RequestFailure(error="no", code="unreachable")
    async with serving(make_app(gateway, {"api": URL})) as http:
        for content, expected in ((encode_failure(failed, 5), 5), (b"", None)):
            store.memory.seed([(KEYS.failed, content)])
            async with http.get("/api?limit=1") as answer:
                [listed] = (await answer.json())["requests"]
            assert (listed["status"], listed.get("receives"), "attempts" in listed) == ("failed", expected, False)


async def test_progress_is_shown_until_the_end(store: Store, gateway: Gateway) -> None:
    begin(store)
    store.memory.seed([(KEYS.status("in_progress"), b""), (KEYS.progress, b'{"progress":0.4,"message":"m","at":"t"}')])
    async with serving(make_app(gateway, {"api": URL})) as http:
        async with http.get("/api/id1") as answer:
            document = await answer.json()
        assert document["progress"] == {"progress": 0.4, "message": "m", "at": "t"}
        assert document["started"] == "2021-05-03T12:00:00Z"
        complete(store)
        async with http.get("/api/id1") as answer:
            assert "progress" not in await answer.json()
