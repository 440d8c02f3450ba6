"""Worlds in which clients submit with an `Idempotency-Key`: twice, at the same time, to gateways that are killed."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from dataclasses import dataclass, field
from functools import partial

from dequeuer.core import clock as wall_clock
from dequeuer.gateway.errors import GatewayError
from dequeuer.gateway.idempotency_key import KeyInUseError, KeyReusedError
from tests.history.checker import Violation
from tests.history.key_checker import KeyViolation, judge_keys
from tests.history.records import Record
from tests.simulation import clock
from tests.simulation.gateway import SKEW_S, GatewayGoneError, SimGateway
from tests.simulation.plan import Plan, draw_plan
from tests.simulation.world import World

GATEWAYS = 2
BIG = b"big" * 100_000
"""Larger than what a gateway holds in memory: its hash is known only when it is stored."""
PAYLOADS = (b"one", b"one", b"one", BIG)
OTHERS = (b"two", b"two", b"BIG" * 100_000)
"""Of clients that use a key for something else."""
MAX_SUBMISSIONS = 1000
"""Of one client. Far more than faults can use up: the wait for a killed gateway is told by `Retry-After`."""


@dataclass(frozen=True, kw_only=True)
class KeyOutcome:
    """The result of one world."""

    seed: int
    history: list[Record] = field(repr=False)
    violations: list[Violation | KeyViolation]
    faults: Counter[str]


def simulate_keys(seed: int, keys: int, mean_calls: int | None = None) -> KeyOutcome:
    """Run one world and check its history. The same arguments give the same history.

    `mean_calls`: of a gateway to servers, until it is killed; 0: none is killed; None: drawn.
    """

    async def main() -> KeyOutcome:
        world = KeyWorld(seed, draw_plan(keys, "async"), mean_calls)
        wall_clock.wall = partial(_skewed, clock.running())
        await world.run()
        outcome = world.outcome()
        return KeyOutcome(
            seed=seed,
            history=outcome.history,
            violations=[*outcome.violations, *judge_keys(outcome.history)],
            faults=outcome.faults,
        )

    return clock.run(seed, main, collects_garbage=True)


def _skewed(loop: clock.VirtualLoop) -> float:
    return loop.wall() + SKEW_S.get()


class KeyWorld(World):
    """A world whose requests have keys. Each message of the plan is a key."""

    def __init__(self, seed: int, plan: Plan, mean_calls: int | None) -> None:
        super().__init__(seed, plan)
        self._mean_calls = random.choice([0, 8, 60, 400]) if mean_calls is None else mean_calls
        self._gateways: list[SimGateway] = []
        self._gateways_made = 0
        self._is_mortal = True

    async def run(self) -> None:
        """Run the world."""
        for _ in range(GATEWAYS):
            self._start_gateway()
        await super().run()

    def _start_gateway(self) -> None:
        self._gateways_made += 1
        last_call = None
        if self._mean_calls and self._is_mortal:
            last_call = 1 + int(random.expovariate(1 / self._mean_calls))
        self._gateways.append(
            SimGateway(f"g{self._gateways_made}", self._cloud, self.history.append, last_call, self._replace_gateway)
        )

    def _replace_gateway(self, dead: SimGateway) -> None:
        self.faults["kill gateway"] += 1
        self._gateways.remove(dead)
        asyncio.get_running_loop().call_later(random.uniform(0, 3), self._start_gateway)

    async def _wait_until_empty(self) -> None:
        self._is_mortal = False
        for gateway in self._gateways:
            gateway.live_on()
        await super()._wait_until_empty()

    def _submit_request(self, ref: str) -> None:
        self._disturbances.append(asyncio.create_task(self._submit_with_key(ref)))

    async def _submit_with_key(self, key: str) -> None:
        payload = random.choice(PAYLOADS)
        payloads = [payload] * random.choice([1, 1, 2, 3])
        if random.random() < 0.2:
            payloads.insert(random.randrange(len(payloads) + 1), random.choice(OTHERS))
        await asyncio.gather(*(self._be_client(key, sent, number) for number, sent in enumerate(payloads)))

    async def _be_client(self, key: str, payload: bytes, number: int) -> None:
        """Submit until there is an answer that is final, and sometimes once more."""
        again = random.choice([0, 0, 1])
        for attempt in range(MAX_SUBMISSIONS):
            await asyncio.sleep(random.choice([0.0, 0.0, 0.0, random.uniform(0, 5)]))
            # Each submission has an id of its own, which it loses when the key has one.
            pause_s = await self._submit_once(key, payload, f"{key}:{number}:{attempt}")
            if pause_s is None:
                if not again:
                    return
                again, pause_s = again - 1, random.choice([0.0, 5.0, 600.0])
            await asyncio.sleep(pause_s)
        raise AssertionError(f"{key}: no answer to {MAX_SUBMISSIONS} submissions")

    async def _submit_once(self, key: str, payload: bytes, request_id: str) -> float | None:
        """Submit; return how long to wait before the next submission; None: there is an answer."""
        if not self._gateways:
            return 1.0
        leaves_after_s = random.uniform(0, 0.3) if random.random() < 0.05 else None
        status, told, pause_s = 200, "", None
        try:
            told = await random.choice(self._gateways).submit(key, payload, request_id, leaves_after_s)
        except KeyReusedError:
            status = 422
        except KeyInUseError as error:
            status, pause_s = 409, float(error.retry_after_s)
        except GatewayError:
            status, pause_s = 503, random.uniform(0, 5)
        except GatewayGoneError:
            status, pause_s = 0, random.uniform(0, 5)
        self.history.append(
            Record(
                at=asyncio.get_running_loop().time(),
                what="told",
                ref=told,
                name=key,
                digest=payload[:3].decode(),
                status=status,
            )
        )
        return pause_s
