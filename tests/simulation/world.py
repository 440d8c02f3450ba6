"""One world: a queue, a store, sidecars with their containers, and everything that happens to them by one seed."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Collection, Coroutine
from dataclasses import dataclass, field
from typing import Literal, get_args

from dequeuer.formats.envelope import Envelope, encode_envelope
from tests.history.checker import Terms, Violation, judge
from tests.history.records import Final, Record
from tests.simulation import clock
from tests.simulation.container import NATURES
from tests.simulation.plan import Plan, draw
from tests.simulation.queue import Queue
from tests.simulation.sidecar import Cloud, Kind, SimSidecar
from tests.simulation.store import Objects, digest
from tests.simulation.weather import ACTIONS, Action

CALM_S = 6 * 3600.0
"""How long everything may take once nothing goes wrong any more: retries wait for minutes at most."""
LOOK_EVERY_S = 10.0
LEFTOVER_S = 60.0
REFUSED_S = 120.0
"""The longest that an action is refused."""
"""How long what a sidecar had sent before it ended may take."""

Blow = Literal[
    "terminate", "terminate in a hurry", "kill", "restart container", "cut SQS", "cut S3", "stop the clock", "refuse"
]
BLOWS: tuple[Blow, ...] = get_args(Blow)


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What one world came to. `turns`: of the loop."""

    seed: int
    history: list[Record] = field(repr=False)  # asyncio writes down the result of a task when it installs Ctrl-C
    final: Final = field(repr=False)
    violations: list[Violation]
    faults: Counter[str] = field(default_factory=Counter)
    turns: int = 0


def simulate(seed: int, lives: int = 400, kind: Kind | None = None) -> Outcome:
    """Run one world and judge its history. The same arguments give the same history, record by record."""

    async def main() -> Outcome:
        world = World(seed, draw(lives, kind))
        await world.run()
        return world.outcome()

    return clock.run(seed, main, thorough=True)


class World:
    """Everything of one run."""

    def __init__(self, seed: int, plan: Plan) -> None:
        self.history: list[Record] = []
        self.faults: Counter[str] = Counter()
        self._seed = seed
        self._plan = plan
        self._shape = plan.shape
        self._cloud = Cloud(
            weather=plan.weather,
            queue=Queue(plan.weather, self.history.append, plan.max_receives),
            objects=Objects(self.history.append),
        )
        self._sidecars: list[SimSidecar] = []
        self._ending: list[SimSidecar] = []
        self._happening: list[asyncio.Task[None]] = []
        self._started = 0

    async def run(self) -> None:
        """Submit, let things go wrong, let them calm down, end."""
        for _ in range(self._plan.sidecars):
            self._start()
        storming = asyncio.create_task(self._storm())
        await self._submit()
        await storming
        await self._calm()
        await self._end()

    def outcome(self) -> Outcome:
        """Judge."""
        queue, bodies = self._cloud.queue, self._cloud.objects.bodies
        final = Final(
            queued=frozenset(letter.ref for letter in queue.there),
            dead=frozenset(queue.dead),
            objects={
                ref: {name: digest(body) if name == "result.json" else "" for name, body in objects.items()}
                for ref, objects in bodies.items()
            },
        )
        terms = Terms(
            kind=self._shape.kind, slots=self._shape.slots, has_redrive=queue.has_redrive, keeps_responses=True
        )
        return Outcome(
            seed=self._seed,
            history=self.history,
            final=final,
            violations=judge(self.history, final, terms),
            faults=self.faults,
            turns=clock.running().steps,
        )

    def _start(self) -> None:
        self._started += 1
        sidecar = SimSidecar(f"s{self._started}", self._shape, self._cloud, self.history.append)
        self._sidecars.append(sidecar)
        sidecar.start()

    async def _submit(self) -> None:
        for number in range(self._plan.lives):
            ref = f"{random.choice(NATURES)}-{number}"
            if self._shape.kind == "batch":
                self._cloud.queue.submit(ref, f'["{ref}"]')
            else:
                self._submit_request(ref)
            pace_s = self._plan.pace_s
            await asyncio.sleep(random.expovariate(1 / pace_s) if pace_s else 0)
        if self._shape.kind == "batch":
            attributes = {"job_complete": {"DataType": "String", "StringValue": "true"}}
            self._cloud.queue.submit("job_complete", "job_complete", "completion", attributes)

    def _submit_request(self, ref: str) -> None:
        fate = random.random()
        kind = "hopeless" if fate < 0.02 else ""
        headers = b"[]" if fate < 0.01 else b"{}"
        if random.random() < 0.3:
            envelope = Envelope(request_id=ref, headers=headers, content_type="text/plain", payload=b"payload")
            self._cloud.objects.submit(ref, {})
            self._cloud.queue.submit(ref, encode_envelope(envelope), kind if headers == b"[]" else "")
            return
        payload = {} if 0.01 <= fate < 0.02 else {"payload": b"payload"}
        self._cloud.objects.submit(ref, {"headers.json": headers, **payload})
        self._cloud.queue.submit(ref, ref, kind)

    async def _storm(self) -> None:
        """Do things to the world, one after the other or at the same time."""
        for _ in range(self._plan.blows):
            await asyncio.sleep(random.expovariate(1 / 8.0))
            self.strike(random.choice(BLOWS))

    def strike(self, blow: Blow) -> None:
        """Have something happen to a process or a server."""
        self.faults[blow] += 1
        happen: dict[Blow, Callable[[], Coroutine[None, None, None]]] = {
            "terminate": self._terminate,
            "terminate in a hurry": self._terminate_in_a_hurry,
            "kill": self._kill,
            "restart container": self._restart_container,
            "cut SQS": self._cut_sqs,
            "cut S3": self._cut_s3,
            "stop the clock": self._stop_the_clock,
            "refuse": self._refuse,
        }
        self._happening.append(asyncio.create_task(happen[blow]()))

    def _pick(self) -> SimSidecar:
        return random.choice(self._sidecars or self._ending)

    async def _terminate(self) -> None:
        sidecar = self._pick()
        sidecar.terminate()
        if random.random() < 0.3:
            await asyncio.sleep(random.uniform(0, 3))
            sidecar.container.stop()
        await self._replace(sidecar)

    async def _terminate_in_a_hurry(self) -> None:
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
        """The pod's successor begins, sometimes before it has ended."""
        if sidecar not in self._sidecars:
            return  # replaced already
        self._sidecars.remove(sidecar)
        self._ending.append(sidecar)
        if random.random() < 0.5:
            await sidecar.wait()
        await asyncio.sleep(random.uniform(0, 5))
        self._start()

    async def _restart_container(self) -> None:
        container = self._pick().container
        container.stop()
        await asyncio.sleep(random.uniform(0, 10))
        container.start()

    async def _cut_sqs(self) -> None:
        self._cloud.sqs_is_away = True
        await asyncio.sleep(random.uniform(0, 2 * self._shape.lease_s))
        self._cloud.sqs_is_away = False

    async def _cut_s3(self) -> None:
        self._cloud.s3_is_away = True
        await asyncio.sleep(random.uniform(0, 2 * self._shape.lease_s))
        self._cloud.s3_is_away = False

    async def _stop_the_clock(self) -> None:
        """All processes are stopped, the queue's clock is not."""
        clock.running().jump(random.uniform(0, 2 * self._shape.lease_s))

    async def _refuse(self) -> None:
        """Permissions are missing for a while: one or two."""
        await self._deny(set(random.choices(ACTIONS, k=2)), random.uniform(0, REFUSED_S))

    def refuse(self, action: Action, seconds: float) -> None:
        """Have one action refused for a while, from now on."""
        self._happening.append(asyncio.create_task(self._deny({action}, seconds)))

    async def _deny(self, actions: Collection[Action], seconds: float) -> None:
        denied = self._cloud.denied
        denied.update(actions)
        await asyncio.sleep(seconds)
        denied.difference_update(actions)

    async def _calm(self) -> None:
        """Nothing goes wrong any more: wait until the queue is empty."""
        loop = asyncio.get_running_loop()
        self._cloud.weather.calm()
        await asyncio.gather(*self._happening)
        ends = loop.time() + CALM_S
        while self._cloud.queue.there and loop.time() < ends:
            for sidecar in self._sidecars:
                sidecar.container.start()
            if all(sidecar.has_ended for sidecar in self._sidecars):
                self._start()
            await asyncio.sleep(LOOK_EVERY_S)

    async def _end(self) -> None:
        is_over = False
        while not is_over:
            for sidecar in self._sidecars:
                sidecar.terminate()
            for sidecar in self._sidecars + self._ending:
                await sidecar.wait()
            # A process that was struck near the end has a successor, which begins only now.
            await asyncio.gather(*self._happening)
            is_over = all(sidecar.has_ended for sidecar in self._sidecars)
        await self._look_for_leftovers()

    async def _look_for_leftovers(self) -> None:
        """Nothing runs on after a sidecar that ended by itself; one that was killed stopped in the middle."""
        left = asyncio.all_tasks() - {asyncio.current_task()}
        if left:
            _, left = await asyncio.wait(left, timeout=LEFTOVER_S)
        for task in left:
            task.cancel()
        if left:
            await asyncio.wait(left)
        if left and not self.faults["kill"]:
            raise AssertionError(f"still running after the end: {sorted(task.get_name() for task in left)}")
