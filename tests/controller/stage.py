"""A world for controllers in virtual time: S3, SQS and processes, each call of which can be the last one."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from dequeuer.controller.controller import Controller
from dequeuer.controller.launchers.base import ENQUEUER, ProcessState
from dequeuer.controller.objects import JobObjects
from dequeuer.controller.runner import Services
from dequeuer.core.drain import Drain
from dequeuer.handlers.batch_api.batch import batch_name
from dequeuer.jobs.checkpoint import Checkpoint, dump_checkpoint
from dequeuer.jobs.documents import JobEnd, parse_end
from dequeuer.jobs.layout import JobKeys
from dequeuer.jobs.output_buckets import OutputBuckets
from dequeuer.jobs.spec import JobSpec, dump_spec
from dequeuer.jobs.worker_counts import WorkerCounts, dump_counts
from dequeuer.sinks.layout import output_keys
from dequeuer.sources.sqs.errors import SqsResponseError, translate
from dequeuer.sources.sqs.management import Queues
from tests.fakes import MemoryStore, Recorder

CLUSTER = "cluster-uid"
EPOCH_S = 1_700_000_000.0
KEYS = JobKeys(cluster_uid=CLUSTER, kind="BatchAPI", version="0.42.1", api_name="sum", job_id="67a0000000000001")
QUEUE = "cx_1ee11af4_b_sum_67a0000000000001.fifo"
"""The name of the queue of the job `KEYS`."""
TASK_KEYS = dataclasses.replace(KEYS, kind="TaskAPI")


def make_spec(keys: JobKeys = KEYS, **fields: Any) -> JobSpec:
    """Return the specification of a job that was submitted at the beginning."""
    given = {"workers": 2, "start_time_ns": int(EPOCH_S * 1e9)} | fields
    return JobSpec(job_id=keys.job_id, api_name=keys.api_name, kind=keys.kind, **given)


class Crash(BaseException):
    """The process of a controller is gone."""


class Calls:
    """The calls of one controller to the world around it. `before` and `after` may raise, or wait."""

    def __init__(self) -> None:
        self.count = 0
        self.before: Callable[[int], Awaitable[None]] | None = None
        self.after: Callable[[int], Awaitable[None]] | None = None

    async def through(self, call: Callable[[], Awaitable[Any]]) -> Any:
        """Make a call."""
        self.count += 1
        number = self.count
        await asyncio.sleep(0.001)
        if self.before is not None:
            await self.before(number)
        result = await call()
        if self.after is not None:
            await self.after(number)
        return result


class Passing:
    """An object whose coroutine methods are calls of a controller."""

    def __init__(self, inner: Any, calls: Calls) -> None:
        self._inner = inner
        self._calls = calls

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._inner, name)

        async def call(*args: Any, **kwargs: Any) -> Any:
            return await self._calls.through(lambda: method(*args, **kwargs))

        return call


@dataclass
class FakeQueue:
    """A queue: how many messages it has, and what it was created with."""

    attributes: Mapping[str, str]
    tags: Mapping[str, str]
    messages: int = 0


@dataclass
class FakeSqs:
    """`QueueManagement`."""

    queues: dict[str, FakeQueue] = field(default_factory=dict)
    created: list[str] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)
    purged: list[str] = field(default_factory=list)
    refusal: str = ""

    async def create_queue(self, **request: Any) -> dict[str, Any]:
        name = request["QueueName"]
        if self.refusal:
            raise SqsResponseError(400, self.refusal, "refused by the test")
        if name in self.queues:
            if self.queues[name].attributes != request["Attributes"]:
                raise SqsResponseError(400, "QueueNameExists", "other attributes")
        else:
            self.queues[name] = FakeQueue(request["Attributes"], request["tags"])
            self.created.append(name)
        return {"QueueUrl": f"https://sqs/{name}"}

    async def get_queue_url(self, **request: Any) -> dict[str, Any]:
        self._find(request["QueueName"])
        return {"QueueUrl": f"https://sqs/{request['QueueName']}"}

    async def get_queue_attributes(self, **request: Any) -> dict[str, Any]:
        queue = self._find(request["QueueUrl"].rpartition("/")[2])
        counts = dict.fromkeys(request["AttributeNames"], "0")
        return {"Attributes": counts | {"ApproximateNumberOfMessages": str(queue.messages)}}

    async def purge_queue(self, **request: Any) -> dict[str, Any]:
        name = request["QueueUrl"].rpartition("/")[2]
        self._find(name).messages = 0
        self.purged.append(name)
        return {}

    async def delete_queue(self, **request: Any) -> dict[str, Any]:
        name = request["QueueUrl"].rpartition("/")[2]
        self._find(name)
        del self.queues[name]
        self.deleted.append(name)
        return {}

    def _find(self, name: str) -> FakeQueue:
        if name not in self.queues:
            raise SqsResponseError(400, "QueueDoesNotExist", name)
        return self.queues[name]


class FakeLauncher:
    """The processes of one controller. The enqueuer and the workers do their work as the world says."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.processes: dict[tuple[JobKeys, str], ProcessState] = {}
        self.started: list[str] = []

    async def start(self, keys: JobKeys, spec: JobSpec, name: str) -> None:
        state = self.processes.get((keys, name))
        if state is None or state.has_ended:
            self.started.append(name)
            self._world.started.append(name)
            outcome = self._world.starts.get(name, [])
            self.processes[keys, name] = outcome.pop(0) if outcome else ProcessState(phase="not_ready")

    async def observe(self, keys: JobKeys) -> Mapping[str, ProcessState]:
        return {name: state for (of, name), state in self.processes.items() if of == keys}

    async def stop(self, keys: JobKeys, names: Collection[str]) -> None:
        await asyncio.sleep(0.5)
        for name in names:
            if self.processes.pop((keys, name), None) is not None:
                self._world.stopped.append(name)

    def end(self, name: str, **fields: Any) -> None:
        """End a process of the job."""
        for (keys, of), state in self.processes.items():
            if of == name:
                self.processes[keys, of] = dataclasses.replace(state, **{"phase": "failed"} | fields)


async def stay_open(_: object) -> None:
    return


@dataclass
class World:
    """S3, SQS, and what processes do. `batches`: of the job; each takes a second of a worker."""

    batches: int = 6
    store: MemoryStore = field(default_factory=MemoryStore)
    output: MemoryStore = field(default_factory=MemoryStore)
    """The bucket of results of jobs that have an output."""
    sqs: FakeSqs = field(default_factory=FakeSqs)
    launchers: list[FakeLauncher] = field(default_factory=list)
    started: list[str] = field(default_factory=list)
    stopped: list[str] = field(default_factory=list)
    starts: dict[str, list[ProcessState]] = field(default_factory=dict)
    """How the next runs of a process begin; then they become ready."""
    recorder: Recorder = field(default_factory=Recorder)
    failing: int = 0
    """Batches that fail for good."""
    lost: frozenset[int] = frozenset()
    """Batches whose worker is killed at their last receive: nothing tells what became of them."""
    enqueues: bool = True
    works: bool = True
    sent: int = 0
    done: int = 0
    completions: int = 0
    ownership_timeout_s: float = 30.0
    queue_delay_s: float = 10.0
    turning: asyncio.Task[None] | None = None

    def submit(self, keys: JobKeys = KEYS, spec: JobSpec | None = None) -> None:
        """Store a job as the gateway does."""
        self.store.seed(
            [
                (keys.spec, dump_spec(spec or make_spec(keys))),
                (keys.payload, b"{}"),
                (keys.in_progress, b""),
            ]
        )

    def controller(self, calls: Calls | None = None, name: str = "one", **more: Any) -> tuple[Controller, Drain]:
        """Return a controller, and what stops it."""
        if self.turning is None:  # not in a fixture: virtual time begins with the test
            self.turning = asyncio.create_task(self.turn())
        calls, drain, launcher = calls or Calls(), Drain(), FakeLauncher(self)
        self.launchers.append(launcher)
        store: Any = Passing(self.store, calls)
        output: Any = Passing(self.output, calls)
        services = Services(
            objects=JobObjects(store),
            outputs=OutputBuckets("bucket", store, lambda _: output, stay_open),
            queues=Queues(Passing(self.sqs, calls), translate),
            launcher=Passing(launcher, calls),
            observer=self.recorder,
            cluster_name="cortex",
            owner_id=name,
            ownership_timeout_s=self.ownership_timeout_s,
            queue_delay_s=self.queue_delay_s,
        )
        given: dict[str, Any] = {
            "cluster_uid": CLUSTER,
            "version": "0.42.1",
            "serves": lambda _: True,
            "max_jobs": 10,
        } | more
        return Controller(services, drain=drain, **given), drain

    async def turn(self) -> None:
        """Let the processes work, a second for each turn; until cancelled."""
        while True:
            await asyncio.sleep(1.0)
            for launcher in self.launchers:
                for (keys, name), state in list(launcher.processes.items()):
                    if not state.has_ended:
                        launcher.processes[keys, name] = self._work(keys, name, state)

    def end_turning(self) -> None:
        """Let the processes stand still."""
        if self.turning is not None:
            self.turning.cancel()

    def _work(self, keys: JobKeys, name: str, state: ProcessState) -> ProcessState:
        queue = next(iter(self.sqs.queues.values()), None)
        if keys.kind == "TaskAPI":
            return dataclasses.replace(state, phase="succeeded", was_ready=True) if self.works else state
        if queue is None:
            return dataclasses.replace(state, phase="failed", detail="found no queue")
        if name == ENQUEUER:
            return self._enqueue(keys, queue, state)
        if self.works and state.phase == "ready" and queue.messages:
            queue.messages -= 1
            if self.done < self.batches:
                self.done += 1
                failed = 1 if self.done <= self.failing else 0
                if self.done - 1 in self.lost:
                    return dataclasses.replace(state, phase="ready", was_ready=True)
                self._store_results(keys, self.done - 1, is_failed=bool(failed))
                counts = WorkerCounts(succeeded=1 - failed, failed_batches=failed, failed_attempts=failed, seconds=1.0)
                self.store.objects[f"{keys.prefix}workers/{self.done:04}.json"] = (dump_counts(counts), None)
            else:
                self.completions += 1
        return dataclasses.replace(state, phase="ready", was_ready=True)

    def _store_results(self, keys: JobKeys, batch: int, *, is_failed: bool) -> None:
        output, items = output_keys("out", keys.job_id), range(10 * batch, 10 * batch + 10)
        results = "".join(f'{{"index":{item},"result":{item}}}\n' for item in items)
        errors = results.replace('"result":', '"error":')
        name = batch_name(batch, 0)
        self.output.seed([(output.results(name), b"" if is_failed else results.encode())])
        if is_failed:
            self.output.seed([(output.errors(name), errors.encode())])

    def _enqueue(self, keys: JobKeys, queue: FakeQueue, state: ProcessState) -> ProcessState:
        if not self.enqueues:
            return state
        if self.sent < self.batches:
            self.sent += 1
            queue.messages += 1
            self.store.objects[keys.checkpoint] = (
                dump_checkpoint(Checkpoint(batches=self.sent, items=self.sent * 10)),
                None,
            )
            return state
        if keys.max_batch_count not in self.store.objects:
            self.store.objects[keys.max_batch_count] = (str(self.batches).encode(), None)
            return state
        if keys.payload in self.store.objects:
            queue.messages += 1  # the completion message
            del self.store.objects[keys.payload]
        return dataclasses.replace(state, phase="succeeded", was_ready=True)

    def names(self, keys: JobKeys = KEYS) -> set[str]:
        """Return the names of the objects of the job."""
        return {key.removeprefix(keys.prefix) for key in self.store.objects if key.startswith(keys.prefix)}

    def end(self, keys: JobKeys = KEYS) -> JobEnd:
        """Return how the job ended."""
        return parse_end(self.store.objects[keys.end][0])

    def is_over(self, keys: JobKeys = KEYS) -> bool:
        """Return whether no controller looks at the job any more."""
        return keys.in_progress not in self.store.objects

    async def until(self, condition: Callable[[], object], within_s: float = 600.0) -> None:
        """Wait until a condition holds."""
        async with asyncio.timeout(within_s):
            while not condition():  # noqa: ASYNC110 - fakes have no events
                await asyncio.sleep(0.5)
