"""An outage of AWS: the process stays, nothing is lost, and nothing is repeated without need."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.integration.cloud import Bucket, Cloud, Queue
from tests.integration.container import Container, Held
from tests.integration.outage import Wire
from tests.integration.sidecar import Sidecar, async_settings, batch_settings
from tests.integration.waiting import eventually


@pytest.fixture
def wire(cloud: Cloud) -> Iterator[Wire]:
    """The proxy to the cloud."""
    with Wire(cloud) as running:
        yield running


def test_an_outage_at_the_start(cloud: Cloud, queue: Queue, bucket: Bucket, container: Container, wire: Wire) -> None:
    wire.cut()
    request_id = bucket.submit(queue)
    with Sidecar(async_settings(cloud, queue, bucket, container.port, **wire.settings(queue))) as sidecar:
        eventually(lambda: sidecar.events("queue_unavailable"), "the outage to be logged")
        assert sidecar.get("/livez")[0] == 200
        wire.mend()
        assert eventually(lambda: bucket.ended(request_id), "the request to end") == "completed"
        sidecar.terminate()
        assert sidecar.wait() == 0
    assert len(container.requests) == 1


def test_an_outage_between_two_requests(
    cloud: Cloud, queue: Queue, bucket: Bucket, container: Container, wire: Wire
) -> None:
    settings = async_settings(cloud, queue, bucket, container.port, DEQUEUER_VISIBILITY_TIMEOUT="6")
    with Sidecar(settings | wire.settings(queue)) as sidecar:
        first = bucket.submit(queue)
        assert eventually(lambda: bucket.ended(first), "the request to end") == "completed"
        wire.cut()
        eventually(lambda: sidecar.events("queue_unavailable"), "the outage to be logged")
        second = bucket.submit(queue)
        assert sidecar.get("/healthz") == (200, "healthy")
        wire.mend()
        assert eventually(lambda: bucket.ended(second), "the request to end") == "completed"
        assert len(sidecar.events("queue_unavailable")) == 1
        eventually(lambda: sidecar.events("queue_available"), "the end of the outage to be logged")
    assert len(container.requests) == 2


def test_an_outage_while_the_response_is_stored(
    cloud: Cloud, queue: Queue, bucket: Bucket, container: Container, wire: Wire
) -> None:
    container.reply = held = Held()
    settings = async_settings(cloud, queue, bucket, container.port, DEQUEUER_VISIBILITY_TIMEOUT="600")
    with Sidecar(settings | wire.settings(queue)) as sidecar:
        request_id = bucket.submit(queue)
        eventually(lambda: container.requests, "the container to have the request")
        wire.cut()
        held.release.set()
        eventually(lambda: sidecar.events("store_unavailable"), "the outage to be logged")
        assert "result.json" not in bucket.names(request_id)
        wire.mend()
        assert eventually(lambda: bucket.ended(request_id), "the request to end") == "completed"
        eventually(queue.is_empty, "the queue to be empty")
    assert len(container.requests) == 1


def test_a_lease_that_cannot_be_renewed_stops_the_work_and_another_does_it(
    cloud: Cloud, queue: Queue, bucket: Bucket, container: Container, wire: Wire
) -> None:
    container.reply = held = Held()
    # The other worker, too, loses a shorter lease when it stalls.
    settings = async_settings(cloud, queue, bucket, container.port, DEQUEUER_VISIBILITY_TIMEOUT="6")
    with Sidecar(settings | wire.settings(queue)) as cut_off:
        request_id = bucket.submit(queue)
        eventually(lambda: container.requests, "the container to have the request")
        wire.cut()
        eventually(lambda: cut_off.events("lease_lost"), "the lease to be lost")
        with Sidecar(settings):
            eventually(lambda: len(container.requests) == 2, "another worker to have it")
            held.release.set()
            assert eventually(lambda: bucket.ended(request_id), "the request to end") == "completed"
        eventually(lambda: container.hung_up == 1, "the first POST to be given up")
        assert [line["settlement"] for line in cut_off.settled(1)] == ["lease_lost"]
        wire.mend()
        eventually(lambda: cut_off.events("queue_available"), "the queue to be back")
        cut_off.terminate()
        assert cut_off.wait() == 0
    assert queue.is_empty()
    assert len(container.requests) == 2


def test_sigterm_while_aws_is_away_ends_with_the_grace(
    cloud: Cloud, queue: Queue, bucket: Bucket, container: Container, wire: Wire
) -> None:
    container.reply = held = Held()
    settings = async_settings(
        cloud, queue, bucket, container.port, DEQUEUER_SHUTDOWN_GRACE="1", DEQUEUER_VISIBILITY_TIMEOUT="10"
    )
    with Sidecar(settings | wire.settings(queue)) as sidecar:
        request_id = bucket.submit(queue)
        eventually(lambda: container.requests, "the container to have the request")
        wire.cut()
        sidecar.terminate()
        assert sidecar.wait(40) == 0
    held.release.set()
    # The release could not be sent either: the lease expires.
    with Sidecar(settings):
        assert eventually(lambda: bucket.ended(request_id), "the request to end") == "completed"


def test_a_job_continues_where_it_was(cloud: Cloud, queue: Queue, container: Container, wire: Wire) -> None:
    container.reply = held = Held()
    queue.send("[1]")
    queue.send_completion("job-1")
    settings = batch_settings(cloud, queue, container.port, DEQUEUER_VISIBILITY_TIMEOUT="600")
    with Sidecar(settings | wire.settings(queue)) as sidecar:
        eventually(lambda: container.requests, "the container to have the batch")
        wire.cut()
        held.release.set()
        eventually(lambda: sidecar.events("queue_unavailable"), "the outage to be logged")
        wire.mend()
        assert sidecar.wait() == 0
    assert [request.path for request in container.requests] == ["/", "/on-job-complete"]
