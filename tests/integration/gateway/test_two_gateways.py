"""Two gateways side by side, as processes: what a client does at one is seen at the other."""

from __future__ import annotations

import http.client
import threading
import uuid
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.integration.container import Container
from tests.integration.gateway.calls import ask, ended, events
from tests.integration.gateway.held import Held
from tests.integration.gateway_process import Gateway
from tests.integration.sidecar import Sidecar
from tests.integration.waiting import DEADLINE_S, eventually

TAKE_OVER_S = 300
"""The longest that a killed gateway holds a key."""


@pytest.fixture
def clients() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(8) as pool:
        yield pool


def test_what_is_cancelled_at_one_ends_the_waits_at_both(
    gateways: list[Gateway], sidecar: Sidecar, held: Held, clients: ThreadPoolExecutor
) -> None:
    one, other = gateways
    submission = clients.submit(ask, one, "POST", "/api", {"Prefer": "wait=60"})
    assert held.began.wait(DEADLINE_S)
    [line] = eventually(lambda: one.events("request_submitted"), "the gateway to log the request")
    request_id = line["request_id"]
    asked = clients.submit(ask, other, "GET", f"/api/{request_id}?wait=60")
    status, _, document = ask(other, "DELETE", f"/api/{request_id}")
    assert (status, document["id"]) == (200, request_id)
    for waiting in (submission, asked):
        status, _, document = waiting.result(DEADLINE_S)
        assert status == 200
        assert (document["status"], document["error"]["code"]) == ("failed", "cancelled")


def test_events_at_both_tell_the_same_end(
    gateways: list[Gateway], sidecar: Sidecar, held: Held, clients: ThreadPoolExecutor
) -> None:
    one, other = gateways
    request_id = one.submit()
    assert held.began.wait(DEADLINE_S)
    began = threading.Barrier(3)

    def follow(gateway: Gateway) -> list[dict[str, Any]]:
        told: list[dict[str, Any]] = []
        for document in events(gateway, request_id):
            if not told:
                began.wait(DEADLINE_S)
            told.append(document)
        return told

    streams = [clients.submit(follow, gateway) for gateway in gateways]
    began.wait(DEADLINE_S)
    held.may_answer.set()
    at_one, at_other = [stream.result(DEADLINE_S) for stream in streams]
    assert at_one[0]["status"] in {"in_queue", "in_progress"}
    assert at_one[-1] == at_other[-1]
    assert (at_one[-1]["status"], at_one[-1]["result"]) == ("completed", {"ok": True})
    assert ended(other, request_id)["result"] == {"ok": True}


def test_a_key_at_both_is_one_request_whose_result_both_wait_for(
    gateways: list[Gateway], sidecar: Sidecar, container: Container, clients: ThreadPoolExecutor
) -> None:
    headers = {"Idempotency-Key": '"key"', "Prefer": "wait=60"}

    def submit(at: int) -> dict[str, Any]:
        def answered() -> dict[str, Any] | None:
            status, _, document = ask(gateways[at % 2], "POST", "/api", headers)
            assert status in {200, 409}
            return document if status == 200 else None

        return eventually(answered, "the result")

    documents = list(clients.map(submit, range(8)))
    assert {document["id"] for document in documents} == {documents[0]["id"]}
    assert all(document["result"] == {"ok": True} for document in documents)
    assert len(container.requests) == 1


def test_a_gateway_that_is_killed_disturbs_nobody_at_the_other(
    gateways: list[Gateway], sidecar: Sidecar, held: Held, clients: ThreadPoolExecutor
) -> None:
    killed, other = gateways
    request_id = killed.submit()
    assert held.began.wait(DEADLINE_S)
    asked = clients.submit(ask, other, "GET", f"/api/{request_id}?wait=60")
    stream = events(killed, request_id)
    assert next(stream)["status"] in {"in_queue", "in_progress"}
    killed.kill()
    assert all(document["status"] == "in_progress" for document in stream)
    again = events(other, request_id)
    assert next(again)["id"] == request_id
    held.may_answer.set()
    assert [*again][-1]["status"] == "completed"
    assert asked.result(DEADLINE_S)[2]["result"] == {"ok": True}


def test_submissions_go_on_at_the_other_with_their_keys(
    gateways: list[Gateway], sidecar: Sidecar, container: Container, clients: ThreadPoolExecutor
) -> None:
    killed, other = gateways
    taken = threading.Semaphore(0)

    def submit(number: int) -> tuple[bytes, int, dict[str, str], dict[str, Any]]:
        headers, payload = {"Idempotency-Key": f'"{uuid.uuid4()}"'}, b"%d" % number
        try:
            answer = ask(killed, "POST", "/api", headers, payload)
        except (OSError, http.client.HTTPException):
            answer = ask(other, "POST", "/api", headers, payload)
        taken.release()
        return payload, *answer

    answers = [clients.submit(submit, number) for number in range(60)]
    for _ in range(20):
        assert taken.acquire(timeout=DEADLINE_S)
    killed.kill()
    stored = {}
    for payload, status, headers, document in [answer.result(DEADLINE_S) for answer in answers]:
        if status == 409:  # the gateway was killed while it stored this one
            assert 1 <= int(headers["Retry-After"]) <= TAKE_OVER_S
        else:
            assert status == 200
            stored[payload] = document["id"]
    assert len(set(stored.values())) == len(stored) >= 60 - 8  # eight were under way
    for request_id in stored.values():
        assert ended(other, request_id)["status"] == "completed"
    runs = Counter(request.body for request in container.requests)
    assert all(runs[payload] == 1 for payload in stored), runs
