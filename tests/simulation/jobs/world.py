"""One world: a batch job, controllers, their enqueuers and workers, and faults of all of them, from one seed."""

from __future__ import annotations

import asyncio
import gzip
import itertools
import json
import logging
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Coroutine
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, Final, TypeVar

from dequeuer.core.events import ignore
from dequeuer.enqueuer.run import COMPLETION_BODY
from dequeuer.formats.go_time import parse_time
from dequeuer.gateway.job_calls import SqsCounts
from dequeuer.gateway.job_service import Cluster, Jobs
from dequeuer.jobs.deployed_api import DeployedApi
from dequeuer.jobs.errors import JobRequestError, JobsUnavailableError
from dequeuer.jobs.layout import JobKeys
from dequeuer.jobs.spec import JobSpec
from dequeuer.sources.sqs.management import Queues
from tests.history.job_checker import JobViolation, judge_job
from tests.history.job_facts import Call, JobFacts, Line, WorkerRun
from tests.history.records import Record
from tests.simulation import clock
from tests.simulation.jobs.bucket import Bucket
from tests.simulation.jobs.container import number_of
from tests.simulation.jobs.controller import BUCKET, CLUSTER, VERSION, SimController
from tests.simulation.jobs.plan import DISTURBANCES, Disturbance, JobPlan, draw_job
from tests.simulation.jobs.pods import SIDECAR_MARGIN_S, WORKER_GRACE_S, EnqueuerPod, SimPod, WorkerPod
from tests.simulation.jobs.process import Servers, SimCloud
from tests.simulation.jobs.queues import MAX_MESSAGE_BYTES, Account
from tests.simulation.network import FaultRates

T = TypeVar("T")

END_TIMEOUT_S: Final = 4 * 3600.0
"""How long a job may take after the end of all faults."""
CHECK_INTERVAL_S: Final = 5.0
LOSING: Final = frozenset({"kill worker", "kill controller", "SQS outage", "stop all processes"})
"""Faults that end leases without a settlement: they may use up the receives of a message. Others may not."""
LEFTOVER_TIMEOUT_S: Final = 60.0
SETTLE_S: Final = 120.0
"""How long the world goes on after the end of the job: whatever was late comes now."""
MAX_PAUSE_S: Final = 400.0
"""Longer than SQS recognises a message that is sent twice."""
FILES, OUTPUT, OUTPUT_PREFIX = "files", "output", "out"
DEAD_LETTERS: Final = "arn:aws:sqs:us-west-2:123456789012:dead.fifo"
API: Final = DeployedApi(
    name="sum", kind="BatchAPI", endpoint="/sum", api_id="api", spec_id="spec", pod_id="pod", config={}
)


@dataclass(frozen=True, kw_only=True)
class JobOutcome:
    """The result of one world."""

    seed: int
    plan: JobPlan = field(repr=False)
    facts: JobFacts = field(repr=False)
    violations: list[JobViolation]
    faults: Counter[str]
    seconds: float
    """That the world lasted."""


def simulate_job(seed: int) -> JobOutcome:
    """Run one world and check the life of its job. The same seed gives the same life."""

    async def main() -> JobOutcome:
        world = JobWorld(draw_job())
        await world.run()
        return world.outcome(seed)

    return clock.run(seed, main, collects_garbage=True)


class JobWorld:
    """The servers, the processes and the calls of one job."""

    def __init__(self, plan: JobPlan) -> None:
        self.plan = plan
        self.faults: Counter[str] = Counter()
        self._ends: list[str] = []
        self._calls: list[tuple[str, Call]] = []
        self._completed: set[str] = set()
        """Receipts of completion messages that were acknowledged."""
        self._servers = Servers(
            rates=plan.rates,
            buckets={BUCKET: Bucket(self._written), FILES: Bucket(), OUTPUT: Bucket()},
            account=Account(plan.rates, self._recorded),
        )
        cloud = SimCloud(self._servers, "gateway", has_faults=False)
        store = cloud.store(BUCKET, ignore)
        self._jobs = Jobs(
            store=store,
            outputs=cloud.outputs(BUCKET, store),
            buckets=_Buckets(cloud),
            queues=SqsCounts(Queues(cloud.client, cloud.translate)),
            apis={API.name: API},
            kinds={API.name: API.kind},
            cluster=Cluster(uid=CLUSTER, version=VERSION),
        )
        self._numbers = itertools.count(1)
        self._controllers: list[SimController] = []
        self._gone: list[SimController] = []
        """Those that were killed: what waits for ever in them must not be collected."""
        self._made: list[tuple[str, SimPod]] = []
        self._disturbances: list[asyncio.Task[None]] = []
        self._jumped_s = 0.0
        self._has_killed = False
        self._may_lose_receives = plan.rates != FaultRates()
        self._is_calm = plan.rates == FaultRates() and plan.disturbances == 0
        self._keys: JobKeys | None = None
        self._status: tuple[str, int | None] = ("", None)
        self._bugs = _Bugs()

    @property
    def keys(self) -> JobKeys:
        """Of the job."""
        if self._keys is None:
            raise AssertionError("there is no job yet")
        return self._keys

    async def run(self) -> None:
        """Submit the job, disturb it, and wait for its end."""
        with self._bugs:
            for _ in range(self.plan.controllers):
                self._start_controller()
            await self.submit()
            stopping = asyncio.create_task(self._stop_later())
            for _ in range(self.plan.disturbances):
                await asyncio.sleep(random.expovariate(1 / self.plan.pace_s))
                self.disturb(random.choice(DISTURBANCES))
            await asyncio.gather(stopping, *self._disturbances)
            await self._finish()

    async def _finish(self) -> None:
        """End all faults; wait for the end of the job, and for whatever is late; end all processes."""
        self.plan.rates.clear()
        await self._wait_for_end()
        await asyncio.sleep(SETTLE_S)
        status = await _ask(self._jobs.status, self.keys)
        self._status = status.state, status.spec.total_batch_count
        await self._end()

    async def run_paused(self, seconds: float) -> None:
        """The same without disturbances, for a job that is paused before a controller finds it."""
        await self.submit()
        await self._jobs.pause(API, self.keys.job_id)
        resuming = asyncio.create_task(self._resume_after(seconds))
        with self._bugs:
            self._start_controller()
            await resuming
            await self._finish()

    async def _resume_after(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
        await _ask(self._jobs.resume, self.keys)

    async def submit(self) -> None:
        """Submit the job, as a client of the gateway does."""
        parsed = await self._jobs.parse(API, json.dumps(self._body()).encode())
        spec = await self._jobs.submit(API, await self._jobs.check(parsed))
        self._keys = self._jobs.keys(API, spec.job_id)

    def _body(self) -> dict[str, Any]:
        plan = self.plan
        body: dict[str, Any] = {
            "workers": plan.workers,
            "on_bad_item": "skip" if plan.skips else "fail",
            "timeout": plan.timeout_s,
            "output": {"s3_path": f"s3://{OUTPUT}/{OUTPUT_PREFIX}"} if plan.behaviour.has_output else None,
        }
        if plan.max_receives is not None:
            body["sqs_dead_letter_queue"] = {"arn": DEAD_LETTERS, "max_receive_count": plan.max_receives}
        if plan.source == "item_list":
            return body | {"item_list": {"items": self._items(), "batch_size": plan.batch_size}}
        files = self._servers.buckets[FILES]
        if plan.source == "file_path_lister":
            for number in range(plan.items):
                files.put(f"in/{number:06}", b"")
        else:
            values = [json.dumps(item) for item in self._items()]
            borders = sorted(random.choices(range(len(values) + 1), k=3))
            parts = [values[begin:end] for begin, end in itertools.pairwise([0, *borders, len(values)])]
            for number, part in enumerate(parts):
                text = "\n".join(part).encode() + b"\n" * bool(part)
                is_compressed = random.random() < 0.3
                files.put(
                    f"in/{number}{'.gz' * is_compressed}", gzip.compress(text, mtime=0) if is_compressed else text
                )
        return body | {plan.source: {"s3_paths": [f"s3://{FILES}/in/"], "batch_size": plan.batch_size}}

    def _items(self) -> list[Any]:
        """Return the items, bad ones included: they are too large."""
        bad = self.plan.bad
        return [
            item
            for number in range(self.plan.items)
            for item in (["x" * MAX_MESSAGE_BYTES, number] if number in bad else [number])
        ]

    def _start_controller(self) -> None:
        name = f"c{next(self._numbers)}"
        controller = SimController(
            name,
            self._servers,
            lambda keys, spec, pod: self._make_pod(name, keys, spec, pod),
            ownership_timeout_s=self.plan.ownership_timeout_s,
        )
        self._controllers.append(controller)
        controller.start()

    def _make_pod(self, controller: str, keys: JobKeys, spec: JobSpec, name: str) -> SimPod:
        pod: SimPod
        if name == "enqueuer":
            pod = EnqueuerPod(keys, spec, self._servers, BUCKET)
        else:
            pod = WorkerPod(
                name,
                f"{name}-{next(self._numbers)}",
                keys,
                spec,
                self._servers,
                bucket=BUCKET,
                behaviour=self.plan.behaviour,
                record=lambda delivery, call: self._calls.append((delivery, call)),
                lease_s=self.plan.lease_s,
            )
        self._made.append((controller, pod))
        return pod

    def _written(self, key: str, body: bytes) -> None:
        if key.endswith("/end.json"):
            self._ends.append(body.decode())

    def _recorded(self, record: Record) -> None:
        if record.what == "done" and record.op == "ack" and record.ref == COMPLETION_BODY:
            self._completed.add(record.delivery)

    # Faults and requests of clients

    async def _stop_later(self) -> None:
        if self.plan.stop_after_s is not None:
            await asyncio.sleep(self.plan.stop_after_s)
            await _ask(self._jobs.stop, self.keys)

    def disturb(self, disturbance: Disturbance) -> None:
        """Start a fault."""
        self.faults[disturbance] += 1
        self._may_lose_receives |= disturbance in LOSING
        actions: dict[Disturbance, Callable[[], Coroutine[None, None, None]]] = {
            "kill controller": self._kill_controller,
            "drain controller": self._drain_controller,
            "stall controller": self._stall_controller,
            "kill worker": lambda: self._kill(WorkerPod),
            "kill enqueuer": lambda: self._kill(EnqueuerPod),
            "restart container": self._restart_container,
            "SQS outage": lambda: self._outage("sqs"),
            "S3 outage": lambda: self._outage("s3"),
            "stop all processes": self._stop_all_processes,
            "pause": self._pause,
        }
        self._disturbances.append(asyncio.create_task(actions[disturbance]()))

    async def _kill_controller(self) -> None:
        if self._controllers:
            self._has_killed = True
            controller = self._controllers.pop(random.randrange(len(self._controllers)))
            self._gone.append(controller)
            await controller.kill()
            await self._replace()

    async def _drain_controller(self) -> None:
        if self._controllers:
            controller = self._controllers.pop(random.randrange(len(self._controllers)))
            controller.terminate()
            await asyncio.gather(controller.wait(), self._replace())

    async def _replace(self) -> None:
        await asyncio.sleep(random.uniform(0, 2 * self.plan.ownership_timeout_s))
        self._start_controller()

    async def _stall_controller(self) -> None:
        if self._controllers:
            random.choice(self._controllers).stall(random.uniform(0, 2 * self.plan.ownership_timeout_s))

    async def _kill(self, kind: type[SimPod]) -> None:
        if running := [pod for _, pod in self._made if isinstance(pod, kind) and not pod.state.has_ended]:
            random.choice(running).kill()

    async def _restart_container(self) -> None:
        running = [pod for _, pod in self._made if isinstance(pod, WorkerPod) and not pod.state.has_ended]
        if running:
            random.choice(running).end_container()

    async def _outage(self, service: str) -> None:
        self._servers.outages.add(service)
        await asyncio.sleep(random.uniform(0, 2 * self.plan.lease_s))
        self._servers.outages.discard(service)

    async def _stop_all_processes(self) -> None:
        """Advance the clock while no process runs."""
        seconds = random.uniform(0, 2 * self.plan.lease_s)
        self._jumped_s += seconds
        clock.running().jump(seconds)

    async def _pause(self) -> None:
        with suppress(JobRequestError):
            await _ask(self._jobs.pause, self.keys)
            await self._resume_after(random.uniform(0, MAX_PAUSE_S))

    # The end

    @property
    def _is_over(self) -> bool:
        return self.keys.in_progress not in self._servers.buckets[BUCKET].bodies

    async def _wait_for_end(self) -> None:
        ends = asyncio.get_running_loop().time() + END_TIMEOUT_S
        while not self._is_over and asyncio.get_running_loop().time() < ends:  # noqa: ASYNC110 - S3 has no events
            await asyncio.sleep(CHECK_INTERVAL_S)

    async def _end(self) -> None:
        for controller in self._controllers:
            controller.terminate()
        await asyncio.gather(*(controller.wait() for controller in self._controllers))
        for _, pod in self._made:
            await pod.wait()
        await self._check_leftovers()

    async def _check_leftovers(self) -> None:
        """Check that no task is left. Those of killed processes wait for ever, and are ended."""
        left = asyncio.all_tasks() - {asyncio.current_task()}
        if left:
            _, left = await asyncio.wait(left, timeout=LEFTOVER_TIMEOUT_S)
        if left and not self._has_killed and not any(pod.cloud.is_dead for _, pod in self._made):
            raise AssertionError(f"still running after the end: {sorted(task.get_name() for task in left)}")
        while left:
            for task in left:
                task.cancel()
            _, left = await asyncio.wait(left, timeout=0.01)

    def outcome(self, seed: int) -> JobOutcome:
        """Check the life of the job and return the result."""
        facts = self.facts()
        moment_s = self.plan.ownership_timeout_s + WORKER_GRACE_S + SIDECAR_MARGIN_S + self._jumped_s
        violations = judge_job(facts, overlap_s=moment_s)
        return JobOutcome(
            seed=seed,
            plan=self.plan,
            facts=facts,
            violations=violations,
            faults=self.faults,
            seconds=asyncio.get_running_loop().time(),
        )

    def facts(self) -> JobFacts:
        """Return what is known of the job."""
        plan, objects = self.plan, self._servers.buckets[BUCKET].below(self.keys.prefix)
        dead = self._servers.account.all_dead()
        ends = [json.loads(text) for text in self._ends]
        status, total = self._status
        metrics = objects.get("metrics.json")
        ended_at = _time(ends[0]["end_time"]) if ends else 0.0
        return JobFacts(
            items=plan.items,
            batches=plan.batches,
            skipped=len(plan.bad) if plan.skips else 0,
            skipped_lines=sum(body.count(b"\n") for name, body in objects.items() if name.startswith("skipped/")),
            has_output=plan.behaviour.has_output,
            calls=[
                replace(call, may_be_cut=call.may_be_cut or delivery not in self._completed)
                for delivery, call in self._calls
            ],
            lines=self._lines(),
            ends=[end["status"] for end in ends],
            ended_at=ended_at,
            status=status,
            total_batches=total,
            metrics=json.loads(metrics) if metrics is not None else None,
            names=self._names(objects),
            is_in_index=not self._is_over,
            has_queue=bool(self._servers.account.queues),
            dead=frozenset(number_of(item) for body in dead - {COMPLETION_BODY} for item in json.loads(body)),
            records=sum(name.startswith("failures/") for name in objects),
            completion_died=self._may_lose_receives and COMPLETION_BODY in dead,
            causes=plan.causes,
            runs=[
                WorkerRun(
                    controller=controller, name=pod.name, began_at=pod.began_at, ended_at=pod.ended_at or ended_at
                )
                for controller, pod in self._made
                if isinstance(pod, WorkerPod)
            ],
            is_calm=self._is_calm,
        )

    def _names(self, objects: Collection[str]) -> frozenset[str]:
        names = frozenset(name.partition("/")[0] + "/" * ("/" in name) for name in objects)
        # A controller may claim a job that has ended a moment ago, and be killed, or lose it, before it deletes its claim.
        may_stay = frozenset[str]() if self._is_calm else frozenset({"owner/"})
        if self._has_killed:
            # The enqueuer of a killed controller may write where it is after another controller has ended the job.
            may_stay |= {"checkpoint.json"}
        return names - may_stay

    def _lines(self) -> list[Line]:
        found = []
        for name, body in self._servers.buckets[OUTPUT].below(f"{OUTPUT_PREFIX}/{self.keys.job_id}/").items():
            if name.startswith(("results/", "errors/")):
                for line in map(json.loads, body.splitlines()):
                    result = json.dumps(line["result"]) if "result" in line else None
                    found.append(Line(index=line["index"], result=result, source=name))
        return found


class _Buckets:
    """The buckets with files, for the gateway."""

    def __init__(self, cloud: SimCloud) -> None:
        self._cloud = cloud

    def listing(self, bucket: str) -> Any:
        """Return a bucket."""
        return self._cloud.store(bucket, ignore)


class _Bugs(logging.Handler):
    """Collects what the code under test logs as bugs; leaving the context raises the first one."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self._found: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self._found.append(self.format(record))

    def __enter__(self) -> None:
        logging.getLogger("dequeuer").addHandler(self)

    def __exit__(self, *_: object) -> None:
        logging.getLogger("dequeuer").removeHandler(self)
        if self._found:
            raise AssertionError(f"a bug was logged: {self._found[0]}")


async def _ask(call: Callable[[DeployedApi, str], Awaitable[T]], keys: JobKeys) -> T:
    """Call the gateway until it answers: the time of a call can be over because all processes stood still."""
    while True:
        with suppress(JobsUnavailableError):
            return await call(API, keys.job_id)


def _time(text: str) -> float:
    return parse_time(text) / 1e9 - clock.EPOCH_S
