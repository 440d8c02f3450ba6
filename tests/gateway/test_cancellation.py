"""A request is cancelled: what is written, in which order, and what is shown."""

from __future__ import annotations

import pytest

from dequeuer.gateway.application import make_app
from dequeuer.gateway.service import Gateway
from tests.gateway.fakes import URL, Store, serving
from tests.gateway.one_request import API, KEYS, begin, complete

IN_CLUSTER = {"X-Cortex-API-Name": "api"}


async def test_a_cancellation_is_asked_for_and_shown(store: Store, gateway: Gateway) -> None:
    begin(store)
    async with serving(make_app(gateway, {"api": URL})) as http:
        for _ in range(2):
            async with http.delete("/api/id1") as answer:
                assert answer.status == 200
                document = await answer.json()
            assert (document["status"], document["cancel_requested"]) == ("in_queue", "2021-05-03T12:00:00Z")
        assert API.cancellation("id1") in store.objects
        async with http.get("/api/id1") as answer:
            assert "cancel_requested" in await answer.json()
    # A sidecar that sees the index finds that it was asked for.
    puts = [key for op, key in store.journal if op == "put"]
    assert puts.index(KEYS.cancel) < puts.index(API.cancellation("id1"))


async def test_a_cancellation_of_a_request_that_has_ended_changes_nothing(store: Store, gateway: Gateway) -> None:
    complete(store)
    async with serving(make_app(gateway, {"api": URL})) as http, http.delete("/api/id1") as answer:
        assert (answer.status, (await answer.json())["status"]) == (200, "completed")
    assert not store.journal


async def test_a_request_that_ends_while_it_is_cancelled_leaves_nothing_in_the_index(
    store: Store, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin(store)
    put = store.put

    async def racing(key: str, body: bytes, content_type: str, **more: object) -> None:
        await put(key, body, content_type)
        complete(store)

    monkeypatch.setattr(store, "put", racing)
    async with serving(make_app(gateway, {"api": URL})) as http, http.delete("/api/id1") as answer:
        assert (await answer.json())["status"] == "completed"
    assert API.cancellation("id1") not in store.objects


@pytest.mark.parametrize("path", ["/api/id2", "/api/_cancel"])
async def test_an_unknown_request_cannot_be_cancelled(store: Store, gateway: Gateway, path: str) -> None:
    async with serving(make_app(gateway, {"api": URL})) as http, http.delete(path) as answer:
        assert answer.status in {400, 404}
    assert not store.journal


async def test_the_form_in_the_cluster_cancels_and_waits(store: Store, gateway: Gateway) -> None:
    begin(store)
    async with serving(make_app(gateway, {})) as http:
        async with http.delete("/id1", headers=IN_CLUSTER) as answer:
            assert (await answer.json())["cancel_requested"]
        async with http.delete("/id1") as answer:
            assert answer.status == 400
        async with http.get("/id1?wait=99", headers=IN_CLUSTER) as answer:
            assert answer.status == 400
