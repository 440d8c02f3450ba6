"""What of a sidecar's decisions is put on record."""

from __future__ import annotations

import asyncio

from tests.history.records import Record
from tests.simulation.queue import Queue
from tests.simulation.queue_client import QueueClient, away
from tests.simulation.weather import Port, Weather


async def test_a_decision_after_the_end_of_its_lease_is_not_on_record() -> None:
    history: list[Record] = []
    weather = Weather()
    queue = Queue(weather, history.append, None)
    queue.submit("a request", "a request")
    receipt = queue.hand_out("s1", 1, 120)[0]["ReceiptHandle"]
    client = QueueClient(queue, "s1", Port(weather, lambda: False, away), history.append)
    now = asyncio.get_running_loop().time()
    history.clear()

    client.expect("release", receipt, now - 1)
    assert history == []

    client.expect("release", receipt, now + 60)
    assert [(record.what, record.op) for record in history] == [("asked", "release")]
