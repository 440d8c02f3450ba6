"""Batch jobs: every batch once, one call of on-job-complete, every sidecar exits with 0."""

from __future__ import annotations

import collections
import json
import socket
import threading

import pytest

from tests.integration.cloud import CLUSTER, Bucket, Cloud, Queue
from tests.integration.container import Container, Reply, Request, in_turn
from tests.integration.sidecar import Sidecar, batch_settings
from tests.integration.waiting import eventually

everywhere = pytest.mark.parametrize("cloud", ["ministack", "moto", "fauxqs"], indirect=True)
COMPLETE = "/on-job-complete"


def run_job(cloud: Cloud, queue: Queue, container: Container, sidecars: int, **more: str) -> list[int]:
    """Run sidecars until all of them have ended."""
    started = [Sidecar(batch_settings(cloud, queue, container.port, **more)) for _ in range(sidecars)]
    try:
        return [sidecar.wait(180) for sidecar in started]
    finally:
        for sidecar in started:
            sidecar.kill()


@everywhere
@pytest.mark.parametrize("fifo", [False, True], ids=["standard", "fifo"])
def test_a_hundred_batches_over_three_sidecars(cloud: Cloud, container: Container, fifo: bool) -> None:
    queue = cloud.queue(fifo=fifo)
    last: list[str] = []

    def reply(request: Request) -> Reply:
        last.append(request.path)
        return Reply(status=404 if request.path == COMPLETE else 200, headers={}, body=b"not JSON")

    container.reply = reply
    for number in range(100):
        queue.send(json.dumps([number]))
    queue.send_completion("job-1")
    assert run_job(cloud, queue, container, 3, DEQUEUER_WORKERS="3") == [0, 0, 0]
    assert container.paths(COMPLETE) == 1
    assert last[-1] == COMPLETE
    batches = collections.Counter(request.body for request in container.requests if request.path == "/")
    assert batches.keys() == {json.dumps([number]).encode() for number in range(100)}
    if cloud.name != "moto":
        # moto checks the visibility of a message and then hides it, without a lock: two simultaneous receives may both
        # get it.
        assert set(batches.values()) == {1}
    for request in container.requests:
        assert request.header("X-Cortex-Job-ID") == ["job-1"]
        assert request.header("Content-Type") == ["application/json"]
    [completion] = [request for request in container.requests if request.path == COMPLETE]
    assert completion.body == b'{"message":"job_complete"}'
    assert queue.is_empty()


@everywhere
def test_two_completion_messages_end_the_job_once(cloud: Cloud, queue: Queue, container: Container) -> None:
    queue.send("[1]")
    queue.send_completion("job-1")
    queue.send_completion("job-1")
    assert run_job(cloud, queue, container, 2) == [0, 0]
    assert container.paths(COMPLETE) == 1
    assert container.paths("/") == 1


def test_the_completion_is_not_notified_while_a_batch_still_runs(
    cloud: Cloud, queue: Queue, container: Container
) -> None:
    release = threading.Event()

    def reply(request: Request) -> Reply:
        if request.path == "/":
            assert release.wait(120)
        return Reply()

    container.reply = reply
    queue.send("[1]")
    queue.send_completion("job-1")
    with Sidecar(batch_settings(cloud, queue, container.port, DEQUEUER_WORKERS="2")) as sidecar:
        eventually(
            lambda: any(line["settlement"] == "requeued" for line in sidecar.events("message_settled")), "a put-back"
        )
        assert container.paths(COMPLETE) == 0
        release.set()
        assert sidecar.wait() == 0
    assert [request.path for request in container.requests] == ["/", COMPLETE]


def test_a_completion_that_is_refused_ends_the_job_with_1(cloud: Cloud, queue: Queue, container: Container) -> None:
    container.reply = lambda _request: Reply(status=500)
    queue.send_completion("job-1")
    assert run_job(cloud, queue, container, 1, DEQUEUER_MAX_ATTEMPTS="2") == [1]
    assert container.paths(COMPLETE) == 2
    assert queue.is_empty()


@everywhere
def test_a_failed_batch_goes_to_the_dead_letter_queue(cloud: Cloud, container: Container) -> None:
    queue = cloud.queue(max_receives=2)
    container.reply = lambda request: Reply(status=500 if request.body == b"[1]" else 200)
    queue.send("[1]")
    queue.send("[2]")
    # Without it the sidecar ends soon, and its metrics with it.
    settings = batch_settings(cloud, queue, container.port, DEQUEUER_EXIT_WHEN_EMPTY="false")
    with Sidecar(settings) as sidecar:
        eventually(lambda: queue.dead_letters and queue.dead_letters.count() == 1, "the dead-letter queue")
        eventually(queue.is_empty, "the other batch to be done")
        labels = '{api_name="api",job_id="job-1"}'
        assert sidecar.metric(f"cortex_batch_failed{labels}") == 2
        assert sidecar.metric(f"cortex_batch_succeeded{labels}") == 1
        assert sidecar.metric(f"cortex_time_per_batch_count{labels}") == 1
    assert container.paths("/") == 3


def test_without_a_redrive_policy_a_failed_batch_is_deleted(cloud: Cloud, queue: Queue, container: Container) -> None:
    container.reply = lambda _request: Reply(status=500)
    queue.send("[1]")
    assert run_job(cloud, queue, container, 1) == [0]
    assert container.paths("/") == 1


def test_a_container_that_breaks_off_gets_the_batch_again(cloud: Cloud, queue: Queue, container: Container) -> None:
    container.reply = in_turn(Reply(cut=2), Reply())
    queue.send("[1]")
    assert run_job(cloud, queue, container, 1) == [0]
    assert container.paths("/") == 2


def test_poison_is_deleted_without_a_redrive_policy(cloud: Cloud, queue: Queue, container: Container) -> None:
    queue.send('{"no": "array"}')
    assert run_job(cloud, queue, container, 1) == [0]
    assert container.requests == []


def test_statsd_gets_what_cortex_sent(cloud: Cloud, queue: Queue, container: Container) -> None:
    container.reply = in_turn(Reply(), Reply(status=500))
    queue.send("[1]")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as statsd:
        statsd.bind(("127.0.0.1", 0))
        statsd.settimeout(60)
        address = f"127.0.0.1:{statsd.getsockname()[1]}"
        # Without the second the sidecar ends when the first batch is done, perhaps before the next one is there.
        more = {"DEQUEUER_STATSD_ADDRESS": address, "DEQUEUER_EXIT_WHEN_EMPTY": "false"}
        with Sidecar(batch_settings(cloud, queue, container.port, **more)):
            first = {statsd.recv(1000).split(b"|", 1)[0].split(b":")[0] for _ in range(2)}
            queue.send("[2]")
            third = statsd.recv(1000)
    assert first == {b"cortex_batch_succeeded", b"cortex_time_per_batch"}
    assert third == b"cortex_batch_failed:1|c|#api_name:api,job_id:job-1"


def test_an_empty_queue_is_no_end_while_it_may_still_be_filled(
    cloud: Cloud, queue: Queue, bucket: Bucket, container: Container
) -> None:
    more = {"DEQUEUER_EXIT_WHEN_EMPTY": "false", "DEQUEUER_WORKER_ID": "worker-0-1"}
    store = {"DEQUEUER_BUCKET": bucket.name, "DEQUEUER_CLUSTER_UID": CLUSTER}
    with Sidecar(batch_settings(cloud, queue, container.port, **more, **store)) as sidecar:
        received = 'dequeuer_source_calls_total{error="none",op="receive"}'
        eventually(lambda: sidecar.metric(received) >= 5, "receives of an empty queue, long after an end")
        queue.send("[1]")
        sidecar.settled(1)
        sidecar.terminate()
        assert sidecar.wait() == 0
    key = f"{CLUSTER}/jobs/BatchAPI/0.42.1/api/job-1/workers/worker-0-1.json"
    counts = json.loads(bucket.s3.get_object(Bucket=bucket.name, Key=key)["Body"].read())
    assert (counts["succeeded"], counts["failed_attempts"], counts["failed_batches"]) == (1, 0, 0)


@pytest.mark.parametrize(("fails", "status"), [("false", 0), ("true", 143)])
def test_a_sidecar_that_is_stopped_before_the_end_may_end_with_143_and_the_last_one_with_0(
    cloud: Cloud, queue: Queue, container: Container, fails: str, status: int
) -> None:
    for number in range(2):
        queue.send(f"[{number}]")
    queue.send_completion("job-1")
    release = threading.Event()

    def reply(_request: Request) -> Reply:
        assert release.wait(120)
        return Reply()

    container.reply = reply
    settings = batch_settings(cloud, queue, container.port, DEQUEUER_FAIL_WHEN_STOPPED=fails)
    with Sidecar(settings) as sidecar:
        eventually(lambda: container.paths("/"), "a batch in the container")
        sidecar.terminate()
        release.set()
        assert sidecar.wait() == status
    assert run_job(cloud, queue, container, 1, DEQUEUER_FAIL_WHEN_STOPPED=fails) == [0]
    assert (container.paths("/"), container.paths(COMPLETE)) == (2, 1)
