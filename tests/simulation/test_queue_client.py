"""Which decisions of a sidecar are recorded."""

from __future__ import annotations

import asyncio

from tests.history.records import Record
from tests.simulation.network import Connection, FaultRates
from tests.simulation.queue import Queue
from tests.simulation.queue_client import QueueClient, unavailable_error


async def test_a_decision_after_the_end_of_its_lease_is_not_recorded() -> None:
    history: list[Record] = []
    rates = FaultRates()
    queue = Queue(rates, history.append, None)
    queue.submit("a request", "a request")
    receipt = queue.deliver("s1", 1, 120)[0]["ReceiptHandle"]
    client = QueueClient(queue, "s1", Connection(rates, lambda: False, unavailable_error), history.append)
    now = asyncio.get_running_loop().time()
    history.clear()

    client.record_decision("release", receipt, now - 1)
    assert history == []

    client.record_decision("release", receipt, now + 60)
    assert [(record.what, record.op) for record in history] == [("asked", "release")]
