"""The requests of an API are listed: their order, pages, filters, and what a page costs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from dequeuer.core import clock
from dequeuer.formats.request_id import first_id_of, make_request_id
from dequeuer.gateway import request_listing
from dequeuer.gateway.errors import BusyError
from dequeuer.gateway.request_listing import MAX_LISTINGS, MAX_PAGES, ListedRequests, Position, RequestPage, read_token
from dequeuer.gateway.service import Gateway
from dequeuer.sinks.layout import ApiKeys, RequestKeys
from tests.gateway.fakes import PREFIX, Store
from tests.gateway.one_request import begin, complete

API = ApiKeys("uid", "api")
NOW = 1_795_770_000.0


@pytest.fixture(autouse=True)
def _now(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "wall", lambda: NOW)


def ids(page: RequestPage) -> list[str]:
    return [request_id for request_id, _ in page.requests]


async def whole(gateway: Gateway, limit: int = 100, status: str | None = None) -> list[str]:
    """Return all requests, page by page."""
    found: list[str] = []
    after: Position | None = None
    for _ in range(100):
        page = await gateway.list_requests("api", ListedRequests(limit=limit, status=status, after=after))
        assert len(page.requests) <= limit
        found += ids(page)
        if page.following is None:
            return found
        after = read_token(page.following.token)
        assert after == page.following
    raise AssertionError("the pages have no end")


def submitted(store: Store, ages_s: list[float]) -> list[str]:
    """Submit requests of these ages; return their ids, the newest first."""
    made = [make_request_id(NOW - age_s) for age_s in ages_s]
    for request_id in made:
        begin(store, request_id)
        store.memory.seed([(RequestKeys("uid", "api", request_id).payload, b"x")])
    return sorted(made)


@pytest.mark.parametrize("limit", [1, 2, 3, 100])
@pytest.mark.parametrize("page_size", [1, 2, 3, 7, 1000])
async def test_the_newest_come_first_then_those_of_other_ids_each_once(
    store: Store, gateway: Gateway, limit: int, page_size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(request_listing, "MAX_PAGES", 10**6)
    store.memory.page_size = page_size
    made = submitted(store, [0, 1, 60, 86_400, 7 * 86_400])
    behind, before = ["fffffff0", "id1", "z9"], ["0a4d", "Zz", "fd00"]
    for other in behind + before:
        begin(store, other)
    # Keys behind those of the ids that the gateway makes follow them at once, those before them come last.
    assert await whole(gateway, limit) == [*made, *behind, *before]


async def test_a_request_of_a_gateway_whose_clock_is_ahead_is_the_newest(store: Store, gateway: Gateway) -> None:
    [old] = submitted(store, [10])
    ahead = make_request_id(NOW + 120)
    begin(store, ahead)
    assert await whole(gateway) == [ahead, old]


@pytest.mark.parametrize("limit", [1, 2, 100])
@pytest.mark.parametrize("page_size", [7, 1000])
async def test_ids_of_clients_around_the_begin_of_a_list_hide_nothing(
    store: Store, gateway: Gateway, limit: int, page_size: int
) -> None:
    begin_at = first_id_of(NOW + request_listing.MAX_SKEW_S)
    made = submitted(store, [1, 2])
    chosen = [
        begin_at[:8],
        begin_at,
        f"{begin_at[:8]}-",
        f"{begin_at[:8]}.",
        f"{begin_at}-",
        begin_at[:-1],
        "0",
        "A",
        "z",
    ]
    for request_id in chosen:
        begin(store, request_id)
    store.memory.page_size = page_size
    assert sorted(await whole(gateway, limit)) == sorted(made + chosen)


async def test_what_is_no_request_is_not_listed(store: Store, gateway: Gateway) -> None:
    [made] = submitted(store, [10])
    store.memory.seed(
        [
            (API.cancellation("id1"), b""),
            (API.attempt("id1", 1), b"{}"),
            (API.idempotency_key("ab"), b"{}"),
            (RequestKeys("uid", "api", "upload").payload, b"of a submission that was broken off"),
            (RequestKeys("uid", "api2", "id1").status("in_queue"), b""),
            (f"{PREFIX}status/in_queue", b""),
        ]
    )
    assert await whole(gateway) == [made]


async def test_folders_of_records_cost_one_page_however_large_they_are(store: Store, gateway: Gateway) -> None:
    store.memory.page_size = 10
    store.memory.seed([(API.idempotency_key(f"{number:064x}"), b"{}") for number in range(500)])
    for request_id in ("A", "b"):
        begin(store, request_id)
    assert await whole(gateway) == ["A", "b"]
    assert len(store.reads) <= MAX_PAGES


async def test_requests_of_one_status(store: Store, gateway: Gateway) -> None:
    made = submitted(store, [1, 2, 3, 4])
    complete(store, made[1])
    complete(store, made[3])
    assert await whole(gateway, 1, "completed") == [made[1], made[3]]
    assert await whole(gateway, 3, "in_queue") == [made[0], made[2]]
    assert await whole(gateway, 3, "failed") == []


async def test_a_page_costs_a_bounded_number_of_listings_and_says_where_it_stopped(
    store: Store, gateway: Gateway
) -> None:
    store.memory.page_size = 5
    made = submitted(store, [float(age) for age in range(100)])
    complete(store, made[-1])
    page = await gateway.list_requests("api", ListedRequests(limit=100, status="completed"))
    assert (len(store.reads), page.requests) == (MAX_PAGES, [])
    assert page.following is not None
    assert await whole(gateway, 100, "completed") == [made[-1]]


async def test_a_slow_store_ends_a_page_in_time(
    store: Store, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.memory.page_size = 2
    made = submitted(store, [float(age) for age in range(10)])
    moment = 0.0

    def later() -> float:
        nonlocal moment
        moment += 3
        return moment

    monkeypatch.setattr(clock, "monotonic", later)
    page = await gateway.list_requests("api", ListedRequests(limit=100))
    assert len(store.reads) < MAX_PAGES
    assert page.following is not None
    assert await whole(gateway) == made


async def test_only_failures_and_progress_cost_reads_some_at_a_time(
    store: Store, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = submitted(store, [float(age) for age in range(30)])
    for request_id in made[:20]:
        store.memory.seed([(RequestKeys("uid", "api", request_id).failed, b'{"error": "no", "code": "timeout"}')])
    get = store.get
    running = most = 0

    async def slow(key: str) -> object:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        running -= 1
        return await get(key)

    monkeypatch.setattr(store, "get", slow)
    page = await gateway.list_requests("api", ListedRequests(limit=100))
    assert [report.failure.code if report.failure else None for _, report in page.requests] == ["timeout"] * 20 + [
        None
    ] * 10
    assert [op for op, _ in store.reads].count("get") == 20
    assert 1 < most <= request_listing.MAX_AHEAD


@pytest.mark.looptime
async def test_only_so_many_lists_are_made_at_the_same_time(
    store: Store, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    never = asyncio.Event()

    async def hanging(*_: object, **__: object) -> None:
        await never.wait()

    monkeypatch.setattr(store, "list_page", hanging)
    lists = [asyncio.create_task(gateway.list_requests("api", ListedRequests(limit=1))) for _ in range(MAX_LISTINGS)]
    await asyncio.sleep(0)
    with pytest.raises(BusyError, match="8 lists"):
        await gateway.list_requests("api", ListedRequests(limit=1))
    for task in lists:
        task.cancel()
    await asyncio.wait(lists)
    monkeypatch.undo()
    assert await whole(gateway) == []


@pytest.mark.parametrize("text", ["", "x", "fe5e0000-0000", "fe5e0000-0000.", "fe5e0000-0000./../x", "FE5E0000-0000.a"])
def test_a_token_that_is_none(text: str) -> None:
    assert read_token(text) is None


def test_a_token_holds_any_id() -> None:
    make: Callable[[str], Position] = lambda after: Position(begin="fe5e0000-0000", after=after)  # noqa: E731
    for after in ("a.b.c", "a:b-c_d", "9" * 128):
        assert read_token(make(after).token) == make(after)
