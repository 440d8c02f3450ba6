"""The sidecar of a batch job: which objects it writes, into which buckets."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import replace

import pytest

from dequeuer.core.drain import Drain
from dequeuer.core.errors import ContainerUnavailableError, FatalError
from dequeuer.core.events import Observer
from dequeuer.core.message import Done, Reject, Retry
from dequeuer.handlers.response_policy import ResponsePolicy
from dequeuer.jobs.worker_counts import WorkerCounts
from dequeuer.publishing.operations import EventBusOperations, SnsOperations
from dequeuer.sidecar.api_kinds import ApiKind, WorkerDependencies, make_api_kind
from dequeuer.sidecar.batch_counts import BatchCounter
from dequeuer.sinks.base import ObjectStore
from dequeuer.sinks.expiry import ExpiryChange
from dequeuer.sources.sqs.errors import Translate, translate
from dequeuer.sources.sqs.operations import SqsClient
from tests.enqueuer.stage import FakeSqs
from tests.fakes import FakeSource, MemoryStore, OpenFence, make_message
from tests.handlers.stage import Reply, ScriptedTarget
from tests.settings.environments import BATCH, load

JOB = BATCH | {"DEQUEUER_BUCKET": "jobs", "DEQUEUER_CLUSTER_UID": "uid", "DEQUEUER_WORKER_ID": "worker-0"}
PREFIX = "uid/jobs/BatchAPI/0.42.1/my-api/69b183ed6bdf3e9b/"
RESULTS = "out/69b183ed6bdf3e9b/results/"


class MemoryCloud:
    """Buckets in memory."""

    def __init__(self) -> None:
        self.buckets: dict[str, MemoryStore] = {"jobs": MemoryStore(), "other": MemoryStore()}
        self.opened: list[tuple[str, bool]] = []

    @property
    def translate(self) -> Translate:
        return translate

    def sqs(self, *, longest_wait_s: float) -> AbstractAsyncContextManager[SqsClient]:
        raise NotImplementedError

    def sns(self, region: str) -> AbstractAsyncContextManager[SnsOperations]:
        raise NotImplementedError

    def event_bridge(self, region: str) -> AbstractAsyncContextManager[EventBusOperations]:
        raise NotImplementedError

    def store(self, bucket: str, observer: Observer, *, is_foreign: bool = False) -> MemoryStore:
        self.opened.append((bucket, is_foreign))
        return self.buckets[bucket]

    async def close_store(self, store: ObjectStore) -> None:
        raise NotImplementedError

    async def ensure_expiry(self, *, bucket: str, prefix: str, days: int) -> ExpiryChange:
        raise NotImplementedError

    def observe(self, observer: Observer) -> None:
        raise NotImplementedError

    async def close(self) -> None:
        raise NotImplementedError


class Stage:
    def __init__(self, environ: Mapping[str, str], reply: Reply | None = None) -> None:
        self.settings = load([], environ)
        self.cloud = MemoryCloud()
        self.target = ScriptedTarget([reply or Reply(body=b"[1]")])
        self.counter = BatchCounter()

    async def kind(self) -> ApiKind:
        dependencies = WorkerDependencies(
            cloud=self.cloud,
            source=FakeSource(),
            target=self.target,
            policy=ResponsePolicy(max_attempts=5, retry_statuses=frozenset()),
            drain=Drain(),
            observer=self.counter,
            sqs=FakeSqs(),  # type: ignore[arg-type] # it only sends
            counter=self.counter,
        )
        return await make_api_kind(self.settings, dependencies)


MESSAGE = make_message("[7]", batch_index="2", item_index="5")


async def test_without_an_output_and_a_worker_id_no_bucket_is_opened() -> None:
    stage = Stage({name: value for name, value in JOB.items() if name != "DEQUEUER_WORKER_ID"})
    kind = await stage.kind()
    assert await kind.handler.handle(MESSAGE, OpenFence()) == Done(state="succeeded")
    assert stage.cloud.opened == []
    assert kind.harmless_calls == {}
    assert kind.finish is None


async def test_batches_that_failed_and_counts_are_among_the_objects_of_the_job() -> None:
    stage = Stage(JOB, Reply(status=500))
    kind = await stage.kind()
    assert isinstance(await kind.handler.handle(MESSAGE, OpenFence()), Reject)
    assert kind.finish is not None
    assert set(stage.cloud.buckets["jobs"].objects) == {f"{PREFIX}failures/00000002.json"}
    assert stage.counter.counts == WorkerCounts(failed_attempts=1, failed_batches=1)


async def test_a_batch_that_is_delivered_again_after_its_failure_has_failed_once() -> None:
    stage = Stage(JOB, Reply(status=500))
    handler = (await stage.kind()).handler
    for _ in range(2):
        assert isinstance(await handler.handle(MESSAGE, OpenFence()), Reject)
    assert stage.counter.counts == WorkerCounts(failed_attempts=2, failed_batches=1)


@pytest.mark.parametrize(("receive_count", "failed"), [(1, 0), (2, 0), (3, 1), (4, 1)])
@pytest.mark.parametrize("reply", [Reply(status=500), Reply(error=ContainerUnavailableError("refused"))])
async def test_a_batch_has_failed_for_good_at_its_last_receive_however_it_ends(
    reply: Reply, receive_count: int, failed: int
) -> None:
    stage = Stage(JOB, reply)
    handler = (await stage.kind()).handler
    outcome = await handler.handle(replace(MESSAGE, receive_count=receive_count, max_receives=3), OpenFence())
    assert isinstance(outcome, Retry if reply.error else Reject)
    assert stage.counter.counts.failed_batches == failed
    assert len(stage.cloud.buckets["jobs"].objects) == failed


async def test_items_that_are_tried_again_and_fail_are_no_batch_of_the_job() -> None:
    stage = Stage(JOB | {"DEQUEUER_OUTPUT": "s3://jobs/out/"}, Reply(status=500))
    handler = (await stage.kind()).handler
    part = make_message("[7,8]", batch_index="2", batch_part="1", item_indexes="5,9")
    assert isinstance(await handler.handle(part, OpenFence()), Reject)
    assert stage.counter.counts == WorkerCounts(failed_attempts=1, failed_items=2)


@pytest.mark.parametrize(
    ("bucket", "opened"), [("jobs", [("jobs", False)]), ("other", [("jobs", False), ("other", True)])]
)
async def test_results_go_to_their_own_bucket(bucket: str, opened: list[tuple[str, bool]]) -> None:
    stage = Stage(JOB | {"DEQUEUER_OUTPUT": f"s3://{bucket}/out/"})
    kind = await stage.kind()
    assert await kind.handler.handle(MESSAGE, OpenFence()) == Done(state="succeeded")
    assert stage.cloud.opened == opened
    objects = stage.cloud.buckets[bucket].objects
    assert objects[f"{RESULTS}00000002.jsonl"][0] == b'{"index":5,"result":1}\n'


async def test_a_refusal_is_checked_in_the_bucket_of_the_object() -> None:
    stage = Stage(JOB | {"DEQUEUER_OUTPUT": "s3://other/out"})
    write = (await stage.kind()).harmless_calls["s3", "put"]
    for key, bucket in ((f"{RESULTS}00000002.jsonl", "other"), (f"{PREFIX}workers/worker-0.json", "jobs")):
        await write(key)
        assert stage.cloud.buckets[bucket].journal[-1] == ("check", key)


@pytest.mark.parametrize(("bucket", "op"), [("other", "list"), ("other", "check_write"), ("jobs", "check_write")])
async def test_a_bucket_that_refuses_ends_the_start(bucket: str, op: str) -> None:
    stage = Stage(JOB | {"DEQUEUER_OUTPUT": "s3://other/out"})
    stage.cloud.buckets[bucket].refuse(op)
    with pytest.raises(FatalError, match=f"the bucket {bucket} cannot be"):
        await stage.kind()
    assert stage.target.requests == []
