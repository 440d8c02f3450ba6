"""Random worlds keep the promises, and one seed gives one history."""

from __future__ import annotations

import asyncio
import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.simulation.clock import DeadlockError, VirtualLoop, run
from tests.simulation.conftest import Simulated
from tests.simulation.kinds import MESSAGES
from tests.simulation.network import FaultRates
from tests.simulation.plan import Plan
from tests.simulation.report import report
from tests.simulation.sidecar import Shape
from tests.simulation.world import World, simulate

ROOT = Path(__file__).resolve().parents[2]
REPLAY = "import sys; from tests.simulation.test_simulation import fingerprint; print(fingerprint(int(sys.argv[1])))"


def fingerprint(seed: int) -> str:
    """Return a hash of the history of a world."""
    return hashlib.sha256("\n".join(map(repr, simulate(seed, 100).history)).encode()).hexdigest()


def test_a_sample_of_worlds_keeps_every_promise() -> None:
    seed = int(os.environ.get("SIMULATION_SEED") or int.from_bytes(os.urandom(4), "big"))
    assert report(MESSAGES, seed, worlds=20, processes=1) == 0, f"SIMULATION_SEED={seed}"


@pytest.mark.parametrize(
    "seed",
    [
        2468936576,  # stopped until the end of a lease: messages that were not begun could not be released
        2893700351,  # stopped between the decision to receive and the request: the lease counted from the decision
        3228058278,  # a stale receipt was accepted; the input, deleted on that, was still being deleted after the lease
        4090829745,  # a call that the server got before the denial returned success after other calls had been denied
        2954364201,  # the same at the store
        3944288454,  # the response to a receive took 7 s: the redelivery had failed before the first delivery began
        101968594,  # stopped before it had the response to a renewal: for the sidecar the lease was over
        128915679,  # a poll began before the refusal, was stopped with its process, and returned messages after it
        966525789,  # the same
        291074107,  # a cancelled acknowledgement waited for its batch to fill, and was sent after the release
        2468937820,  # a renewal was sent at the same time as an acknowledgement, and refused: the receipt was stale
    ],
)
def test_a_world_that_broke_a_promise_keeps_it(seed: int) -> None:
    assert simulate(seed).violations == []


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_seed_replays_exactly_in_another_process(seed: int) -> None:
    again = subprocess.run(
        [sys.executable, "-c", REPLAY, str(seed)],
        env={"PYTHONHASHSEED": str(seed), "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])},
        capture_output=True,
        text=True,
        check=True,
    )
    assert again.stdout.strip() == fingerprint(seed)


def test_other_seeds_give_other_histories() -> None:
    assert len({fingerprint(seed) for seed in range(5)}) == 5


def test_a_task_that_waits_forever_is_reported() -> None:
    async def main() -> None:
        await asyncio.get_running_loop().create_future()

    with pytest.raises(DeadlockError):
        run(0, main)


def test_an_error_that_no_task_reads_is_reported() -> None:
    async def fail() -> None:
        raise ValueError("an unread error")

    async def main() -> None:
        task = asyncio.create_task(fail())
        await asyncio.sleep(1)
        del task

    with pytest.raises(AssertionError, match="an unread error"):
        run(0, main, collects_garbage=True)


def busy() -> Plan:
    shape = Shape(kind="async", slots=8, lease_s=5, grace_s=55.0, poll_wait_s=3, request_timeout_s=3600.0)
    return Plan(messages=40, rates=FaultRates(), shape=shape)


@pytest.mark.parametrize("turn", range(40, 400, 20))
def test_a_sidecar_killed_in_its_drain_leaves_no_unread_error(simulated: Simulated, turn: int) -> None:
    def prepare(world: World, loop: VirtualLoop) -> None:
        loop.at_step[turn] = lambda: world.disturb("terminate")
        loop.at_step[turn + 10] = lambda: world.disturb("kill")

    simulated(busy(), prepare=prepare, collects_garbage=True)


def test_a_task_that_runs_on_after_its_sidecar_is_reported(simulated: Simulated) -> None:
    def prepare(_world: World, loop: VirtualLoop) -> None:
        loop.at_step[2] = lambda: leaked.append(loop.create_task(asyncio.Event().wait(), name="leaked"))

    leaked: list[asyncio.Task[bool]] = []
    with pytest.raises(AssertionError, match=r"still running after the end: \['leaked'\]"):
        simulated(busy(), prepare=prepare)
