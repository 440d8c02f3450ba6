"""Clients that follow the events of a request."""

from __future__ import annotations

import json
import re

from dequeuer.core.errors import StoreUnavailableError
from dequeuer.gateway.application import make_app
from dequeuer.gateway.service import Gateway
from tests.gateway.fakes import URL, Store, serving
from tests.gateway.one_request import KEYS, begin, complete


async def test_events_tell_each_change_and_end_with_the_request(store: Store, gateway: Gateway) -> None:
    begin(store)
    async with serving(make_app(gateway, {"api": URL})) as http, http.get("/api/id1/events") as answer:
        assert answer.headers["Content-Type"] == "text/event-stream"
        states = []
        async for line in answer.content:
            if line.startswith(b"data: "):
                document = json.loads(line[6:])
                states.append(document["status"])
                if states[-1] == "in_queue":
                    store.memory.seed([(KEYS.status("in_progress"), b"")])
                elif states[-1] == "in_progress":
                    complete(store, result=b'{\n "n": 1\r\n}')
    assert states == ["in_queue", "in_progress", "completed"]
    assert document["result"] == {"n": 1}
    assert re.fullmatch(r"2021-05-03T12:00:00Z", document["timestamp"])


async def test_events_do_not_carry_large_results(store: Store, gateway: Gateway) -> None:
    complete(store, result=b'"' + b"x" * 100_000 + b'"')
    async with serving(make_app(gateway, {"api": URL})) as http, http.get("/api/id1/events") as answer:
        text = await answer.text()
    document = json.loads(text.partition("data: ")[2])
    assert (document["status"], document["result_bytes"], "result" in document) == ("completed", 100_002, False)


async def test_a_store_that_breaks_while_a_result_is_read_is_no_bug_of_the_events(
    store: Store, gateway: Gateway
) -> None:
    complete(store)
    store.break_at("stream", "", StoreUnavailableError("broken off"))
    async with serving(make_app(gateway, {"api": URL})) as http, http.get("/api/id1/events") as answer:
        assert answer.status == 503


async def test_events_in_an_outage_are_refused_at_once(store: Store, gateway: Gateway) -> None:
    begin(store)
    store.break_at("list", KEYS.prefix, StoreUnavailableError("away"))
    async with serving(make_app(gateway, {"api": URL})) as http, http.get("/api/id1/events") as answer:
        assert answer.status == 503


async def test_events_of_an_unknown_request(gateway: Gateway) -> None:
    async with serving(make_app(gateway, {"api": URL})) as http:
        async with http.get("/api/id9/events") as answer:
            assert answer.status == 404
        async with http.head("/api/id9/events") as answer:
            assert answer.status == 405
