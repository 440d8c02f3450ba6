from __future__ import annotations

import json
import re
from io import BytesIO

import pytest
from structlog.testing import capture_logs

from tests.gateway.fakes import PREFIX, URL, FakeQueue, Store
from tests.gateway.served import COMPLETED, Serve, as_it_stands

UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z")
IN_CLUSTER = {"X-Request-ID": "id1", "X-Cortex-API-Name": "api", "X-Cortex-Queue-URL": URL}


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
