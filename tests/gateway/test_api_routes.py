"""The routes about an API as a whole, over HTTP."""

from __future__ import annotations

from typing import Any

import pytest
import yarl
from aiohttp import ClientSession

from dequeuer.core import clock
from dequeuer.core.errors import StoreDeniedError
from dequeuer.gateway.application import make_app
from dequeuer.gateway.dead_letters import DeadLetterQueues
from dequeuer.gateway.endpoints import Endpoint, Endpoints
from dequeuer.gateway.service import Gateway
from dequeuer.sinks.layout import RequestKeys
from tests.gateway.dead_letters import FakeSqs, translate
from tests.gateway.fakes import MODIFIED_AT, URL, FakeQueue, Store, make_gateway, serving
from tests.gateway.one_request import API, KEYS, begin, complete

IN_CLUSTER = {"X-Cortex-API-Name": "api"}


async def ask(http: ClientSession, path: str, **more: Any) -> tuple[int, Any]:
    async with http.get(yarl.URL(path, encoded=True), **more) as answer:
        is_json = "json" in answer.headers["Content-Type"]
        return answer.status, await (answer.json(content_type=None) if is_json else answer.text())


def problem(status: int, title: str, code: str, detail: str) -> tuple[int, dict[str, Any]]:
    fields = {"type": "about:blank", "title": title, "status": status, "detail": detail, "code": code}
    return status, fields


async def test_requests_are_listed_with_what_is_known_of_them(store: Store, gateway: Gateway) -> None:
    for request_id in ("a", "b", "c"):
        begin(store, request_id)
    complete(store, "b")
    failed = RequestKeys("uid", "api", "c")
    store.memory.seed([(failed.failed, b'{"error": "too slow", "code": "timeout"}')])
    store.memory.seed([(RequestKeys("uid", "api", "a").progress, b'{"progress": 0.5}')])
    moment = "2021-05-03T12:00:00Z"
    async with serving(make_app(gateway, {"api": URL})) as http:
        status, page = await ask(http, "/api?limit=2")
        assert (status, page["requests"]) == (
            200,
            [
                {"id": "a", "status": "in_queue", "created": moment, "progress": {"progress": 0.5}},
                {"id": "b", "status": "completed", "created": moment, "ended": moment},
            ],
        )
        assert await ask(http, f"/api?limit=2&after={page['next']}") == (
            200,
            {
                "requests": [
                    {
                        "id": "c",
                        "status": "failed",
                        "created": moment,
                        "ended": moment,
                        "error": {"code": "timeout", "message": "too slow"},
                    }
                ]
            },
        )
        status, page = await ask(http, "/api?status=failed")
        assert [one["id"] for one in page["requests"]] == ["c"]


async def test_new_requests_are_the_first_of_the_list(gateway: Gateway) -> None:
    async with serving(make_app(gateway, {"api": URL})) as http:
        made = []
        for _ in range(3):
            async with http.post("/api", data=b"x") as answer:
                made.append((await answer.json())["id"])
        _, page = await ask(http, "/api")
    assert sorted(made) == [one["id"] for one in page["requests"]]


async def test_an_endpoint_lists_its_api(store: Store, gateway: Gateway) -> None:
    begin(store)
    endpoints = Endpoints([Endpoint(api_name="api", kind="AsyncAPI", path="/some/where")])
    async with serving(make_app(gateway, {"api": URL}, endpoints=endpoints)) as http:
        for path in ("/some/where", "/api"):
            _, page = await ask(http, path)
            assert [one["id"] for one in page["requests"]] == ["id1"]


@pytest.mark.parametrize(
    ("query", "code", "detail"),
    [
        ("limit=0", "invalid_limit", 'limit is "0"; allowed: a whole number from 1 to 100'),
        ("limit=", "invalid_limit", 'limit is ""; allowed: a whole number from 1 to 100'),
        ("limit=101", "invalid_limit", 'limit is "101"; allowed: a whole number from 1 to 100'),
        ("limit=%D9%A3", "invalid_limit", 'limit is "\u0663"; allowed: a whole number from 1 to 100'),
        ("limit=1&limit=2", "invalid_limit", 'limit is "1, 2"; allowed: one value'),
        ("status=done", "invalid_status", 'status is "done"; allowed: in_queue, in_progress, completed, failed'),
        ("status=", "invalid_status", 'status is ""; allowed: in_queue, in_progress, completed, failed'),
        ("after=id1", "invalid_after", 'after is "id1"; allowed: what "next" of the page before it says'),
    ],
)
async def test_a_wrong_parameter(store: Store, gateway: Gateway, query: str, code: str, detail: str) -> None:
    async with serving(make_app(gateway, {"api": URL})) as http:
        assert await ask(http, f"/api?{query}") == problem(400, "Bad Request", code, detail)
    assert store.reads == []


async def test_an_api_without_requests_or_with_jobs(gateway: Gateway) -> None:
    endpoints = Endpoints([Endpoint(api_name="sum", kind="BatchAPI", path="/v1/sum")])
    async with serving(make_app(gateway, {"api": URL}, endpoints=endpoints)) as http:
        assert await ask(http, "/api") == (200, {"requests": []})
        status, fields = await ask(http, "/sum")
        assert (status, fields["code"]) == (404, "unknown_api")
        # It may be the id of a request, whose API the header has.
        assert (await ask(http, "/nothing"))[0] == 400


@pytest.mark.usefixtures("no_pauses")
async def test_a_store_that_fails_or_refuses_is_a_problem(store: Store, gateway: Gateway) -> None:
    async with serving(make_app(gateway, {"api": URL})) as http:
        store.break_at("list", "api/")
        text = "the store is not available: try again"
        assert await ask(http, "/api") == problem(503, "Service Unavailable", "unavailable", text)
        store.break_at("list", "api/", StoreDeniedError("secret-host: denied", "AccessDenied"))
        status, fields = await ask(http, "/api")
        assert (status, fields["code"]) == (503, "store_refused")
        assert "secret-host" not in str(fields)


async def test_in_the_cluster_the_header_names_the_api(store: Store, gateway: Gateway) -> None:
    begin(store)
    async with serving(make_app(gateway, {})) as http:
        _, page = await ask(http, "/", headers=IN_CLUSTER)
        assert [one["id"] for one in page["requests"]] == ["id1"]
        assert (await ask(http, "/"))[0] == 400
        # `/api` is the request `api` there.
        assert (await ask(http, "/api", headers=IN_CLUSTER))[0] == 404


async def test_no_page_reads_a_list_unless_its_origin_is_configured(store: Store, gateway: Gateway) -> None:
    begin(store)
    page = {"Origin": "https://app.example.com"}
    allow = "Access-Control-Allow-Origin"
    async with serving(make_app(gateway, {"api": URL})) as http:
        async with http.get("/api", headers=page) as answer:
            assert (answer.status, allow in answer.headers) == (200, False)
        async with http.get(f"/api/{KEYS.request_id}", headers=page) as answer:
            assert answer.headers[allow] == "*"
    async with (
        serving(make_app(gateway, {"api": URL}, cors_origins=[page["Origin"]])) as http,
        http.get("/api", headers=page) as answer,
    ):
        assert answer.headers[allow] == page["Origin"]


@pytest.fixture
def pausing(store: Store, queue: FakeQueue) -> Gateway:
    return make_gateway(store, queue, pause_check_interval_s=5)


async def change(http: ClientSession, path: str, **more: Any) -> tuple[int, Any]:
    async with http.put(path, **more) as answer:
        return answer.status, await answer.json(content_type=None)


async def test_an_api_is_paused_and_resumed_and_its_list_says_so(store: Store, pausing: Gateway) -> None:
    moment = "2021-05-03T12:00:00Z"
    async with serving(make_app(pausing, {"api": URL, "api2": URL})) as http:
        for _ in range(2):
            paused = {"message": "paused API api", "paused": moment}
            assert await change(http, "/api?action=pause") == (200, paused)
        assert set(store.objects) == {API.pause}
        assert await ask(http, "/api") == (200, {"requests": [], "paused": moment})
        assert await ask(http, "/api2") == (200, {"requests": []})
        for _ in range(2):
            assert await change(http, "/api?action=resume") == (200, {"message": "resumed API api"})
        assert store.objects == {}
        assert await ask(http, "/api") == (200, {"requests": []})


async def test_a_pause_that_another_client_ends_at_once_was_not_begun_in_1970(
    store: Store, pausing: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    put = store.put

    async def put_and_lose(key: str, body: bytes, content_type: str) -> None:
        await put(key, body, content_type)
        await store.delete([key])

    monkeypatch.setattr(store, "put", put_and_lose)
    monkeypatch.setattr(clock, "wall", lambda: MODIFIED_AT)
    async with serving(make_app(pausing, {"api": URL})) as http:
        _, fields = await change(http, "/api?action=pause")
        assert fields["paused"] == "2021-05-03T12:00:00Z"


async def test_endpoints_and_headers_name_the_api_that_is_paused(store: Store, pausing: Gateway) -> None:
    endpoints = Endpoints([Endpoint(api_name="api", kind="AsyncAPI", path="/some/where")])
    async with serving(make_app(pausing, {"api": URL}, endpoints=endpoints)) as http:
        assert (await change(http, "/some/where?action=pause"))[0] == 200
        assert set(store.objects) == {API.pause}
        assert (await change(http, "/?action=resume", headers=IN_CLUSTER))[0] == 200
        assert store.objects == {}


async def test_where_no_sidecar_looks_nothing_is_paused(store: Store, gateway: Gateway) -> None:
    store.memory.seed([(API.pause, b"")])
    async with serving(make_app(gateway, {"api": URL})) as http:
        for action in ("pause", "resume"):
            status, fields = await change(http, f"/api?action={action}")
            assert (status, fields["code"]) == (409, "pause_disabled")
            assert "DEQUEUER_PAUSE_CHECK_INTERVAL" in fields["detail"]
        assert await ask(http, "/api") == (200, {"requests": []})
    assert store.journal == []


@pytest.mark.parametrize("query", ["", "?action=", "?action=stop", "?action=pause&action=resume"])
async def test_another_action(store: Store, pausing: Gateway, query: str) -> None:
    async with serving(make_app(pausing, {"api": URL})) as http:
        status, fields = await change(http, f"/api{query}")
        assert (status, fields["code"]) == (400, "invalid_action")
        status, fields = await change(http, "/other?action=pause")
        assert (status, fields["code"]) == (404, "unknown_api")
    assert store.journal == []


@pytest.mark.usefixtures("no_pauses")
@pytest.mark.parametrize(("action", "op"), [("pause", "put"), ("resume", "delete")])
async def test_a_pause_that_cannot_be_written_is_a_problem(
    store: Store, pausing: Gateway, action: str, op: str
) -> None:
    store.break_at(op, "_paused")
    async with serving(make_app(pausing, {"api": URL})) as http:
        status, fields = await change(http, f"/api?action={action}")
    assert (status, fields["code"]) == (503, "unavailable")


async def test_dead_letters_are_listed_with_their_requests_and_redriven(store: Store, gateway: Gateway) -> None:
    sqs = FakeSqs()
    begin(store)
    complete(store, "id2")
    for body in ("id1", "id2", "gone", "no id!"):
        sqs.bury(body)
    endpoints = Endpoints([Endpoint(api_name="api", kind="AsyncAPI", path="/some/where")])
    app = make_app(gateway, {"api": sqs.queue}, endpoints=endpoints, dead_letters=DeadLetterQueues(sqs, translate))
    sent = {"sent": "2021-05-03T12:00:00Z"}
    async with serving(app) as http:
        for number, path in enumerate(("/some/where", "/api")):
            assert await ask(http, f"{path}/_dead-letters?limit=20") == (
                200,
                {
                    "queue": "the-dead",
                    "messages": 4,
                    "dead_letters": [
                        {"message_id": "m1", "receives": 6 + number, "id": "id1", "status": "in_queue", **sent},
                        {"message_id": "m2", "receives": 6 + number, "id": "id2", "status": "completed", **sent},
                        {"message_id": "m3", "receives": 6 + number, "id": "gone", **sent},
                        {"message_id": "m4", "receives": 6 + number, **sent},
                    ],
                },
            )
        _, fields = await ask(http, "/api/_dead-letters?limit=1")
        assert (fields["messages"], len(fields["dead_letters"])) == (4, 1)
        assert await change(http, "/some/where/_dead-letters?action=redrive") == (200, {"moved": 4, "left": 0})
        assert await change(http, "/api/_dead-letters?action=redrive") == (200, {"moved": 0, "left": 0})
    assert sqs.bodies(sqs.queue) == ["id1", "id2", "gone", "no id!"]


@pytest.mark.parametrize("query", ["", "?action=purge", "?action=redrive&action=redrive"])
async def test_nothing_is_moved_by_another_action(gateway: Gateway, query: str) -> None:
    sqs = FakeSqs()
    sqs.bury("id1")
    app = make_app(gateway, {"api": sqs.queue}, dead_letters=DeadLetterQueues(sqs, translate))
    async with serving(app) as http:
        status, fields = await change(http, f"/api/_dead-letters{query}")
        assert (status, fields["code"]) == (400, "invalid_action")
        status, fields = await change(http, "/other/_dead-letters?action=redrive")
        assert (status, fields["code"]) == (404, "unknown_api")
        status, fields = await ask(http, "/api/_dead-letters?limit=101")
        assert (status, fields["code"]) == (400, "invalid_limit")
    assert sqs.calls == []


async def test_an_api_without_a_dead_letter_queue(gateway: Gateway) -> None:
    sqs = FakeSqs(policy="")
    app = make_app(gateway, {"api": sqs.queue}, dead_letters=DeadLetterQueues(sqs, translate))
    async with serving(app) as http:
        for status, fields in (
            await ask(http, "/api/_dead-letters"),
            await change(http, "/api/_dead-letters?action=redrive"),
        ):
            assert (status, fields["code"]) == (409, "no_dead_letter_queue")


async def test_no_page_changes_an_api_unless_its_origin_is_configured(store: Store, pausing: Gateway) -> None:
    page, sqs = {"Origin": "https://app.example.com"}, FakeSqs()
    sqs.bury("id1")
    queues, letters = {"api": sqs.queue}, DeadLetterQueues(sqs, translate)
    paths = ("/api?action=pause", "/api/_dead-letters?action=redrive")
    for origins in (None, (), ["https://other.example.com"]):
        async with serving(make_app(pausing, queues, dead_letters=letters, cors_origins=origins)) as http:
            for path in paths:
                status, fields = await change(http, path, headers=page)
                assert (status, fields["code"]) == (403, "origin_not_allowed")
            assert (store.objects, sqs.calls) == ({}, [])
    app = make_app(pausing, queues, dead_letters=letters, cors_origins=[page["Origin"]])
    async with serving(app) as http:
        assert [(await change(http, path, headers=page))[0] for path in paths] == [200, 200]
