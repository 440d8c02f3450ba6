"""Which queue a submission goes to, and the dead letters of each."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import pytest
import structlog
from aiohttp import ClientSession

from dequeuer.core.errors import SourceUnavailableError
from dequeuer.gateway.application import make_app
from dequeuer.gateway.body import MAX_BUFFERED_BYTES
from dequeuer.gateway.dead_letters import DeadLetterQueues
from dequeuer.gateway.endpoints import Endpoint, Endpoints
from dequeuer.gateway.priorities import Priorities
from tests.gateway.dead_letters import QUEUE, FakeSqs, translate
from tests.gateway.fakes import PREFIX, FakeQueue, Store, make_gateway, serving

OWN, HIGH, LOW, OTHER = QUEUE, f"{QUEUE}-high", f"{QUEUE}-low", "http://127.0.0.1:1/1234/other"
QUEUES = {"api": OWN, "other": OTHER}
PRIORITIES = Priorities({"api": {"high": HIGH, "low": LOW}})
ENDPOINTS = Endpoints([Endpoint(api_name="api", kind="AsyncAPI", path="/v1/text")])
HEADER = "X-Dequeuer-Priority"
BIG = b"x" * (MAX_BUFFERED_BYTES + 1)


@asynccontextmanager
async def gateway(store: Store, queue: FakeQueue, sqs: FakeSqs | None = None) -> AsyncIterator[ClientSession]:
    letters = DeadLetterQueues(sqs or FakeSqs(), translate)
    made = make_gateway(store, queue)
    async with serving(
        make_app(made, QUEUES, endpoints=ENDPOINTS, dead_letters=letters, priorities=PRIORITIES)
    ) as http:
        yield http


async def submit(
    http: ClientSession, path: str, headers: Mapping[str, str], payload: bytes = b"payload"
) -> tuple[int, dict[str, object]]:
    async with http.post(path, data=payload, headers=headers) as answer:
        return answer.status, await answer.json(content_type=None)


@pytest.mark.parametrize("path", ["/api", "/v1/text", "/"])
async def test_a_submission_goes_to_the_queue_of_its_priority(store: Store, queue: FakeQueue, path: str) -> None:
    cluster = {"X-Cortex-API-Name": "api", "X-Cortex-Queue-URL": OWN} if path == "/" else {}
    async with gateway(store, queue) as http:
        for number, given in enumerate(({HEADER: "high"}, {}, {HEADER.lower(): " low "}, {"Priority": "u=1, i"})):
            status, fields = await submit(http, path, {**cluster, "X-Request-ID": f"id{number}", **given})
            assert (status, list(fields)) == (200, ["id"])
    assert [url for url, _ in queue.sent] == [HIGH, OWN, LOW, OWN]
    stored = [json.loads(body) for key, (body, _) in store.objects.items() if key.endswith("headers.json")]
    # The container gets the header of browsers, and not ours.
    assert [[name for name in one if "priority" in name.lower()] for one in stored] == [[], [], [], ["Priority"]]


@pytest.mark.parametrize(
    ("path", "given", "told"),
    [
        ("/api", ["urgent"], 'is "urgent"; allowed for API api: high, low; or leave it out'),
        ("/v1/text", ["urgent"], 'is "urgent"; allowed for API api: high, low; or leave it out'),
        ("/api", ["High"], 'is "High"; allowed for API api: high, low'),
        ("/api", [""], 'is ""; allowed for API api: high, low'),
        ("/api", ["high", "high"], "is there 2 times: send it once"),
        ("/api", ["x" * 5000], "allowed for API api: high, low"),
        ("/other", ["high"], 'is "high"; allowed for API other: none; or leave it out'),
    ],
)
async def test_a_priority_that_an_api_does_not_have_is_refused_with_those_it_has(
    store: Store, queue: FakeQueue, path: str, given: list[str], told: str
) -> None:
    async with gateway(store, queue) as http:
        headers = [(HEADER, value) for value in given]
        async with http.post(path, data=b"payload", headers=headers) as answer:
            problem = json.loads(await answer.text())
            assert (answer.status, answer.content_type) == (400, "application/problem+json")
    assert (problem["code"], problem["status"]) == ("invalid_priority", 400)
    assert told in problem["detail"]
    assert len(problem["detail"]) < 300
    assert (store.objects, queue.sent) == ({}, [])


async def test_an_api_that_is_not_served_is_not_there_whatever_the_priority(store: Store, queue: FakeQueue) -> None:
    async with gateway(store, queue) as http, http.post("/gone", headers={HEADER: "high"}) as answer:
        assert answer.status == 404


@pytest.mark.parametrize("payload", [b"payload", BIG], ids=["small", "big"])
async def test_a_key_has_one_queue(store: Store, queue: FakeQueue, payload: bytes) -> None:
    key = {"Idempotency-Key": "key"}
    async with gateway(store, queue) as http:
        assert (await submit(http, "/api", {**key, HEADER: "urgent"}, payload))[0] == 400  # and the key is unused
        queue.error = SourceUnavailableError("the answer was lost")
        async with http.post("/api", data=payload, headers={**key, HEADER: "high"}) as answer:
            assert answer.status == 503
        queue.error = None
        for other in ({}, {HEADER: "low"}):
            status, problem = await submit(http, "/api", {**key, **other}, payload)
            assert (status, problem["code"]) == (422, "idempotency_key_reused")
            assert "another payload, Content-Type or priority" in str(problem["detail"])
        assert queue.sent == []
        taken = [await submit(http, "/api", {**key, HEADER: "high"}, payload) for _ in range(2)]
        assert [status for status, _ in taken] == [200, 200]
        assert taken[0] == taken[1]
        assert (await submit(http, "/api", key, payload))[0] == 422
    assert [url for url, _ in queue.sent] == [HIGH]


async def test_status_and_cancellation_know_no_priority(store: Store, queue: FakeQueue) -> None:
    async with gateway(store, queue) as http:
        _, fields = await submit(http, "/api", {HEADER: "low"})
        for method in ("GET", "DELETE"):
            async with http.request(method, f"/api/{fields['id']}") as answer:
                assert (answer.status, (await answer.json())["status"]) == (200, "in_queue")
    assert f"{PREFIX}{fields['id']}/status/in_queue" in store.objects


async def test_the_log_names_the_priority_that_was_asked_for(store: Store, queue: FakeQueue) -> None:
    with structlog.testing.capture_logs() as logged:
        async with gateway(store, queue) as http:
            await submit(http, "/api", {HEADER: "low"})
            await submit(http, "/api", {})
    assert [line.get("priority") for line in logged if line["event"] == "request_submitted"] == ["low", None]


@pytest.mark.parametrize("path", ["/api", "/v1/text"])
async def test_the_dead_letters_of_each_queue_are_shown_and_sent_back_to_it(
    store: Store, queue: FakeQueue, path: str
) -> None:
    sqs = FakeSqs(url=HIGH)
    sqs.bury("id1")
    sqs.messages[OWN] = []
    async with gateway(store, queue, sqs) as http:
        async with http.get(f"{path}/_dead-letters?priority=high&limit=5") as answer:
            found = await answer.json()
        assert [one["id"] for one in found["dead_letters"]] == ["id1"]
        async with http.put(f"{path}/_dead-letters?action=redrive&priority=high") as answer:
            assert await answer.json() == {"moved": 1, "left": 0}
        assert sqs.bodies(HIGH) == ["id1"]
        async with http.get(f"{path}/_dead-letters") as answer:  # of the own queue, which has none here
            assert (answer.status, (await answer.json(content_type=None))["code"]) == (409, "no_dead_letter_queue")
        for method, more in (("GET", ""), ("PUT", "&action=redrive")):
            for given, told in (("urgent", "allowed for API api: high, low"), ("", "allowed for API api: high, low")):
                async with http.request(method, f"{path}/_dead-letters?priority={given}{more}") as answer:
                    problem = await answer.json(content_type=None)
                assert (answer.status, problem["code"]) == (400, "invalid_priority")
                assert told in problem["detail"]
            async with http.request(method, f"{path}/_dead-letters?priority=high&priority=low{more}") as answer:
                assert (answer.status, (await answer.json(content_type=None))["code"]) == (400, "invalid_priority")
