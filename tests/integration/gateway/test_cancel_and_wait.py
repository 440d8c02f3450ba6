"""Clients cancel requests, give them deadlines and wait for them, with gateway, sidecar and container as processes."""

from __future__ import annotations

import http.client
import threading

from tests.integration.cloud import Bucket, Cloud, Queue
from tests.integration.container import Container
from tests.integration.gateway.calls import ask, ended
from tests.integration.gateway.held import Held
from tests.integration.gateway_process import Gateway
from tests.integration.sidecar import Sidecar
from tests.integration.waiting import DEADLINE_S, eventually


def test_a_running_request_is_cut_and_a_queued_one_never_reaches_the_container(
    gateway: Gateway, sidecar: Sidecar, held: Held, container: Container
) -> None:
    running = gateway.submit(b"first")
    assert held.began.wait(DEADLINE_S)
    queued = gateway.submit(b"second")
    for request_id in (queued, running):
        status, _, document = ask(gateway, "DELETE", f"/api/{request_id}")
        assert (status, document["id"]) == (200, request_id)
        assert document["status"] in {"in_queue", "in_progress"}
        assert "cancel_requested" in document
    for request_id in (running, queued):
        document = ended(gateway, request_id)
        assert (document["status"], document["error"]["code"]) == ("failed", "cancelled")
    held.may_answer.set()
    # The container saw the disconnect of the first, and nothing of the second.
    eventually(lambda: container.hung_up, "the container to see that nobody waits")
    assert [request.body for request in container.requests] == [b"first"]
    assert gateway.submit(b"third") not in {running, queued}
    eventually(lambda: len(container.requests) == 2, "the next request to reach the container")


def test_a_request_that_has_ended_stays_as_it_is(gateway: Gateway, sidecar: Sidecar) -> None:
    request_id = gateway.submit()
    assert ended(gateway, request_id)["status"] == "completed"
    status, _, document = ask(gateway, "DELETE", f"/api/{request_id}")
    assert (status, document["status"], document["result"]) == (200, "completed", {"ok": True})
    assert "cancel_requested" not in document


def test_deadlines(gateway: Gateway, sidecar: Sidecar, held: Held, container: Container) -> None:
    sidecar.wait_ready()  # on a busy machine its start alone can take longer than the deadline
    _, _, cut = ask(gateway, "POST", "/api", {"Cancel-After": "10"})
    assert held.began.wait(DEADLINE_S)
    _, _, late = ask(gateway, "POST", "/api", {"Cancel-After": "0"})
    document = ended(gateway, cut["id"])
    assert (document["status"], document["error"]["code"]) == ("failed", "cancelled")
    assert "deadline" in document["error"]["message"]
    document = ended(gateway, late["id"])
    assert (document["status"], document["error"]["code"]) == ("failed", "expired")
    assert len(container.requests) == 1
    assert "Cancel-After" not in dict(container.requests[0].headers)


def test_a_submission_waits_for_its_result(gateway: Gateway, sidecar: Sidecar) -> None:
    status, headers, document = ask(gateway, "POST", "/api", {"Prefer": "wait=60"})
    assert (status, headers["Preference-Applied"]) == (200, "wait=60")
    assert (document["status"], document["result"]) == ("completed", {"ok": True})


def test_a_request_whose_gateway_is_killed_while_its_client_waits_is_done(
    cloud: Cloud, queue: Queue, bucket: Bucket, gateway: Gateway, sidecar: Sidecar, held: Held
) -> None:
    failures: list[Exception] = []

    def submit() -> None:
        try:
            ask(gateway, "POST", "/api", {"Prefer": "wait=60"})
        except (OSError, http.client.HTTPException) as error:
            failures.append(error)

    client = threading.Thread(target=submit)
    client.start()
    assert held.began.wait(DEADLINE_S)
    # The gateway logs a request after its message is sent.
    [line] = eventually(lambda: gateway.events("request_submitted"), "the gateway to log the request")
    request_id = line["request_id"]
    gateway.kill()
    client.join(DEADLINE_S)
    assert failures
    held.may_answer.set()
    with Gateway(cloud.url, bucket, queue.url) as another:
        another.wait_started()
        assert ended(another, request_id)["status"] == "completed"


def test_waits_end_when_the_gateway_stops(gateway: Gateway, sidecar: Sidecar, held: Held) -> None:
    answers: list[tuple[int, str]] = []

    def submit() -> None:
        status, _, document = ask(gateway, "POST", "/api", {"Prefer": "wait=60"})
        answers.append((status, document["status"]))

    client = threading.Thread(target=submit)
    client.start()
    assert held.began.wait(DEADLINE_S)
    gateway.terminate()
    client.join(DEADLINE_S)
    assert gateway.wait() == 0
    assert answers in ([(202, "in_queue")], [(202, "in_progress")])
