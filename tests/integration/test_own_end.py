"""A sidecar that ends by itself, for pods that are started for what waits and end when it is done."""

from __future__ import annotations

from pathlib import Path

from tests.integration.cloud import Bucket, Cloud, Queue
from tests.integration.container import Container, Held
from tests.integration.servers import free_port
from tests.integration.sidecar import Sidecar, async_settings, queue_settings
from tests.integration.waiting import eventually


def test_after_the_number_of_messages_it_ends_with_status_0_and_leaves_the_others(
    cloud: Cloud, queue: Queue, bucket: Bucket, container: Container
) -> None:
    submitted = [bucket.submit(queue) for _ in range(5)]
    settings = async_settings(
        cloud,
        queue,
        bucket,
        container.port,
        DEQUEUER_MAX_MESSAGES="2",
        DEQUEUER_WORKERS="4",
        DEQUEUER_VISIBILITY_TIMEOUT="3600",
    )
    with Sidecar(settings) as first:
        assert first.wait() == 0
        assert first.events("max_messages_reached")
        assert [line["settlement"] for line in first.events("message_settled")] == ["completed", "completed"]
    assert len(container.requests) == 2
    # The others were never hidden: a lease would have lasted for an hour.
    with Sidecar(settings | {"DEQUEUER_MAX_MESSAGES": "3"}) as second:
        assert second.wait() == 0
    assert [bucket.ended(one) for one in submitted] == 5 * ["completed"]
    assert queue.count() == 0


def test_without_work_it_ends_with_status_0_after_the_time(
    cloud: Cloud, queue: Queue, bucket: Bucket, container: Container
) -> None:
    request_id = bucket.submit(queue)
    settings = async_settings(
        cloud, queue, bucket, container.port, DEQUEUER_EXIT_WHEN_IDLE="2", DEQUEUER_POLL_WAIT="20"
    )
    with Sidecar(settings) as sidecar:
        assert sidecar.wait() == 0
        assert sidecar.events("idle_time_reached")
        assert not sidecar.events("draining")
    assert bucket.ended(request_id) == "completed"


def test_any_queue_has_both_and_work_that_is_longer_than_the_idle_time_is_finished(
    cloud: Cloud, queue: Queue, container: Container
) -> None:
    container.reply = held = Held()
    queue.send("a body")
    settings = queue_settings(cloud, queue, container.port, DEQUEUER_EXIT_WHEN_IDLE="1", DEQUEUER_WORKERS="2")
    with Sidecar(settings) as sidecar:
        eventually(lambda: container.requests, "the container to have the message")
        # Three polls of one second have brought nothing: long enough, were nothing in work.
        polls = 'dequeuer_source_calls_total{error="none",op="receive"}'
        before = sidecar.metric(polls)
        eventually(lambda: sidecar.metric(polls) >= before + 3, "three more polls")
        assert sidecar.process.poll() is None
        held.release.set()
        assert sidecar.wait() == 0
        assert [line["settlement"] for line in sidecar.events("message_settled")] == ["succeeded"]
    assert queue.count() == 0


def test_a_pod_whose_container_never_starts_does_not_end_as_a_success(
    cloud: Cloud, queue: Queue, bucket: Bucket, tmp_path: Path
) -> None:
    settings = async_settings(cloud, queue, bucket, free_port(), DEQUEUER_EXIT_WHEN_IDLE="1")
    with Sidecar(settings) as sidecar:
        eventually(lambda: sidecar.events("started"), "the start")
        failed = 'dequeuer_probes_total{ok="false",probe="user_port:tcp_socket"}'
        eventually(lambda: sidecar.metric(failed) >= 20, "probes of two seconds")
        assert sidecar.process.poll() is None
        assert sidecar.get("/healthz") == (500, "unhealthy")
