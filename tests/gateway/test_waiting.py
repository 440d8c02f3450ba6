"""Clients that wait for a request. Looks at the store are counted."""

from __future__ import annotations

import asyncio

import pytest
from aiohttp import ClientSession
from aiohttp.test_utils import make_mocked_request
from multidict import CIMultiDict

from dequeuer.core.errors import StoreDeniedError, StoreUnavailableError
from dequeuer.formats.failure import RequestFailure, encode_failure
from dequeuer.gateway import waiting
from dequeuer.gateway.application import make_app
from dequeuer.gateway.errors import BusyError, UnknownRequestError
from dequeuer.gateway.problems import ProblemError
from dequeuer.gateway.service import Gateway
from dequeuer.gateway.waiting import MAX_INTERVAL_S, MAX_WAIT_S, Waiting, asked_wait, preferred_wait
from dequeuer.sinks.base import ListedPage
from tests.gateway.fakes import URL, FakeQueue, Store, serving
from tests.gateway.one_request import API, KEYS, begin, complete
from tests.still import until_still


def slow_looks(store: Store, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Let each listing of a request take 50 ms; return a list with the most that were under way at a time."""
    running, most = 0, [0]
    find = store.list_page

    async def slow(prefix: str, *, after: str = "", token: str = "") -> ListedPage:
        nonlocal running
        if "/_attempts/" in prefix:
            return await find(prefix, after=after, token=token)
        running += 1
        most[0] = max(most[0], running)
        await asyncio.sleep(0.05)
        running -= 1
        return await find(prefix, after=after, token=token)

    monkeypatch.setattr(store, "list_page", slow)
    return most


def looks(store: Store) -> int:
    return store.reads.count(("list", KEYS.prefix))


@pytest.mark.looptime
async def test_a_wait_ends_soon_after_the_request(store: Store, gateway: Gateway) -> None:
    begin(store)
    loop = asyncio.get_running_loop()
    loop.call_later(10, complete, store)
    began = loop.time()
    found = await Waiting(gateway, lambda: False).until_ended("api", "id1", 60)
    assert found.found.status == "completed"
    assert 10 <= loop.time() - began <= 10 + MAX_INTERVAL_S


@pytest.mark.looptime
async def test_a_wait_whose_time_is_over_gets_the_status_that_stands(store: Store, gateway: Gateway) -> None:
    begin(store)
    loop = asyncio.get_running_loop()
    began = loop.time()
    assert (await Waiting(gateway, lambda: False).until_ended("api", "id1", 7)).found.status == "in_queue"
    assert loop.time() - began == pytest.approx(7)


@pytest.mark.looptime
async def test_a_thousand_that_wait_for_one_request_cost_the_looks_of_one(store: Store, gateway: Gateway) -> None:
    begin(store)
    one = Waiting(gateway, lambda: False)
    await one.until_ended("api", "id1", 30)
    alone = looks(store)
    await asyncio.gather(*(one.until_ended("api", "id1", 30) for _ in range(1000)))
    assert looks(store) == 2 * alone
    assert alone < 30  # in half a minute: less than one a second


@pytest.mark.looptime
async def test_looks_at_many_requests_are_bounded(
    store: Store, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    most = slow_looks(store, monkeypatch)
    for number in range(200):
        begin(store, f"r{number}")
    one = Waiting(gateway, lambda: False)
    found = await asyncio.gather(*(one.until_ended("api", f"r{number}", 20) for number in range(200)))
    assert {it.found.status for it in found} == {"in_queue"}
    assert most[0] == waiting.MAX_LOOKS


@pytest.mark.looptime
async def test_waits_that_never_had_their_turn_to_look_are_bounded_too(
    store: Store, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    most = slow_looks(store, monkeypatch)
    for number in range(2000):
        begin(store, f"r{number}")
    one = Waiting(gateway, lambda: False)
    found = await asyncio.gather(*(one.until_ended("api", f"r{number}", 1) for number in range(2000)))
    assert {it.found.status for it in found} == {"in_queue"}
    assert most[0] == waiting.MAX_LOOKS


@pytest.mark.looptime
async def test_many_waits_end_soon_after_the_drain_begins(
    store: Store, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow_looks(store, monkeypatch)
    drains = False
    for number in range(5000):
        begin(store, f"r{number}")
    one = Waiting(gateway, lambda: drains)
    waits = asyncio.gather(*(one.until_ended("api", f"r{number}", 60) for number in range(5000)))
    await asyncio.sleep(10)  # each has been looked at
    drains = True
    async with asyncio.timeout(MAX_INTERVAL_S + 0.1):
        assert {it.found.status for it in await waits} == {"in_queue"}


@pytest.mark.looptime
async def test_a_thousand_that_wait_read_a_failure_once(store: Store, gateway: Gateway) -> None:
    begin(store)
    failure = encode_failure(RequestFailure(error="late", code="timeout"), 1)
    asyncio.get_running_loop().call_later(5, lambda: store.memory.seed([(KEYS.failed, failure)]))
    one = Waiting(gateway, lambda: False)
    found = await asyncio.gather(*(one.until_ended("api", "id1", 30) for _ in range(1000)))
    assert {it.failure.code for it in found if it.failure is not None} == {"timeout"}
    assert store.reads.count(("get", KEYS.failed)) == 1
    assert store.reads.count(("list", API.attempts("id1"))) == 2  # at the first look, and at the change


@pytest.mark.looptime
async def test_an_outage_of_the_store_ends_no_wait(store: Store, gateway: Gateway) -> None:
    begin(store)
    loop = asyncio.get_running_loop()
    loop.call_later(5, lambda: store.break_at("list", KEYS.prefix, StoreUnavailableError("away")))
    loop.call_later(20, store.mend)
    loop.call_later(25, complete, store)
    assert (await Waiting(gateway, lambda: False).until_ended("api", "id1", 60)).found.status == "completed"


@pytest.mark.looptime
async def test_an_outage_at_the_first_look_ends_no_wait_either(store: Store, gateway: Gateway) -> None:
    begin(store)
    store.break_at("list", KEYS.prefix, StoreUnavailableError("away"))
    loop = asyncio.get_running_loop()
    loop.call_later(20, store.mend)
    loop.call_later(25, complete, store)
    assert (await Waiting(gateway, lambda: False).until_ended("api", "id1", 60)).found.status == "completed"


@pytest.mark.looptime
async def test_a_wait_that_never_got_a_status_ends_with_the_error_when_its_time_is_over(
    store: Store, gateway: Gateway
) -> None:
    store.break_at("list", KEYS.prefix, StoreUnavailableError("away"))
    loop = asyncio.get_running_loop()
    began = loop.time()
    with pytest.raises(BusyError):
        await Waiting(gateway, lambda: False).until_ended("api", "id1", 20)
    assert loop.time() - began == pytest.approx(20)


@pytest.mark.looptime
async def test_waits_end_soon_after_their_time_while_the_store_hangs(
    store: Store, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def hang(prefix: str, *, after: str = "", token: str = "") -> ListedPage:
        await asyncio.sleep(20)
        raise StoreUnavailableError("no answer")

    monkeypatch.setattr(store, "list_page", hang)
    one = Waiting(gateway, lambda: False)
    loop = asyncio.get_running_loop()
    began = loop.time()
    waits = [one.until_ended("api", f"r{number}", 1) for number in range(3 * waiting.MAX_LOOKS)]
    found = await asyncio.gather(*waits, return_exceptions=True)
    assert all(isinstance(it, BusyError) for it in found)
    assert loop.time() - began <= 1 + waiting.LAST_LOOK_TIMEOUT_S


@pytest.mark.looptime
async def test_a_store_that_refuses_the_gateway_is_reported_at_once(store: Store, gateway: Gateway) -> None:
    store.break_at("list", KEYS.prefix, StoreDeniedError("no", "AccessDenied"))
    loop = asyncio.get_running_loop()
    began = loop.time()
    with pytest.raises(BusyError, match="permissions are wrong"):
        await Waiting(gateway, lambda: False).until_ended("api", "id1", 60)
    assert loop.time() == began


@pytest.mark.looptime
async def test_a_wait_in_an_outage_ends_when_the_process_drains(store: Store, gateway: Gateway) -> None:
    store.break_at("list", KEYS.prefix, StoreUnavailableError("away"))
    drains = False
    waits = asyncio.ensure_future(Waiting(gateway, lambda: drains).until_ended("api", "id1", 60))
    await asyncio.sleep(10)
    drains = True
    async with asyncio.timeout(MAX_INTERVAL_S + 0.1):
        with pytest.raises(BusyError):
            await waits


@pytest.mark.looptime
async def test_a_request_that_is_unknown_after_an_outage_is_unknown(store: Store, gateway: Gateway) -> None:
    store.break_at("list", KEYS.prefix, StoreUnavailableError("away"))
    asyncio.get_running_loop().call_later(20, store.mend)
    with pytest.raises(UnknownRequestError):
        await Waiting(gateway, lambda: False).until_ended("api", "id1", 60)


@pytest.mark.looptime
async def test_a_slow_client_keeps_no_state_of_a_deleted_request_for_others(store: Store, gateway: Gateway) -> None:
    begin(store)
    one = Waiting(gateway, lambda: False)
    async with one.changes("api", "id1") as slow:
        await anext(slow)
        await store.delete([KEYS.status("in_queue")])
        await asyncio.sleep(10)
        with pytest.raises(UnknownRequestError):
            await one.until_ended("api", "id1", 5)
        begin(store)
        assert (await one.until_ended("api", "id1", 5)).found.status == "in_queue"


@pytest.mark.looptime
async def test_waits_end_when_the_process_drains(store: Store, gateway: Gateway) -> None:
    begin(store)
    drains = False
    waits = asyncio.ensure_future(Waiting(gateway, lambda: drains).until_ended("api", "id1", 60))
    await asyncio.sleep(10)
    drains = True
    async with asyncio.timeout(MAX_INTERVAL_S + 0.1):
        assert (await waits).found.status == "in_queue"


@pytest.mark.looptime
async def test_nobody_looks_for_clients_that_left(store: Store, gateway: Gateway) -> None:
    begin(store)
    one = Waiting(gateway, lambda: False)
    waits = [asyncio.ensure_future(one.until_ended("api", "id1", 60)) for _ in range(3)]
    await asyncio.sleep(5)
    for wait in waits:
        wait.cancel()
    await asyncio.wait(waits)
    before = looks(store)
    await asyncio.sleep(60)
    assert looks(store) == before
    assert len(asyncio.all_tasks()) == 1


@pytest.mark.looptime
async def test_the_number_of_clients_that_wait_is_bounded(
    store: Store, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting, "MAX_WAITING", 2)
    begin(store)
    one = Waiting(gateway, lambda: False)
    waits = [asyncio.ensure_future(one.until_ended("api", "id1", 5)) for _ in range(2)]
    await asyncio.sleep(1)
    with pytest.raises(ProblemError) as caught:
        await one.until_ended("api", "id1", 5)
    assert caught.value.status == 503
    await asyncio.gather(*waits)
    assert (await one.until_ended("api", "id1", 1)).found.status == "in_queue"


@pytest.mark.parametrize(
    ("fields", "seconds"),
    [
        ([], None),
        (["wait=10"], 10),
        (['respond-async, wait="5"'], 5),
        (["WAIT = 7; foo=bar"], 7),
        (["wait=600"], MAX_WAIT_S),
        (["wait=0"], 0),
        (["wait=soon"], None),
        (["wait"], None),
        (["wait=-1", "handling=lenient"], None),
        (["handling=lenient", "wait=3"], 3),
    ],
)
def test_preferences(fields: list[str], seconds: int | None) -> None:
    request = make_mocked_request("POST", "/api", CIMultiDict(("Prefer", field) for field in fields))
    assert preferred_wait(request) == seconds


@pytest.mark.parametrize("query", ["wait=61", "wait=-1", "wait=1.5", "wait=", "wait=x", "wait=1&wait=2"])
def test_a_wait_that_is_not_allowed_says_what_is(query: str) -> None:
    with pytest.raises(ProblemError, match="allowed: whole seconds from 0 to 60"):
        asked_wait(make_mocked_request("GET", f"/api/id1?{query}"))


@pytest.mark.parametrize(("query", "seconds"), [("", None), ("?wait=0", 0), ("?wait=60", 60)])
def test_waits_that_are_asked_for(query: str, seconds: int | None) -> None:
    assert asked_wait(make_mocked_request("GET", f"/api/id1{query}")) == seconds


# --- through HTTP ---


async def test_a_submission_that_waits_gets_the_result(store: Store, gateway: Gateway, queue: FakeQueue) -> None:
    async with serving(make_app(gateway, {"api": URL})) as http:
        asking = asyncio.ensure_future(post(http, {"Prefer": "wait=30"}))
        await until_still(lambda: len(queue.sent))
        [(_, request_id)] = queue.sent
        complete(store, request_id)
        status, headers, document = await asking
    assert (status, headers["Preference-Applied"]) == (200, "wait=30")
    assert (document["id"], document["status"], document["result"]) == (request_id, "completed", [1.1])


async def test_a_submission_that_waited_in_vain_says_where_to_ask(gateway: Gateway) -> None:
    async with serving(make_app(gateway, {"api": URL})) as http:
        status, headers, document = await post(http, {"Prefer": "wait=0"})
        assert (status, document["status"], headers["Retry-After"]) == (202, "in_queue", "1")
        assert headers["Location"] == f"/api/{document['id']}"
        async with http.get(headers["Location"]) as answer:
            assert (await answer.json())["id"] == document["id"]


async def test_a_submission_that_cannot_wait_gets_its_id(
    store: Store, gateway: Gateway, queue: FakeQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting, "MAX_WAITING", 0)
    async with serving(make_app(gateway, {"api": URL})) as http:
        status, headers, document = await post(http, {"Prefer": "wait=30"})
    [(_, request_id)] = queue.sent
    assert (status, document) == (202, {"id": request_id})
    assert headers["Location"] == f"/api/{request_id}"
    assert "Preference-Applied" not in headers


async def post(http: ClientSession, headers: dict[str, str]) -> tuple[int, dict[str, str], dict[str, object]]:
    async with http.post("/api", data=b"1", headers=headers) as answer:
        return answer.status, dict(answer.headers), await answer.json()
