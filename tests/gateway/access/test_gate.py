from __future__ import annotations

import json

import pytest

from dequeuer.gateway.access.caller import Rate
from dequeuer.gateway.access.gate import Access
from dequeuer.gateway.access.places import APIS_PATH, OPEN, OPENAPI_PATHS, OPERATOR_PATTERNS
from tests.gateway.access.stage import Stage, access_stage, bearer, entry, make_stage_app, make_tokens
from tests.gateway.fakes import URL, FakeQueue, Store
from tests.gateway.realtime import answer_ok, realtime

IN_CLUSTER = {"X-Request-ID": "id1", "X-Cortex-Queue-URL": URL}
TEXT, OPERATOR, PROBLEM = "text/plain", "application/json", "application/problem+json"

EVERY_ROUTE = [
    ("POST", "/text", TEXT),
    ("POST", "/text/", TEXT),
    ("GET", "/text/id1", TEXT),
    ("HEAD", "/text/id1", TEXT),
    ("POST", "/v1", TEXT),
    ("GET", "/v1/id1", TEXT),
    ("POST", "/", TEXT),
    ("GET", "/text", PROBLEM),
    ("HEAD", "/text", PROBLEM),
    ("GET", "/v1", PROBLEM),
    ("PUT", "/text?action=pause", PROBLEM),
    ("PUT", "/v1?action=pause", PROBLEM),
    ("GET", "/text/_dead-letters", PROBLEM),
    ("PUT", "/text/_dead-letters?action=redrive", PROBLEM),
    ("GET", "/text/_queue", PROBLEM),
    ("GET", "/v1/_queue", PROBLEM),
    ("GET", "/text/id1/payload", PROBLEM),
    ("GET", "/v1/id1/payload", PROBLEM),
    ("GET", "/_apis", PROBLEM),
    ("GET", "/v1/_dead-letters", PROBLEM),
    ("PUT", "/v1/_dead-letters?action=redrive", PROBLEM),
    ("DELETE", "/text/id1", PROBLEM),
    ("GET", "/text/id1/events", PROBLEM),
    ("DELETE", "/v1/id1", PROBLEM),
    ("GET", "/v1/id1/events", PROBLEM),
    ("DELETE", "/id1", PROBLEM),
    ("POST", "/batch/sum", OPERATOR),
    ("GET", "/batch/sum?jobID=a", OPERATOR),
    ("DELETE", "/batch/sum?jobID=a", OPERATOR),
    ("POST", "/tasks/train", OPERATOR),
    ("POST", "/v1/mean", OPERATOR),
    ("GET", "/batch/sum", PROBLEM),
    ("PUT", "/batch/sum?jobID=a&action=pause", PROBLEM),
    ("GET", "/batch/sum/events?jobID=a", PROBLEM),
    ("GET", "/batch/sum/results?jobID=a", PROBLEM),
    ("GET", "/v1/mean/results?jobID=a", PROBLEM),
    ("GET", "/get", OPERATOR),
    ("GET", "/get/sum", OPERATOR),
    ("HEAD", "/get/text", OPERATOR),
    ("POST", "/deploy", OPERATOR),
    ("POST", "/refresh/sum", OPERATOR),
    ("DELETE", "/delete/sum", OPERATOR),
]


def untouched(stage: Stage) -> bool:
    return (stage.store.reads, stage.store.journal, stage.queue.sent) == ([], [], [])


@pytest.mark.parametrize(("method", "path", "form"), EVERY_ROUTE)
async def test_without_a_token_nothing_is_reached_and_no_body_is_read(method: str, path: str, form: str) -> None:
    async with access_stage(make_tokens(entry("web"))) as stage:
        # `100 Continue` would ask for the body: the client would wait for it, and the test with it.
        headers = {"Content-Length": "5", "Expect": "100-continue"} if method == "POST" else {}
        status, answer, text = await stage.ask(method, path, headers, b"12345" if method == "POST" else None)
        assert (status, answer["WWW-Authenticate"]) == (401, "Bearer")
        assert answer["Content-Type"].partition(";")[0] == form
        assert untouched(stage)
        for wrong in ("Bearer nobody", "Basic d2ViOnA=", "web", "Bearer " + "a" * 30_000):
            assert (await stage.ask(method, path, {"Authorization": wrong}))[0] == 401
    if form == PROBLEM and method != "HEAD":
        assert json.loads(text) | {"detail": ""} == {
            "type": "about:blank",
            "title": "Unauthorized",
            "status": 401,
            "detail": "",
            "code": "unauthorized",
        }
    elif method != "HEAD":
        assert text.startswith("error: ") if form == TEXT else json.loads(text)["kind"] == "unauthorized"


async def test_every_route_belongs_to_an_api_or_is_open() -> None:
    store = Store()
    app = make_stage_app(store, FakeQueue(store), None)
    starts = ("/{api_name}", "/{request_id}", "/batch/{api_name}", "/tasks/{api_name}", "/v1", "/sum", "/train")
    for resource in app.router.resources():
        pattern = resource.canonical
        known = pattern == "/" or any(pattern == one or pattern.startswith(f"{one}/") for one in starts)
        assert known or pattern in {*OPEN, *OPENAPI_PATHS, APIS_PATH, *OPERATOR_PATTERNS}, (
            f"{pattern}: gateway/access/places.py must say which API it belongs to"
        )


async def test_a_list_belongs_to_the_api_that_its_path_names() -> None:
    async with access_stage(make_tokens(entry("web", ["text"], ["read"]))) as stage:
        for path in ("/text", "/v1"):  # an endpoint of `text`, and its name
            assert (await stage.ask("GET", path, bearer("web")))[0] == 200
        reads = list(stage.store.reads)
        for path in ("/other", "/v1/deep", "/id1"):
            status, answer, _ = await stage.ask("GET", path, bearer("web"))
            assert (status, answer["Content-Type"]) == (403, PROBLEM)
        # With the header it is the request `other` of the API in the header, and of no other.
        status, answer, _ = await stage.ask("GET", "/other", bearer("web") | {"X-Cortex-API-Name": "text"})
        assert (status, answer["Content-Type"]) == (404, TEXT)
        status, answer, _ = await stage.ask("GET", "/text", bearer("web") | {"X-Cortex-API-Name": "other"})
        assert (status, answer["Content-Type"]) == (403, TEXT)
        assert (stage.store.reads[len(reads) :], stage.store.journal) == ([("list", "uid/workloads/text/other/")], [])


async def test_probes_need_no_token() -> None:
    async with access_stage(make_tokens(entry("web"))) as stage:
        for path in ("/healthz", "/verifycortex"):
            assert (await stage.ask("GET", path))[0] == 200


async def test_a_token_opens_what_its_entry_says() -> None:
    tokens = make_tokens(
        entry("web", ["text"], ["submit"]), entry("view", ["text"], ["read"]), entry("ops", ["sum"], ["control"])
    )
    async with access_stage(tokens) as stage:
        assert (await stage.ask("POST", "/text", bearer("web"), b"{}"))[0] == 200
        request_id = stage.queue.sent[0][1]
        assert (await stage.ask("GET", f"/text/{request_id}", bearer("web")))[0] == 403
        assert (await stage.ask("GET", f"/text/{request_id}", bearer("view")))[0] == 200
        assert (await stage.ask("POST", "/text", bearer("view"), b"{}"))[0] == 403
        for token in ("web", "view"):
            assert (await stage.ask("PUT", "/text?action=pause", bearer(token)))[0] == 403
            assert (await stage.ask("PUT", "/text/_dead-letters?action=redrive", bearer(token)))[0] == 403
            assert (await stage.ask("DELETE", f"/text/{request_id}", bearer(token)))[0] == 403
        assert (await stage.ask("GET", "/text/_dead-letters", bearer("view")))[
            0
        ] == 409  # let in: there is no such queue
        status, _, text = await stage.ask("POST", "/batch/sum", bearer("ops"), b"{}")
        assert (status, json.loads(text)["kind"]) == (403, "forbidden")
        assert (await stage.ask("DELETE", "/batch/sum?jobID=a", bearer("ops")))[0] == 400  # let in: no such job
        assert len(stage.queue.sent) == 1


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/other"),
        ("POST", "/other/"),
        ("POST", "/o%74her"),
        ("GET", "/other/id1"),
        ("DELETE", "/other/id1"),
        ("GET", "/other/id1/events"),
        ("GET", "/other/..%2Ftext"),
        ("GET", "/other/%2e%2e"),
        # The endpoint of API text is the name of an API, and API deep is below it.
        ("POST", "/v1/deep"),
        ("POST", "/deep"),
        ("GET", "/v1/deep/id1"),
        ("POST", "/batch/text"),
        ("GET", "/batch/sum?jobID=a"),
        ("GET", "/batch/s%75m/results?jobID=a"),
        ("POST", "/v1/mean"),
        ("POST", "/v1/%6dean"),
        ("PUT", "/sum?jobID=a&action=pause"),
    ],
)
async def test_no_path_leads_to_an_api_that_the_token_does_not_allow(method: str, path: str) -> None:
    async with access_stage(make_tokens(entry("web", ["text"]))) as stage:
        status, _, text = await stage.ask(method, path, bearer("web"))
        if path == "/batch/text":  # of this name, and no batch API
            assert (status, "not deployed" in text or "text" in text) == (400, True)
        else:
            assert status == 403
        assert untouched(stage)


@pytest.mark.parametrize(
    "path", ["/text/../other", "/text/..%2Fother", "//other", "/./other", "/text%2F..%2Fother", "/other//", "/;/other"]
)
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_paths_that_other_servers_would_shorten_lead_nowhere(method: str, path: str) -> None:
    async with access_stage(make_tokens(entry("web", ["text"]))) as stage:
        assert (await stage.ask(method, path, bearer("web")))[0] in {400, 403, 404, 405}
        assert stage.queue.sent == []
        assert not [key for _, key in stage.store.reads if "/other/" in key]


async def test_the_in_cluster_form_needs_a_token_for_the_api_in_its_header() -> None:
    async with access_stage(make_tokens(entry("web", ["text"]))) as stage:
        for name, status in (("text", 200), ("other", 403), ("", 403), ("TEXT", 403), ("text,other", 403)):
            headers = bearer("web") | IN_CLUSTER | {"X-Cortex-API-Name": name}
            assert (await stage.ask("POST", "/", headers, b"x"))[0] == status
            assert (await stage.ask("GET", "/id1", headers))[0] == status
        assert len(stage.queue.sent) == 1


@pytest.mark.parametrize(
    "name",
    [
        "X-Forwarded-User",
        "X-Forwarded-Email",
        "X-Remote-User",
        "Remote-User",
        "X-Auth-Request-User",
        "X-Caller",
        "Forwarded",
    ],
)
async def test_nobody_becomes_a_caller_by_saying_so(name: str) -> None:
    async with access_stage(make_tokens(entry("web"))) as stage:
        assert (await stage.ask("POST", "/text", {name: "web"}, b"x"))[0] == 401
        assert (await stage.ask("POST", "/text", {name: "Bearer web", "X-Authorization": "Bearer web"}, b"x"))[0] == 401
        assert (await stage.ask("POST", "/text?access_token=web&token=web", {}, b"x"))[0] == 401


async def test_without_tokens_anyone_may_call() -> None:
    async with access_stage(None) as stage:
        assert (await stage.ask("POST", "/text", bearer("nobody"), b"x"))[0] == 200
        assert (await stage.ask("POST", "/", IN_CLUSTER | {"X-Cortex-API-Name": "text"}, b"x"))[0] == 200


async def test_a_realtime_api_needs_a_token_that_may_submit() -> None:
    access = Access(tokens=make_tokens(entry("web", ["hello"], ["submit"]), entry("view", ["hello"], ["read"])))
    async with realtime(answer_ok, access=access, keeps_token=False) as stage:
        for target in ("/v1/hello", "/v1/hello/a/../../other", "/v1/hell%6f/x", "/v1/hello/"):
            for method in ("GET", "POST", "OPTIONS", "PATCH"):
                ask = f"{method} {target} HTTP/1.1\r\nHost: gate\r\nConnection: close\r\nContent-Length: 0\r\n"
                for field, status in (("", 401), ("Authorization: Bearer view\r\n", 403)):
                    answer = await stage.ask(f"{ask}{field}\r\n".encode())
                    assert answer.startswith(f"HTTP/1.1 {status} ".encode()), (method, target)
                seen = stage.connections
                answer = await stage.ask(f"{ask}Authorization: Bearer web\r\n\r\n".encode())
                assert (answer[:13], stage.connections) == (b"HTTP/1.1 200 ", seen + 1)
        upgrade = b"GET /v1/hello HTTP/1.1\r\nHost: g\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
        seen = stage.connections
        async with stage.client() as client:
            client.send(upgrade)
            assert (await client.until(b"\r\n\r\n")).startswith(b"HTTP/1.1 401 ")
        assert stage.connections == seen
    assert b"Bearer" not in b"".join(stage.seen)


async def test_too_many_requests_of_a_caller_are_refused_with_a_time() -> None:
    tokens = make_tokens(entry("web", rate=0.01, burst=2), entry("other"))
    async with access_stage(tokens) as stage:
        statuses = [(await stage.ask("POST", "/text", bearer("web"), b"x"))[0] for _ in range(3)]
        assert statuses == [200, 200, 429]
        status, headers, text = await stage.ask("GET", "/batch/sum", bearer("web"))
        assert (status, json.loads(text)["code"]) == (429, "too_many_requests")
        assert 1 <= int(headers["Retry-After"]) <= 100
        assert (await stage.ask("POST", "/text", bearer("other"), b"x"))[0] == 200
        assert len(stage.queue.sent) == 3


async def test_what_a_token_does_not_allow_counts_and_so_do_guesses() -> None:
    tokens = make_tokens(entry("web", ["text"], rate=0.01, burst=1))
    async with access_stage(tokens, rate=Rate(per_second=0.01, burst=1)) as stage:
        assert [(await stage.ask("POST", "/other", bearer("web")))[0] for _ in range(2)] == [403, 429]
        assert [(await stage.ask("POST", "/text", bearer("guess")))[0] for _ in range(2)] == [401, 429]
        assert (await stage.ask("GET", "/healthz"))[0] == 200


async def test_without_tokens_the_address_counts_whatever_is_claimed() -> None:
    async with access_stage(None, rate=Rate(per_second=0.01, burst=1)) as stage:
        assert (await stage.ask("POST", "/text", {}, b"x"))[0] == 200
        claims = {"X-Forwarded-For": "10.9.9.9", "Forwarded": "for=10.9.9.9", "X-Real-IP": "10.9.9.9"}
        assert (await stage.ask("POST", "/text", claims | bearer("any"), b"x"))[0] == 429
