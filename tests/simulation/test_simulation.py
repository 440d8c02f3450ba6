"""Worlds of chance, and that one seed gives one history."""

from __future__ import annotations

import asyncio
import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.simulation.clock import NothingLeftToHappenError, run
from tests.simulation.report import report
from tests.simulation.world import simulate

ROOT = Path(__file__).resolve().parents[2]
REPLAY = "import sys; from tests.simulation.test_simulation import fingerprint; print(fingerprint(int(sys.argv[1])))"


def fingerprint(seed: int) -> str:
    """Return what tells one history from another."""
    return hashlib.sha256("\n".join(map(repr, simulate(seed, 100).history)).encode()).hexdigest()


def test_a_sample_of_worlds_keeps_every_promise() -> None:
    seed = int(os.environ.get("SIMULATION_SEED") or int.from_bytes(os.urandom(4), "big"))
    assert report(seed, worlds=20, jobs=1) == 0, f"SIMULATION_SEED={seed}"


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


def test_somebody_who_waits_for_ever_is_found() -> None:
    async def main() -> None:
        await asyncio.get_running_loop().create_future()

    with pytest.raises(NothingLeftToHappenError):
        run(0, main)


def test_what_nobody_listens_to_is_found() -> None:
    async def fail() -> None:
        raise ValueError("nobody hears this")

    async def main() -> None:
        task = asyncio.create_task(fail())
        await asyncio.sleep(1)
        del task

    with pytest.raises(AssertionError, match="nobody hears this"):
        run(0, main, thorough=True)
