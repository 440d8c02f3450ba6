"""One world: a queue, a store, sidecars with their containers, and their faults, all from one seed."""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from collections.abc import Callable, Collection, Coroutine
from dataclasses import dataclass, field, replace
from typing import Any, Literal, get_args

from dequeuer.formats.deadline import DEADLINE_ATTRIBUTE, encode_deadline
from dequeuer.formats.envelope import Envelope, encode_envelope
from dequeuer.handlers.queue_api.pointer import CLASSES, SIZE_ATTRIBUTES
from tests.history.checker import Terms, Violation, judge
from tests.history.records import Final, Record
from tests.simulation import clock
from tests.simulation.clock import EPOCH_S
from tests.simulation.container import BEHAVIOURS
from tests.simulation.network import ACTIONS, Action
from tests.simulation.outbox import WEBHOOK
from tests.simulation.plan import Plan, draw_own_end, draw_plan
from tests.simulation.queue import Queue
from tests.simulation.sidecar import BUCKET, MAX_ATTEMPTS, Cloud, Kind, SimSidecar
from tests.simulation.store import PREFIX, Objects, digest

EMPTY_TIMEOUT_S = 6 * 3600.0
"""How long the queue may take to become empty after the end of all faults. A retry waits for minutes at most."""
CHECK_INTERVAL_S = 10.0
LEFTOVER_TIMEOUT_S = 60.0
"""How long requests that a sidecar sent before it ended may take."""
MAX_REFUSAL_S = 120.0
"""The maximum time for which an action is refused."""

Disturbance = Literal[
    "terminate",
    "terminate twice",
    "kill",
    "restart container",
    "SQS outage",
    "S3 outage",
    "stop all processes",
    "refuse",
]
DISTURBANCES: tuple[Disturbance, ...] = get_args(Disturbance)


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """The result of one world.

    `turns`: the number of turns of the event loop. `own_ends`: sidecars that have ended by themselves.
    """

    seed: int
    # Not in the repr: asyncio formats the result of a task when it installs its handler of Ctrl-C.
    history: list[Record] = field(repr=False)
    final: Final = field(repr=False)
    violations: list[Violation]
    faults: Counter[str] = field(default_factory=Counter)
    turns: int = 0
    own_ends: int = 0


def simulate(
    seed: int,
    messages: int = 400,
    kind: Kind | None = None,
    *,
    announces: bool = False,
    cancels: bool = False,
    pauses: bool = False,
    own_ends: bool = False,
) -> Outcome:
    """Run one world and check its history. The same arguments give the same history, record by record.

    For the kind `async`: `announces`: each request has a webhook; `cancels`: clients cancel requests, or give them
    deadlines; `pauses`: they pause the API, and resume it. For the kinds `async` and `queue`: `own_ends`: sidecars end
    by themselves, and others are started.
    """

    async def main() -> Outcome:
        plan = draw_plan(messages, kind)
        shape = replace(plan.shape, announces=announces, cancels=cancels, pauses=pauses)
        if own_ends:
            shape = draw_own_end(shape)
        world = World(seed, replace(plan, shape=shape))
        await world.run()
        return world.outcome()

    return clock.run(seed, main, collects_garbage=True)


class World:
    """The servers, the sidecars and the history of one run."""

    def __init__(self, seed: int, plan: Plan) -> None:
        self.history: list[Record] = []
        self.faults: Counter[str] = Counter()
        self._seed = seed
        self._plan = plan
        self._shape = plan.shape
        self._cloud = Cloud(
            rates=plan.rates,
            queue=Queue(plan.rates, self.history.append, plan.max_receives),
            objects=Objects(self.history.append),
        )
        self._sidecars: list[SimSidecar] = []
        self._ending: list[SimSidecar] = []
        self._disturbances: list[asyncio.Task[None]] = []
        self._started = 0
        self.own_ends = 0
        """Sidecars that have ended by themselves."""

    async def run(self) -> None:
        """Submit all messages during the disturbances, wait until the queue is empty, then end all sidecars."""
        for _ in range(self._plan.sidecars):
            self._start()
        disturbing = asyncio.create_task(self._disturb_at_random())
        if self._shape.pauses:
            self._disturbances.append(asyncio.create_task(self._pause_at_random()))
        starting = asyncio.create_task(self._start_others()) if self._shape.ends_itself else None
        await self._submit()
        await disturbing
        await self._wait_until_empty()
        if starting is not None:
            starting.cancel()
            await asyncio.wait({starting})
        await self._end()

    def outcome(self) -> Outcome:
        """Check the history and return the result."""
        queue, bodies = self._cloud.queue, self._cloud.objects.bodies
        final = Final(
            queued=frozenset(message.ref for message in queue.messages),
            dead=frozenset(queue.dead),
            objects={
                ref: {name: digest(body) if name == "result.json" else "" for name, body in objects.items()}
                for ref, objects in bodies.items()
            },
        )
        terms = Terms(
            kind=self._shape.kind,
            slots=self._shape.slots,
            has_redrive=queue.has_redrive,
            keeps_responses=True,
            max_attempts=MAX_ATTEMPTS,
            groups=self._shape.groups,
            announces=self._shape.announces,
        )
        return Outcome(
            seed=self._seed,
            history=self.history,
            final=final,
            violations=judge(self.history, final, terms),
            faults=self.faults,
            turns=clock.running().steps,
            own_ends=self.own_ends,
        )

    def _start(self) -> None:
        self._started += 1
        sidecar = SimSidecar(f"s{self._started}", self._shape, self._cloud, self.history.append)
        self._sidecars.append(sidecar)
        sidecar.start()

    async def _submit(self) -> None:
        for number in range(self._plan.messages):
            ref = f"{random.choice(BEHAVIOURS)}-{number}"
            if self._shape.kind == "batch":
                self._cloud.queue.submit(ref, f'["{ref}"]')
            elif self._shape.kind == "queue":
                self._submit_message(ref, number)
            else:
                self._submit_request(ref)
            pace_s = self._plan.pace_s
            await asyncio.sleep(random.expovariate(1 / pace_s) if pace_s else 0)
        if self._shape.kind == "batch":
            attributes = {"job_complete": {"DataType": "String", "StringValue": "true"}}
            self._cloud.queue.submit("job_complete", "job_complete", "completion", attributes)

    def _submit_message(self, ref: str, number: int) -> None:
        """Submit a message as others do: with its body, or with a pointer to it, which may be missing."""
        groups, draw = self._shape.groups, random.random()
        group = f"group-{number % groups}" if groups else ""
        if draw < 0.8:
            self._cloud.queue.submit(ref, ref, group=group)
            return
        if draw > 0.82:
            self._cloud.objects.bodies[ref] = {"payload": ref.encode()}
        body = json.dumps([CLASSES[0], {"s3BucketName": BUCKET, "s3Key": f"{PREFIX}{ref}/payload"}])
        attributes = {SIZE_ATTRIBUTES[0]: {"DataType": "Number", "StringValue": "7"}}
        self._cloud.queue.submit(ref, body, attributes=attributes, group=group)

    def _submit_request(self, ref: str) -> None:
        draw = random.random()
        kind = "invalid_input" if draw < 0.02 else ""
        headers = b"[]" if draw < 0.01 else b"{}"
        attributes: dict[str, Any] = dict(WEBHOOK) if self._shape.announces else {}
        deadline_s = 0.0
        if self._shape.cancels:
            self._disturbances.append(asyncio.create_task(self._cancel(ref)))
            deadline_s = random.choice([0.0, 0.0, 0.0, random.uniform(0.5, 5), random.uniform(5, 300)])
        if deadline_s:
            at_s = EPOCH_S + asyncio.get_running_loop().time() + deadline_s
            attributes[DEADLINE_ATTRIBUTE] = {"DataType": "String", "StringValue": encode_deadline(at_s)}
        if random.random() < 0.3:
            envelope = Envelope(request_id=ref, headers=headers, content_type="text/plain", payload=b"payload")
            self._cloud.objects.submit(ref, {})
            self._cloud.queue.submit(
                ref, encode_envelope(envelope), kind if headers == b"[]" else "", attributes, deadline_s=deadline_s
            )
            return
        payload = {} if 0.01 <= draw < 0.02 else {"payload": b"payload"}
        self._cloud.objects.submit(ref, {"headers.json": headers, **payload})
        self._cloud.queue.submit(ref, ref, kind, attributes, deadline_s=deadline_s)

    async def _cancel(self, ref: str) -> None:
        """Ask for the cancellation of a request, or not: at once, while it waits or runs, or when it has ended."""
        if random.random() < 0.3:
            await asyncio.sleep(random.choice([0.0, random.uniform(0, 2), random.expovariate(1 / 20)]))
            self._cloud.objects.cancel(ref)

    async def _pause_at_random(self) -> None:
        for _ in range(3):
            await asyncio.sleep(random.expovariate(1 / 10.0))
            self._set_paused(is_paused=True)
            await asyncio.sleep(random.choice([0.0, random.uniform(0, 5), random.uniform(30, 120)]))
            self._set_paused(is_paused=False)

    def _set_paused(self, *, is_paused: bool) -> None:
        self._cloud.objects.set_paused(is_paused=is_paused)

    async def _disturb_at_random(self) -> None:
        """Start the disturbances, one after another; they can overlap."""
        for _ in range(self._plan.disturbances):
            await asyncio.sleep(random.expovariate(1 / 8.0))
            self.disturb(random.choice(DISTURBANCES))

    def disturb(self, disturbance: Disturbance) -> None:
        """Start a fault of a process or a server."""
        self.faults[disturbance] += 1
        actions: dict[Disturbance, Callable[[], Coroutine[None, None, None]]] = {
            "terminate": self._terminate,
            "terminate twice": self._terminate_twice,
            "kill": self._kill,
            "restart container": self._restart_container,
            "SQS outage": self._sqs_outage,
            "S3 outage": self._s3_outage,
            "stop all processes": self._stop_all_processes,
            "refuse": self._refuse,
        }
        self._disturbances.append(asyncio.create_task(actions[disturbance]()))

    def _pick(self) -> SimSidecar:
        return random.choice(self._sidecars or self._ending)

    async def _terminate(self) -> None:
        sidecar = self._pick()
        sidecar.terminate()
        if random.random() < 0.3:
            await asyncio.sleep(random.uniform(0, 3))
            sidecar.container.stop()
        await self._replace(sidecar)

    async def _terminate_twice(self) -> None:
        sidecar = self._pick()
        sidecar.terminate()
        await asyncio.sleep(random.uniform(0, 3))
        sidecar.terminate()
        await self._replace(sidecar)

    async def _kill(self) -> None:
        sidecar = self._pick()
        await sidecar.kill()
        await self._replace(sidecar)

    async def _replace(self, sidecar: SimSidecar) -> None:
        """Start a new sidecar, in half of the cases before the old one has ended."""
        if sidecar not in self._sidecars:
            return  # replaced already
        self._sidecars.remove(sidecar)
        self._ending.append(sidecar)
        if random.random() < 0.5:
            await sidecar.wait()
        await asyncio.sleep(random.uniform(0, 5))
        self._start()

    async def _start_others(self) -> None:
        """Start a sidecar for each that has ended by itself; until cancelled."""
        while True:
            await asyncio.sleep(1)
            for sidecar in [one for one in self._sidecars if one.has_ended]:
                await sidecar.wait()  # raises the error that ended it
                self.own_ends += 1
                await self._replace(sidecar)

    async def _restart_container(self) -> None:
        container = self._pick().container
        container.stop()
        await asyncio.sleep(random.uniform(0, 10))
        container.start()

    async def _sqs_outage(self) -> None:
        self._cloud.sqs_is_unavailable = True
        await asyncio.sleep(random.uniform(0, 2 * self._shape.lease_s))
        self._cloud.sqs_is_unavailable = False

    async def _s3_outage(self) -> None:
        self._cloud.s3_is_unavailable = True
        await asyncio.sleep(random.uniform(0, 2 * self._shape.lease_s))
        self._cloud.s3_is_unavailable = False

    async def _stop_all_processes(self) -> None:
        """Advance the clock while no process runs. Leases at the queue run on."""
        seconds = random.uniform(0, 2 * self._shape.lease_s)
        clock.running().jump(seconds)
        self.history.append(Record(at=asyncio.get_running_loop().time(), what="stopped", seconds=seconds))

    async def _refuse(self) -> None:
        """Deny one or two actions for a while."""
        await self._deny(set(random.choices(ACTIONS, k=2)), random.uniform(0, MAX_REFUSAL_S))

    def refuse(self, action: Action, seconds: float) -> None:
        """Deny one action for `seconds`, from now on."""
        self._disturbances.append(asyncio.create_task(self._deny({action}, seconds)))

    async def _deny(self, actions: Collection[Action], seconds: float) -> None:
        denied = self._cloud.denied
        denied.update(actions)
        await asyncio.sleep(seconds)
        denied.difference_update(actions)

    async def _wait_until_empty(self) -> None:
        """End all faults and wait until the queue is empty."""
        loop = asyncio.get_running_loop()
        self._cloud.rates.clear()
        await asyncio.gather(*self._disturbances)
        ends = loop.time() + EMPTY_TIMEOUT_S
        while self._cloud.queue.messages and loop.time() < ends:
            for sidecar in self._sidecars:
                sidecar.container.start()
            if all(sidecar.has_ended for sidecar in self._sidecars):
                self._start()
            await asyncio.sleep(CHECK_INTERVAL_S)

    async def _end(self) -> None:
        has_ended = False
        while not has_ended:
            for sidecar in self._sidecars:
                sidecar.terminate()
            for sidecar in self._sidecars + self._ending:
                await sidecar.wait()
            # A sidecar that was disturbed near the end is replaced by a new one, which starts only now.
            await asyncio.gather(*self._disturbances)
            has_ended = all(sidecar.has_ended for sidecar in self._sidecars)
        await self._check_leftovers()

    async def _check_leftovers(self) -> None:
        """Check that no task of a sidecar that ended by itself is left. A sidecar that was killed may leave tasks."""
        left = asyncio.all_tasks() - {asyncio.current_task()}
        if left:
            _, left = await asyncio.wait(left, timeout=LEFTOVER_TIMEOUT_S)
        for task in left:
            task.cancel()
        if left:
            await asyncio.wait(left)
        if left and not self.faults["kill"]:
            raise AssertionError(f"still running after the end: {sorted(task.get_name() for task in left)}")
