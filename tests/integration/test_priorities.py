"""Several queues with weights: one real sidecar works off real queues."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.integration.cloud import Cloud
from tests.integration.container import Container, Reply, Request
from tests.integration.sidecar import Sidecar, queue_settings
from tests.integration.waiting import eventually


@pytest.mark.parametrize("cloud", ["ministack", "moto"], indirect=True)
def test_each_message_comes_from_its_queue_by_weight_and_ends_there(cloud: Cloud, container: Container) -> None:
    high, low, bad = cloud.queue(), cloud.queue(), cloud.queue(max_receives=2)
    names = [queue.url.rpartition("/")[2] for queue in (high, low, bad)]

    def reply(request: Request) -> Reply:
        return Reply(status=500) if request.body == b"bad" else Reply()

    container.reply = reply
    for number in range(40):
        high.send(f"high {number}")
        low.send(f"low {number}")
    bad.send("bad")
    settings = queue_settings(cloud, high, container.port)
    del settings["DEQUEUER_QUEUE_URL"]
    weights = zip((high, low, bad), (8, 2, 1), strict=True)
    settings["DEQUEUER_QUEUE_URLS"] = ", ".join(f"{queue.url} {weight}" for queue, weight in weights)
    with Sidecar(settings) as sidecar:
        for queue in (high, low, bad):
            eventually(queue.is_empty, "empty queues")
        received = [sidecar.metric(f'dequeuer_queue_messages_total{{op="receive",queue="{name}"}}') for name in names]
        sidecar.terminate()
        assert sidecar.wait() == 0
    assert received == [40, 40, 2]
    # Only the queue with a redrive policy tries again.
    assert bad.dead_letters is not None
    assert bad.dead_letters.count() == 1
    served = [request.body.split()[0] for request in container.requests]
    assert Counter(served) == {b"high": 40, b"low": 40, b"bad": 2}
    # Receives bring up to ten at a time.
    assert 3 <= Counter(served[:40])[b"low"] <= 20
    for request in container.requests:
        [name] = request.header("X-Aws-Sqsd-Queue")
        assert name == names[[b"high", b"low", b"bad"].index(request.body.split()[0])]
