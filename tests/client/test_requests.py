"""The client of requests against the gateway itself."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest

from dequeuer.client.client import Client
from dequeuer.client.errors import (
    AnswerTooLargeError,
    GatewayBusyError,
    GatewayLostError,
    InvalidAnswerError,
    RequestRefusedError,
)
from dequeuer.client.outcomes import RequestFailedError, RequestNotEndedError
from dequeuer.client.requests import ApiRequests
from dequeuer.formats.deadline import DEADLINE_ATTRIBUTE
from dequeuer.formats.headers import parse_headers
from dequeuer.gateway.application import make_app
from dequeuer.gateway.dead_letters import DeadLetterQueues
from dequeuer.gateway.priorities import Priorities
from dequeuer.gateway.service import Gateway
from dequeuer.sinks.layout import RequestKeys
from tests.client.stage import answer, canned, chunked
from tests.gateway.dead_letters import FakeSqs, translate
from tests.gateway.fakes import MODIFIED_AT, URL, FakeQueue, Store, make_gateway, serving
from tests.gateway.one_request import KEYS, begin, complete

HIGH = f"{URL}-high"
MOMENT = datetime.fromtimestamp(int(MODIFIED_AT), UTC)


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
def queue(store: Store) -> FakeQueue:
    return FakeQueue(store)


@pytest.fixture
def gateway(store: Store, queue: FakeQueue) -> Gateway:
    return make_gateway(store, queue, pause_check_interval_s=1.0)


@asynccontextmanager
async def served(
    gateway: Gateway, sqs: FakeSqs | None = None, max_result_bytes: int = 1000
) -> AsyncIterator[ApiRequests]:
    letters = None if sqs is None else DeadLetterQueues(sqs, translate)
    queues = {"api": URL if sqs is None else sqs.queue}
    app = make_app(gateway, queues, dead_letters=letters, priorities=Priorities({"api": {"high": HIGH}}))
    async with serving(app) as http, Client(str(http._base_url), max_result_bytes=max_result_bytes) as client:
        yield client.api("api")


def payload_of(store: Store, request_id: str) -> bytes:
    return store.objects[RequestKeys("uid", "api", request_id).payload][0]


def headers_of(store: Store, request_id: str) -> dict[str, str]:
    return dict(parse_headers(store.objects[RequestKeys("uid", "api", request_id).headers][0]))


async def test_bytes_are_submitted_as_they_are_and_other_values_as_json(store: Store, gateway: Gateway) -> None:
    async with served(gateway) as api:
        raw = await api.submit(b"\x00\xff")
        value = await api.submit({"n": [1, "ä"]})
        text = await api.submit(b"a,b", content_type="text/csv", headers={"X-Tenant": "t1"})
    assert payload_of(store, raw.id) == b"\x00\xff"
    assert headers_of(store, raw.id)["Content-Type"] == "application/octet-stream"
    assert payload_of(store, value.id) == b'{"n":[1,"\\u00e4"]}'
    assert headers_of(store, value.id)["Content-Type"] == "application/json"
    assert headers_of(store, text.id) | {"Content-Type": "text/csv", "X-Tenant": "t1"} == headers_of(store, text.id)


async def test_submissions_with_one_key_are_one_request(gateway: Gateway, queue: FakeQueue) -> None:
    async with served(gateway) as api:
        one, again = [await api.submit(b"x", key='a "key" \\') for _ in range(2)]
        other = await api.submit(b"x")
        assert one == again
        assert one != other
        with pytest.raises(RequestRefusedError, match="another payload") as caught:
            await api.submit(b"y", key='a "key" \\')
    assert (caught.value.status, caught.value.faults[0].kind) == (422, "idempotency_key_reused")
    assert len(queue.sent) == 2


async def test_priority_and_deadline_are_those_of_the_request(gateway: Gateway, queue: FakeQueue) -> None:
    deadline = datetime.now(UTC) + timedelta(minutes=5)
    async with served(gateway) as api:
        await api.submit(b"x", priority="high", deadline=deadline)
        await api.submit(b"x", cancel_after_s=0.5)
        with pytest.raises(RequestRefusedError, match="high"):
            await api.submit(b"x", priority="low")
    assert [url for url, _ in queue.sent] == [HIGH, URL]
    assert float(queue.attributes[0][DEADLINE_ATTRIBUTE]) == pytest.approx(deadline.timestamp(), abs=0.002)
    assert float(queue.attributes[1][DEADLINE_ATTRIBUTE]) < deadline.timestamp()


async def test_a_status_says_what_the_gateway_says(store: Store, gateway: Gateway) -> None:
    begin(store)
    store.memory.seed([(KEYS.progress, b'{"progress": 0.5, "message": "half", "at": "2021-05-03T12:00:00Z"}')])
    async with served(gateway) as api:
        status = await api.status("id1")
        assert (status.id, status.state, status.has_ended, status.created) == ("id1", "in_queue", False, MOMENT)
        assert status.progress is not None
        assert (status.progress.share, status.progress.message, status.progress.at) == (0.5, "half", MOMENT)
        complete(store, result=b'{"n": 12345678901234567890.10}')
        status = await api.status("id1")
    assert (status.state, status.has_ended, status.ended, status.progress) == ("completed", True, MOMENT, None)
    assert status.result_json == b'{"n": 12345678901234567890.10}'
    assert status.result() == {"n": 12345678901234567890.10}
    assert [attempt.outcome for attempt in status.attempts] == ["completed"]


async def test_a_request_that_failed_says_why(store: Store, gateway: Gateway) -> None:
    begin(store)
    store.memory.seed([(KEYS.failed, b'{"error": "it answered 500", "code": "container_status", "status_code": 500}')])
    async with served(gateway) as api:
        status = await api.wait("id1")
        assert status.error is not None
        assert (status.error.code, status.error.message, status.error.status_code) == (
            "container_status",
            "it answered 500",
            500,
        )
        with pytest.raises(RequestFailedError, match="request id1 failed: container_status: it answered 500") as caught:
            await api.result("id1")
    assert caught.value.status == status
    assert caught.value.status.attempts[-1].status_code == 500


async def test_a_wait_ends_with_the_request(store: Store, gateway: Gateway) -> None:
    begin(store)
    async with served(gateway) as api:
        statuses = api.events("id1")
        async with aclosing(statuses):
            assert (await anext(statuses)).state == "in_queue"
            complete(store)
            assert [(one.state, one.result()) async for one in statuses] == [("completed", [1.1])]
        assert await api.result("id1", 30) == [1.1]


async def test_a_wait_has_an_end(store: Store, gateway: Gateway) -> None:
    begin(store)
    async with served(gateway) as api:
        with pytest.raises(RequestNotEndedError, match=r"id1 is in_queue after 0\.1 s") as caught:
            await api.wait("id1", 0.1)
    assert caught.value.status.state == "in_queue"


async def test_a_request_is_submitted_and_waited_for_in_one_call(
    store: Store, gateway: Gateway, queue: FakeQueue
) -> None:
    async def send_and_complete(*args: object, **more: object) -> None:
        request_id = str(args[1])
        store.memory.seed([(RequestKeys("uid", "api", request_id).status("in_queue"), b"")])
        complete(store, request_id, b'"done"')

    queue.send = send_and_complete  # type: ignore[method-assign] # the queue has a worker
    async with served(gateway) as api:
        assert (await api.run(b"x")).result() == "done"
        assert (await api.run(b"x", key="")).result() == "done"
        request = await api.submit(b"x")
        assert await request.result() == "done"
        assert (await request.status()).state == (await request.cancel()).state == (await request.wait(5)).state
        for ask in (request.status, request.wait, request.cancel):
            assert (await ask(max_result_bytes=1)).result_bytes == len(b'"done"')
        assert [chunk async for chunk in request.result_chunks()] == [b'"done"']
        assert [one.id async for one in request.events()] == [request.id]


async def test_many_payloads_are_run_each_once(store: Store, gateway: Gateway, queue: FakeQueue) -> None:
    async def send_and_complete(*args: object, **more: object) -> None:
        sent.append(str(args[1]))
        store.memory.seed([(RequestKeys("uid", "api", sent[-1]).status("in_queue"), b"")])
        complete(store, sent[-1], payload_of(store, sent[-1]))

    sent: list[str] = []
    queue.send = send_and_complete  # type: ignore[method-assign] # the queue has a worker
    async with served(gateway) as api:
        outcomes = [one async for one in api.map(range(40), concurrency=5, key_of=str)]
        assert [one.result() for one in outcomes] == [*range(40)]
        again = [one async for one in api.map(range(40), concurrency=5, key_of=str, ordered=False)]
        assert {one.status.id for one in again if one.status} == {*sent}
        with pytest.raises(ValueError, match="give key_of"):
            api.map([1], key="k")
    assert len(sent) == 40


async def test_an_unknown_request_and_an_unknown_api_are_refused(gateway: Gateway) -> None:
    async with served(gateway) as api:
        for call in (api.status, api.wait, api.cancel):
            with pytest.raises(RequestRefusedError, match="id id9 not found") as caught:
                await call("id9")
            assert caught.value.status == 404
        with pytest.raises(RequestRefusedError, match="not found"):
            await anext(api.events("id9"))
        with pytest.raises(ValueError, match="not the id of a request"):
            await api.status("../x")
        with pytest.raises(ValueError, match="not the id of a request"):
            await anext(api.events("a/../b"))


async def test_a_request_is_cancelled(store: Store, gateway: Gateway) -> None:
    begin(store)
    async with served(gateway) as api:
        status = await api.cancel("id1")
    assert status.cancel_requested is not None
    assert (status.state, status.has_ended) == ("in_queue", False)


async def test_a_result_that_is_too_large_is_not_read(store: Store, gateway: Gateway) -> None:
    complete(store, result=b'"' + b"x" * (3 << 20) + b'"')
    async with served(gateway) as api:
        with pytest.raises(AnswerTooLargeError, match="more than 1000 bytes: raise max_result_bytes"):
            await api.result("id1")
        [status] = [one async for one in api.events("id1")]
        assert (status.result_json, status.result_bytes) == (None, (3 << 20) + 2)


@pytest.mark.parametrize("size", [1, 64 * 1024, 64 * 1024 + 1, 3 << 20])
async def test_a_result_of_any_size_comes_in_pieces(store: Store, gateway: Gateway, size: int) -> None:
    result = b'"' + b"x" * (size - 2) + b'"' if size > 1 else b"7"
    complete(store, result=result)
    async with served(gateway) as api:
        chunks = [chunk async for chunk in api.result_chunks("id1")]
    assert b"".join(chunks) == result
    assert max(map(len, chunks)) <= 64 * 1024 + 1


async def test_the_gateway_is_asked_to_wait() -> None:
    done = answer({"id": "id1", "status": "completed"}, Connection="close")
    async with canned(done) as gateway, Client(gateway.url) as client:
        api = client.api("api")
        await api.run(b"x", 90.0)
        await api.run(b"x", key="")
        await api.wait("id1")
        await api.status("id1")
    of_submissions = [[line for line in head.split("\r\n") if "wait" in line] for head in gateway.heads[:2]]
    assert of_submissions == [["Prefer: wait=30"], []]
    assert [first for first, _ in gateway.requests[2:]] == ["GET /api/id1?wait=30", "GET /api/id1"]


async def test_a_status_is_had_without_its_result(store: Store, gateway: Gateway) -> None:
    complete(store, result=b'"' + b"x" * 98 + b'"')
    async with served(gateway, max_result_bytes=1) as api:
        for ask in (api.status, api.wait, api.cancel):
            without = await ask("id1", max_result_bytes=99)
            assert (without.state, without.result_bytes, without.result_json) == ("completed", 100, None)
            assert len((await ask("id1", max_result_bytes=100)).result_json or b"") == 100


async def test_the_bytes_of_a_result_are_those_of_the_container(store: Store, gateway: Gateway) -> None:
    """Also in events, which have no line breaks, and with the line break after the value that many servers send."""
    result = b' {\n\t"n": 1.10,\r\n "text": "\xc3\xa4"\n}\r\n'
    complete(store, result=result)
    async with served(gateway) as api:
        assert [chunk async for chunk in api.result_chunks("id1")] == [result]
        assert (await api.status("id1")).result_json == result
        [status] = [one async for one in api.events("id1")]
        assert status.result() == {"n": 1.1, "text": "ä"}


@pytest.mark.usefixtures("no_pauses")
async def test_a_large_result_is_asked_for_again_when_none_of_it_came() -> None:
    told = answer(BEGIN + b'"result_bytes":10}')
    whole = answer(BEGIN + b'"result":"xxxxxxxx"}')
    busy = answer({"detail": "S3 is away", "code": "unavailable"}, 503, "application/problem+json")
    async with canned(told, busy, b"HTTP/1.1", whole) as gateway, Client(gateway.url) as client:
        assert b"".join([chunk async for chunk in client.api("api").result_chunks("id1")]) == b'"xxxxxxxx"'
    assert len(gateway.requests) == 4


async def test_the_result_of_a_status_that_is_known_is_downloaded_alone() -> None:
    told = answer(BEGIN + b'"result_bytes":10}')
    whole = answer(BEGIN + b'"result":"xxxxxxxx"}')
    busy = answer({"detail": "S3 is away", "code": "unavailable"}, 503, "application/problem+json")
    async with canned(told, busy, whole) as gateway, Client(gateway.url) as client:
        api = client.api("api")
        status = await api.status("id1", max_result_bytes=1)
        with pytest.raises(GatewayBusyError):
            [chunk async for chunk in api.chunks_of(status, tries_again=False)]
        assert b"".join([chunk async for chunk in api.chunks_of(status)]) == b'"xxxxxxxx"'
    assert [first for first, _ in gateway.requests] == ["GET /api/id1?max_result_bytes=1", *["GET /api/id1"] * 2]


@pytest.mark.parametrize("size", [4, 100_000])
async def test_the_result_of_a_request_that_was_listed_is_downloaded(store: Store, gateway: Gateway, size: int) -> None:
    result = b'"' + b"x" * (size - 2) + b'"'
    complete(store, result=result)
    async with served(gateway) as api:
        [status] = [one async for one in api.list()]
        assert (status.result_json, status.result_bytes) == (None, None)
        for tries_again in (True, False):
            assert b"".join([chunk async for chunk in api.chunks_of(status, tries_again=tries_again)]) == result


@pytest.mark.usefixtures("no_pauses")
async def test_the_status_of_a_request_that_was_listed_is_asked_for_as_often_as_its_result() -> None:
    listed = answer(b'{"requests":[' + BEGIN[:-1] + b"}]}")
    busy = answer({"detail": "S3 is away", "code": "unavailable"}, 503, "application/problem+json")
    whole = answer(BEGIN + b'"result":7}')
    async with canned(listed, busy, busy, whole) as gateway, Client(gateway.url) as client:
        api = client.api("api")
        [status] = [one async for one in api.list()]
        with pytest.raises(GatewayBusyError):
            [chunk async for chunk in api.chunks_of(status, tries_again=False)]
        assert [chunk async for chunk in api.chunks_of(status)] == [b"7"]
    assert len(gateway.requests) == 4


async def test_a_request_that_has_not_ended_has_no_pieces(store: Store, gateway: Gateway) -> None:
    begin(store)
    async with served(gateway) as api:
        status = await api.status("id1")
        with pytest.raises(ValueError, match=f"request id1 is {status.state}; result_chunks waits until it has ended"):
            await anext(api.chunks_of(status))


async def test_pieces_of_a_request_that_failed_or_whose_result_is_gone_are_errors(
    store: Store, gateway: Gateway
) -> None:
    store.memory.seed([(KEYS.failed, b'{"error": "no", "code": "timeout"}')])
    store.memory.seed([(RequestKeys("uid", "api", "id2").completed, b"")])
    async with served(gateway) as api:
        with pytest.raises(RequestFailedError, match="timeout: no"):
            await anext(api.result_chunks("id1"))
        with pytest.raises(InvalidAnswerError, match="id2 is completed, and its result is not there any more"):
            await anext(api.result_chunks("id2"))


BEGIN = b'{"id":"id1","status":"completed",'


@pytest.mark.parametrize(
    ("answered", "error"),
    [
        (answer(BEGIN + b'"result":"xxxxxxxx"}')[:-4], GatewayLostError),
        (answer(BEGIN + b'"result":"xx'), InvalidAnswerError),
        (answer(b'{"id":"id2","status":"completed","result":"xxxxxxxx"}'), InvalidAnswerError),
        (answer(b"<html>"), InvalidAnswerError),
    ],
)
async def test_pieces_that_are_not_the_whole_result_are_an_error(answered: bytes, error: type[Exception]) -> None:
    told = answer(BEGIN + b'"result_bytes":10}')
    async with canned(told, answered) as gateway, Client(gateway.url, retry_limit_s=0) as client:
        with pytest.raises(error):
            [chunk async for chunk in client.api("api").result_chunks("id1")]


async def test_the_status_of_another_request_is_none(store: Store) -> None:
    async with canned(answer({"id": "id2", "status": "in_queue"})) as gateway, Client(gateway.url) as client:
        with pytest.raises(InvalidAnswerError, match="answers with request id2 to a question about id1"):
            await client.api("api").status("id1")
    async with (
        canned(chunked(b'data: {"id":"id2","status":"completed"}\n\n')) as gateway,
        Client(gateway.url) as client,
    ):
        with pytest.raises(InvalidAnswerError, match="a question about id1"):
            await anext(client.api("api").events("id1"))


async def test_requests_are_listed_over_pages(gateway: Gateway) -> None:
    async with served(gateway) as api:
        made = [(await api.submit(b"x")).id for _ in range(130)]
        listed = [status.id async for status in api.list()]
        assert sorted(listed) == sorted(made)
        assert [status.id async for status in api.list("in_queue", 110)] == listed[:110]
        assert [status async for status in api.list("failed")] == []
        page = await api.page(limit=7)
        assert [status.id for status in page.requests] == listed[:7]
        assert [one.id for one in (await api.page(limit=7, after=page.following)).requests] == listed[7:14]
        assert page.paused is None
        with pytest.raises(RequestRefusedError, match='status is "bad"'):
            await anext(api.list("bad"))


async def test_a_list_that_leads_to_the_same_page_again_ends() -> None:
    page = answer({"requests": [{"id": "id1", "status": "completed"}], "next": "here"})
    async with canned(*[page] * 10) as gateway, Client(gateway.url) as client:
        assert [status.id async for status in client.api("api").list(limit=5)] == ["id1", "id1"]
    assert len(gateway.requests) == 2


async def test_an_api_is_paused_and_resumed(gateway: Gateway) -> None:
    async with served(gateway) as api:
        paused = await api.pause()
        assert paused == (await api.page()).paused
        assert paused is not None
        await api.resume()
        assert (await api.page()).paused is None


async def test_dead_letters_are_shown_and_sent_back(store: Store, gateway: Gateway) -> None:
    sqs = FakeSqs()
    begin(store)
    sqs.bury("id1")
    sqs.bury("no id!")
    async with served(gateway, sqs) as api:
        found = await api.dead_letters()
        assert (found.queue, found.messages) == ("the-dead", 2)
        assert [(one.id, one.state, one.receives) for one in found.letters] == [("id1", "in_queue", 6), ("", "", 6)]
        assert len((await api.dead_letters(limit=1)).letters) == 1
        redriven = await api.redrive()
        assert (redriven.moved, redriven.left) == (2, 0)
        with pytest.raises(RequestRefusedError, match="low"):
            await api.dead_letters(priority="low")
