from __future__ import annotations

from dequeuer.controller.ending import JobEnding
from dequeuer.controller.objects import JobObjects
from dequeuer.controller.output import JobOutput
from dequeuer.controller.ownership import Ownership
from dequeuer.jobs.documents import parse_end
from dequeuer.jobs.output_buckets import OutputBuckets
from dequeuer.sources.sqs.errors import translate
from dequeuer.sources.sqs.management import Queues
from tests.controller.stage import KEYS, FakeLauncher, FakeSqs, World, stay_open
from tests.fakes import MemoryStore


async def test_how_a_job_ended_is_decided_once() -> None:
    store = MemoryStore()
    objects = JobObjects(store)
    ownership = Ownership(objects, KEYS.prefix, "one", 30.0)
    assert await ownership.try_acquire()
    ending = JobEnding(
        KEYS,
        objects,
        Queues(FakeSqs(), translate),
        FakeLauncher(World()),
        JobOutput(KEYS, objects, OutputBuckets("bucket", store, lambda _: store, stay_open), ownership),
        cluster_name="cortex",
        ownership=ownership,
    )
    assert await ending.decide("stopped", None)
    assert not await ending.decide("succeeded", None)
    assert parse_end(store.objects[KEYS.end][0]).state == "stopped"
