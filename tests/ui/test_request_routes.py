"""What the page asks of async APIs, with the gateway itself behind it."""

from __future__ import annotations

import asyncio

import pytest

from dequeuer.gateway.access.gate import Access
from dequeuer.gateway.application import make_app
from dequeuer.gateway.dead_letters import DeadLetterQueues
from dequeuer.gateway.endpoints import Endpoint, Endpoints
from dequeuer.ui import application, link, request_routes
from tests.gateway.access.stage import entry, make_tokens
from tests.gateway.dead_letters import FakeSqs, translate
from tests.gateway.fakes import FakeQueue, Store, make_gateway
from tests.gateway.one_request import KEYS, begin, complete
from tests.gateway.openapi.stage import application as gateway_application
from tests.tcp_server import tcp_server
from tests.ui.stage import page_before, page_of

HOSTILE_IDS = [
    "..",
    "..%2F..%2Fother",
    "a%2Fb",
    "%00",
    "a%0d%0aX:%20y",
    "%3Cscript%3E",
    "a%3Fb",
    "x" * 200,
    "_queue",
    "%23",
]


class Stage:
    """A gateway with an async API whose endpoint is not its name."""

    def __init__(self) -> None:
        self.store = Store()
        self.queue = FakeQueue(self.store)
        self.sqs = FakeSqs()
        self.app = make_app(
            make_gateway(self.store, self.queue, pause_check_interval_s=1.0),
            {"api": self.sqs.queue},
            endpoints=Endpoints([Endpoint(api_name="api", kind="AsyncAPI", path="/some/where")]),
            dead_letters=DeadLetterQueues(self.sqs, translate),
        )


@pytest.fixture
def stage() -> Stage:
    return Stage()


async def test_requests_are_listed_and_shown(stage: Stage) -> None:
    begin(stage.store)
    complete(stage.store)
    async with page_before(stage.app) as browser:
        listed = await browser.get("/api/apis/api/requests?limit=5&status=completed")
        assert [one["id"] for one in listed.json["requests"]] == ["id1"]
        shown = await browser.get("/api/apis/api/requests/id1")
        assert (shown.status, shown.headers["Content-Type"]) == (200, "application/json")
        assert b'"result":[1.10]' in shown.body, "numbers keep their text"
        assert (await browser.get("/api/apis/api/requests/id2")).status == 404


async def test_a_request_is_submitted_with_its_type_and_cancelled(stage: Stage) -> None:
    async with page_before(stage.app) as browser:
        answer = await browser.change("POST", "/api/apis/api/requests", b"<a/>", Content_Type="text/xml")
        assert answer.status == 200
        request_id = answer.json["id"]
        [payload] = [stored for key, stored in stage.store.objects.items() if key.endswith("/payload")]
        [(headers, _)] = [stored for key, stored in stage.store.objects.items() if key.endswith("/headers.json")]
        assert payload == (b"<a/>", "text/xml")
        assert b"dequeuer-ui" not in headers.lower()
        cancelled = await browser.change("DELETE", f"/api/apis/api/requests/{request_id}")
        assert "cancel_requested" in cancelled.json


async def test_an_api_is_paused_and_dead_letters_are_sent_back(stage: Stage) -> None:
    stage.sqs.bury("id1")
    async with page_before(stage.app) as browser:
        assert "paused" in (await browser.change("PUT", "/api/apis/api?action=pause")).json
        assert "paused" in (await browser.get("/api/apis/api/requests")).json
        assert (await browser.change("PUT", "/api/apis/api?action=resume")).status == 200
        assert (await browser.change("PUT", "/api/apis/api?action=purge")).status == 400
        assert (await browser.get("/api/apis/api/dead-letters?limit=5")).json["messages"] == 1
        assert (await browser.change("PUT", "/api/apis/api/dead-letters?action=redrive")).json["moved"] == 1


@pytest.mark.parametrize(
    ("payload", "media_type"),
    [
        (b"<script>alert(1)</script>", "text/plain; charset=utf-8"),
        (b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>', "text/plain; charset=utf-8"),
        ("é".encode() * 100_000, "text/plain; charset=utf-8"),
        (b"\x89PNG\r\n\x1a\n\xff", "application/octet-stream"),
        (b"a\0b", "application/octet-stream"),
        (b"", "text/plain; charset=utf-8"),
    ],
)
async def test_a_payload_is_a_file_that_no_browser_runs(stage: Stage, payload: bytes, media_type: str) -> None:
    begin(stage.store)
    stage.store.memory.seed([(KEYS.payload, payload)])
    async with page_before(stage.app) as browser:
        answer = await browser.get("/api/apis/api/requests/id1/payload")
        assert (answer.status, answer.body, answer.headers["Content-Type"]) == (200, payload, media_type)
        assert answer.headers["Content-Disposition"] == 'attachment; filename="id1.payload"'
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        stage.store.objects.clear()
        begin(stage.store)
        gone = await browser.get("/api/apis/api/requests/id1/payload")
        assert (gone.status, "deleted" in gone.error) == (404, True)


async def test_whoever_reads_nothing_of_a_payload_is_cut_off(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(application, "MAX_REQUESTS", 1)
    monkeypatch.setattr(request_routes, "WRITE_TIMEOUT_S", 0.2)
    begin(stage.store)
    stage.store.memory.seed([(KEYS.payload, b"x" * (24 << 20))])
    async with page_before(stage.app) as browser, asyncio.timeout(60):
        port = int(browser.url.rpartition(":")[2])
        _, writer = await asyncio.open_connection("127.0.0.1", port, limit=1024)
        path = "/api/apis/api/requests/id1/payload"
        writer.write(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode())
        while (await browser.get("/")).status != 503:
            pass
        while (await browser.get("/")).status != 200:
            pass
        writer.transport.abort()


@pytest.mark.parametrize("request_id", HOSTILE_IDS)
async def test_a_hostile_id_never_becomes_a_path_of_the_gateway(stage: Stage, request_id: str) -> None:
    async with page_before(stage.app) as browser:
        for method, more in (("GET", ""), ("DELETE", ""), ("GET", "/payload")):
            answer = await browser.change(method, f"/api/apis/api/requests/{request_id}{more}")
            assert answer.status in {400, 404, 405}
            assert answer.headers["Content-Type"] == "application/json"
            assert b"error" in answer.body
    assert stage.store.reads == []


@pytest.mark.parametrize("name", ["..", "%2e%2e", "a%2Fb", "%3Cscript%3E", "none", "api%00", "some%2Fwhere", "_apis"])
async def test_an_api_that_the_gateway_does_not_list_is_not_asked(stage: Stage, name: str) -> None:
    async with page_before(stage.app) as browser:
        for path in ("requests", "requests/id1", "dead-letters", "jobs", "jobs/a"):
            assert (await browser.get(f"/api/apis/{name}/{path}")).status in {400, 404}


@pytest.mark.parametrize(
    "query", ["limit=x", "limit=1&limit=2", "status=%3Cb%3E", "after=a%26b", "after=a%0d%0aX:y", "limit=99999"]
)
async def test_a_hostile_query_is_refused_before_the_gateway_gets_it(stage: Stage, query: str) -> None:
    async with page_before(stage.app) as browser:
        answer = await browser.get(f"/api/apis/api/requests?{query}")
    assert answer.status == 400


async def test_what_the_gateway_refuses_is_told_in_its_words(stage: Stage) -> None:
    async with page_before(stage.app) as browser:
        answer = await browser.get("/api/apis/api/requests?limit=1000")
        assert (answer.status, "allowed:" in answer.error) == (400, True)
        answer = await browser.get("/api/apis/api/jobs")
        assert (answer.status, "AsyncAPI" in answer.error) == (409, True)


async def test_a_token_that_the_gateway_does_not_know_is_the_fault_of_the_server_of_the_page() -> None:
    access = Access(tokens=make_tokens(entry("web", ["text"], ["read"])))
    async with page_before(gateway_application(access=access), gateway_token="another") as browser:
        answer = await browser.get("/api/apis")
        assert (answer.status, "token of `dequeuer ui`" in answer.error) == (502, True)
        assert "another" not in answer.body.decode()
    async with page_before(gateway_application(access=access), gateway_token="web") as browser:
        assert [one["name"] for one in (await browser.get("/api/apis")).json["apis"]] == ["text"]
        assert (await browser.change("PUT", "/api/apis/text?action=pause")).status == 403


async def test_a_gateway_that_is_away_is_told_with_502() -> None:
    async with tcp_server(lambda _reader, writer: writer.close()) as port:  # type: ignore[arg-type,return-value]
        pass
    async with page_of(f"http://127.0.0.1:{port}") as browser:
        answer = await browser.get("/api/apis")
        assert (answer.status, "away" in answer.error) == (502, True)


async def test_an_answer_that_is_too_large_is_not_held(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link, "MAX_DOCUMENT_BYTES", 1 << 20)
    begin(stage.store)
    complete(stage.store, result=b'"%b"' % (b"x" * (2 << 20)))
    async with page_before(stage.app) as browser:
        answer = await browser.get("/api/apis/api/requests/id1")
        assert (answer.status, "GET /some/where/id1" in answer.error) == (502, True)


async def test_a_body_that_is_too_large_is_refused(stage: Stage) -> None:
    async with page_before(stage.app) as browser:
        answer = await browser.change("POST", "/api/apis/api/requests", b"x" * ((16 << 20) + 1))
        assert (answer.status, "larger than 16 MiB" in answer.error) == (413, True)
    assert stage.store.journal == []
