"""What those who watch a gateway ask for, over HTTP: APIs, counts of queues, payloads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from dequeuer.core.errors import SourceDeniedError, SourceGoneError, SourceUnavailableError
from dequeuer.gateway.access.gate import Access
from dequeuer.gateway.application import make_app
from dequeuer.gateway.endpoints import Endpoint, Endpoints
from dequeuer.gateway.priorities import Priorities
from dequeuer.gateway.queue_counts import QueueCounter
from dequeuer.gateway.service import Gateway
from tests.gateway.access.stage import bearer, entry, make_tokens
from tests.gateway.dead_letters import FakeSqs, translate
from tests.gateway.fakes import URL, Store, serving
from tests.gateway.one_request import KEYS, begin
from tests.gateway.openapi.stage import ENDPOINTS, application
from tests.gateway.test_api_routes import ask

pytestmark = pytest.mark.usefixtures("no_pauses")

ALL = [
    {"name": "text", "kind": "AsyncAPI", "endpoint": "/v1/text"},
    {"name": "hello", "kind": "RealtimeAPI", "endpoint": "/v1/hello"},
    {"name": "split", "kind": "TrafficSplitter", "endpoint": "/split"},
    {"name": "sum", "kind": "BatchAPI", "endpoint": "/sum"},
]


async def test_every_api_that_is_served_is_listed_once() -> None:
    async with serving(application(queues={"text": URL, "plain": URL})) as http:
        status, fields = await ask(http, "/_apis")
    listed = fields["apis"]
    assert status == 200
    assert [one for one in listed if one["kind"] not in {"BatchAPI", "TaskAPI"}] == [
        *ALL[:3],
        {"name": "plain", "kind": "AsyncAPI", "endpoint": "/plain"},
    ]
    jobs = [one for one in ENDPOINTS if one.job_api is not None]
    assert jobs
    assert [one for one in listed if one["kind"] in {"BatchAPI", "TaskAPI"}] == [
        {"name": one.api_name, "kind": one.kind, "endpoint": one.path} for one in jobs
    ]


async def test_an_api_that_is_not_served_is_not_listed(gateway: Gateway) -> None:
    endpoints = Endpoints([*ENDPOINTS, Endpoint(api_name="away", kind="RealtimeAPI", path="/away")])
    async with serving(make_app(gateway, {}, endpoints=endpoints)) as http:
        _, fields = await ask(http, "/_apis")
    assert [one["name"] for one in fields["apis"]] == ["hello", "split"]


async def test_a_caller_is_told_of_the_apis_that_its_token_names() -> None:
    access = Access(tokens=make_tokens(entry("one", ["text"], ["read"]), entry("none", ["other"])))
    async with serving(application(access=access)) as http:
        assert (await ask(http, "/_apis", headers=bearer("one")))[1]["apis"] == ALL[:1]
        assert await ask(http, "/_apis", headers=bearer("none")) == (200, {"apis": []})
        assert (await ask(http, "/_apis"))[0] == 401


async def test_an_api_whose_endpoint_is_that_of_the_list_wins(store: Store, gateway: Gateway) -> None:
    endpoints = Endpoints([Endpoint(api_name="api", kind="AsyncAPI", path="/_apis")])
    async with serving(make_app(gateway, {"api": URL}, endpoints=endpoints)) as http:
        assert await ask(http, "/_apis") == (200, {"requests": []})


async def test_the_counts_of_a_queue_come_from_it_and_its_dead_letter_queue(gateway: Gateway) -> None:
    sqs = FakeSqs()
    for body in ("id1", "id2"):
        sqs.bury(body)
    endpoints = Endpoints([Endpoint(api_name="api", kind="AsyncAPI", path="/some/where")])
    app = make_app(gateway, {"api": sqs.queue}, endpoints=endpoints, queue_counter=QueueCounter(sqs, translate))
    counts = {"queue": "the-queue", "messages": 0, "in_flight": 0, "delayed": 0, "dead_letters": 2}
    async with serving(app) as http:
        assert await ask(http, "/some/where/_queue") == (200, counts)
        assert await ask(http, "/api/_queue") == (200, counts)
        assert (await ask(http, "/other/_queue"))[1]["code"] == "unknown_api"
    assert set(sqs.calls) == {"get_queue_attributes"}, "nothing is received"


async def test_without_a_dead_letter_queue_the_number_of_its_messages_is_not_known(gateway: Gateway) -> None:
    for sqs in (FakeSqs(policy=""), FakeSqs(policy="{"), FakeSqs(policy='{"deadLetterTargetArn": 1}')):
        app = make_app(gateway, {"api": sqs.queue}, queue_counter=QueueCounter(sqs, translate))
        async with serving(app) as http:
            assert (await ask(http, "/api/_queue"))[1]["dead_letters"] is None


class RefusingDeadLetters(FakeSqs):
    """SQS that refuses everything about the dead-letter queue."""

    async def get_queue_attributes(self, **request: Any) -> Mapping[str, Any]:
        if request["QueueUrl"] == self.dead:
            raise SourceDeniedError("no")
        return await super().get_queue_attributes(**request)


async def test_a_dead_letter_queue_that_may_not_be_counted_hides_no_other_number(gateway: Gateway) -> None:
    sqs = RefusingDeadLetters()
    async with serving(make_app(gateway, {"api": sqs.queue}, queue_counter=QueueCounter(sqs, translate))) as http:
        assert await ask(http, "/api/_queue") == (
            200,
            {"queue": "the-queue", "messages": 0, "in_flight": 0, "delayed": 0, "dead_letters": None},
        )


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (SourceGoneError("x"), 409, "no_queue"),
        (SourceDeniedError("x"), 503, "queue_refused"),
        (SourceUnavailableError("x"), 503, "queue_unavailable"),
    ],
)
async def test_a_queue_that_cannot_be_counted_is_a_problem(
    gateway: Gateway, error: Exception, status: int, code: str
) -> None:
    sqs = FakeSqs()
    sqs.failing["get_queue_attributes"] = error
    async with serving(make_app(gateway, {"api": sqs.queue}, queue_counter=QueueCounter(sqs, translate))) as http:
        found, fields = await ask(http, "/api/_queue")
    assert (found, fields["code"]) == (status, code)


async def test_each_queue_of_an_api_is_counted_by_its_priority(gateway: Gateway) -> None:
    sqs = FakeSqs()
    app = make_app(
        gateway,
        {"api": sqs.queue},
        queue_counter=QueueCounter(sqs, translate),
        priorities=Priorities({"api": {"high": sqs.dead}}),
    )
    async with serving(app) as http:
        assert (await ask(http, "/api/_queue?priority=high"))[1]["queue"] == "the-dead"
        assert (await ask(http, "/api/_queue?priority=low"))[1]["code"] == "invalid_priority"


async def test_a_payload_is_a_file_until_it_is_deleted(store: Store, gateway: Gateway) -> None:
    begin(store)
    store.memory.seed([(KEYS.payload, b"<script>alert(1)</script>")])
    endpoints = Endpoints([Endpoint(api_name="api", kind="AsyncAPI", path="/some/where")])
    async with serving(make_app(gateway, {"api": URL}, endpoints=endpoints)) as http:
        for path in ("/api/id1/payload", "/some/where/id1/payload"):
            async with http.get(path, headers={"Origin": "https://page.example"}) as answer:
                assert (answer.status, await answer.read()) == (200, b"<script>alert(1)</script>")
                assert answer.headers["Content-Type"] == "application/octet-stream"
                assert answer.headers["Content-Disposition"] == "attachment"
                assert answer.headers["X-Content-Type-Options"] == "nosniff"
                assert "Access-Control-Allow-Origin" not in answer.headers
        store.memory.objects.pop(KEYS.payload)
        status, fields = await ask(http, "/api/id1/payload")
        assert (status, fields["code"]) == (404, "no_payload")


async def test_the_payload_of_a_request_that_is_not_known(store: Store, gateway: Gateway) -> None:
    async with serving(make_app(gateway, {"api": URL})) as http:
        status, fields = await ask(http, "/api/id1/payload")
        assert (status, fields["code"]) == (404, "unknown_request")
        status, fields = await ask(http, "/api/..%2Fid1/payload")
        assert (status, fields["code"]) == (400, "invalid_request")
        status, fields = await ask(http, "/other/id1/payload")
        assert (status, fields["code"]) == (404, "unknown_api")
