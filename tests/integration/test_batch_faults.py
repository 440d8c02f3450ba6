"""Batch jobs with killed workers, failing containers, and a late end of the job."""

from __future__ import annotations

import collections
import json
import threading

import pytest

from tests.integration.cloud import Cloud, Queue
from tests.integration.container import Container, Held, Reply, Request, in_turn
from tests.integration.sidecar import Sidecar, batch_settings
from tests.integration.test_batch import COMPLETE, run_job
from tests.integration.waiting import eventually


def test_a_worker_killed_in_the_middle_of_a_job(cloud: Cloud, queue: Queue, container: Container) -> None:
    enough, go_on = threading.Event(), threading.Event()

    def reply(_request: Request) -> Reply:
        if len(container.requests) >= 20:
            enough.set()
            assert go_on.wait(120)
        return Reply()

    container.reply = reply
    for number in range(40):
        queue.send(json.dumps([number]))
    queue.send_completion("job-1")
    settings = batch_settings(cloud, queue, container.port, DEQUEUER_VISIBILITY_TIMEOUT="10", DEQUEUER_WORKERS="2")
    sidecars = [Sidecar(settings) for _ in range(3)]
    try:
        assert enough.wait(120)
        eventually(lambda: container.running == 6, "all workers to be busy")
        # Its finished batches must be deleted before the kill; otherwise they would be repeated, too.
        finished = 'cortex_batch_succeeded{api_name="api",job_id="job-1"}'
        deleted = 'dequeuer_messages_total{settlement="succeeded"}'
        eventually(lambda: sidecars[0].metric(finished) == sidecars[0].metric(deleted), "what is done to be deleted")
        sidecars[0].process.kill()
        go_on.set()
        assert [sidecar.wait(180) for sidecar in sidecars] == [-9, 0, 0]
    finally:
        go_on.set()
        for sidecar in sidecars:
            sidecar.kill()
    batches = collections.Counter(request.body for request in container.requests if request.path == "/")
    assert set(batches) == {json.dumps([number]).encode() for number in range(40)}
    # Only the batches that the killed worker had in the container were repeated.
    assert sum(batches.values()) == 42
    assert container.paths(COMPLETE) == 1
    assert container.requests[-1].path == COMPLETE


def test_sigterm_in_mid_batch_finishes_it_and_leaves_the_rest(cloud: Cloud, queue: Queue, container: Container) -> None:
    container.reply = held = Held()
    for body in ("[1]", "[2]"):
        queue.send(body)
    with Sidecar(batch_settings(cloud, queue, container.port)) as sidecar:
        eventually(lambda: container.requests, "the container to have a batch")
        sidecar.terminate()
        eventually(lambda: sidecar.events("draining"), "the drain")
        held.release.set()
        assert sidecar.wait() == 0
    assert container.paths("/") == 1
    assert queue.count() == 1


def test_sigterm_while_the_end_of_the_job_is_awaited(cloud: Cloud, queue: Queue, container: Container) -> None:
    queue.send_completion("job-1")
    settings = batch_settings(cloud, queue, container.port)
    with Sidecar(settings | {"DEQUEUER_COMPLETION_DELAY": "3600"}) as sidecar:
        eventually(lambda: sidecar.metric("dequeuer_in_flight") == 1, "the message to be held")
        sidecar.terminate()
        assert sidecar.wait() == 0
    assert container.requests == []
    assert run_job(cloud, queue, container, 1) == [0]
    assert container.paths(COMPLETE) == 1


def test_an_end_that_is_taken_at_the_third_attempt(cloud: Cloud, queue: Queue, container: Container) -> None:
    container.reply = in_turn(Reply(status=500), Reply(status=0), Reply())
    queue.send_completion("job-1")
    assert run_job(cloud, queue, container, 1) == [0]
    assert container.paths(COMPLETE) == 3


@pytest.mark.parametrize("fifo", [False, True], ids=["standard", "fifo"])
def test_a_batch_that_always_fails_does_not_keep_the_job_from_ending(
    cloud: Cloud, container: Container, fifo: bool
) -> None:
    queue = cloud.queue(fifo=fifo, max_receives=2)
    assert queue.dead_letters is not None
    container.reply = lambda request: Reply(status=500 if request.body == b"[1]" else 200)
    for body in ("[1]", "[2]", "[3]"):
        queue.send(body)
    queue.send_completion("job-1")
    assert run_job(cloud, queue, container, 2) == [0, 0]
    assert queue.dead_letters.count() == 1
    assert queue.dead_letters.take() is not None
    assert collections.Counter(request.body for request in container.requests if request.path == "/") == {
        b"[1]": 2,
        b"[2]": 1,
        b"[3]": 1,
    }
    assert container.paths(COMPLETE) == 1
    assert container.requests[-1].path == COMPLETE


@pytest.mark.parametrize(
    "first", [Reply(status=503, headers={"Retry-After": "1"}), Reply(status=429)], ids=["503", "429"]
)
def test_a_busy_container_gets_the_batch_again_and_it_has_not_failed(
    cloud: Cloud, queue: Queue, container: Container, first: Reply
) -> None:
    container.reply = in_turn(first, Reply())
    queue.send("[1]")
    # Without it the sidecar ends soon, and its metrics with it.
    settings = batch_settings(cloud, queue, container.port, DEQUEUER_EXIT_WHEN_EMPTY="false")
    with Sidecar(settings) as sidecar:
        labels = '{api_name="api",job_id="job-1"}'
        eventually(lambda: sidecar.metric(f"cortex_batch_succeeded{labels}") == 1, "the batch to succeed")
        assert sidecar.metric(f"cortex_batch_failed{labels}") == 0
        sidecar.terminate()
        assert sidecar.wait() == 0
    assert container.paths("/") == 2


def test_no_answer_in_time_is_a_failed_attempt(cloud: Cloud, container: Container) -> None:
    queue = cloud.queue(max_receives=1)
    container.reply = held = Held()
    queue.send("[1]")
    with Sidecar(batch_settings(cloud, queue, container.port, DEQUEUER_REQUEST_TIMEOUT="0.5")):
        eventually(lambda: queue.dead_letters and queue.dead_letters.count() == 1, "the dead-letter queue")
        held.release.set()
    assert container.paths("/") == 1


def test_a_container_that_is_never_reachable_fails_the_batch_after_max_attempts(
    cloud: Cloud, queue: Queue, container: Container
) -> None:
    container.reply = lambda _request: Reply(cut=0)
    queue.send("[1]")
    assert run_job(cloud, queue, container, 1, DEQUEUER_MAX_ATTEMPTS="2") == [0]
    assert container.paths("/") == 2
