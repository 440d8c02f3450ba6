"""A sample of simulated batch jobs, whose seed SIMULATION_SEED repeats, and what other samples have found."""

from __future__ import annotations

import asyncio
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from tests.simulation import clock, queue
from tests.simulation.jobs.container import Behaviour
from tests.simulation.jobs.plan import JobPlan
from tests.simulation.jobs.world import JobOutcome, JobWorld, simulate_job
from tests.simulation.report import report_jobs

LONG = Behaviour(has_output=True, work_s=3.0)
ROOT = Path(__file__).parents[3]
REPLAY = "import sys; from tests.simulation.jobs.test_jobs import fingerprint; print(fingerprint(int(sys.argv[1])))"


def fingerprint(seed: int) -> str:
    """Return what happened in a world, in short."""
    outcome = simulate_job(seed)
    calls = [(call.at, call.path, call.status, call.items) for call in outcome.facts.calls]
    return repr((outcome.seconds, outcome.facts.ends, calls))


def test_a_sample_of_batch_jobs_keeps_every_promise() -> None:
    seed = int(os.environ.get("SIMULATION_SEED") or int.from_bytes(os.urandom(4), "big"))
    assert report_jobs(seed, worlds=40, processes=1) == 0, f"SIMULATION_SEED={seed}"


@pytest.mark.parametrize("seed", [1, 5])
def test_a_seed_replays_exactly_in_another_process(seed: int) -> None:
    again = subprocess.run(
        [sys.executable, "-c", REPLAY, str(seed)],
        env={"PYTHONHASHSEED": str(seed), "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])},
        capture_output=True,
        text=True,
        check=True,
    )
    assert again.stdout.strip() == fingerprint(seed)


def test_a_completion_message_survives_a_receive_that_is_lost() -> None:
    # Two drains, then a poll of a worker that was killed.
    assert simulate_job(93850907).violations == []


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("max_receives", [2, 3])
def test_drains_move_no_message_to_the_dead_letter_queue(seed: int, max_receives: int) -> None:
    async def main() -> JobOutcome:
        world = JobWorld(JobPlan(items=12, workers=3, max_receives=max_receives, behaviour=LONG))
        draining = asyncio.create_task(drain_often(world))
        await world.run()
        await draining
        return world.outcome(seed)

    outcome = clock.run(seed, main, collects_garbage=True)
    assert outcome.violations == []
    assert outcome.facts.ends == ["succeeded"]
    assert outcome.facts.dead == frozenset()


async def drain_often(world: JobWorld) -> None:
    await asyncio.sleep(10)
    for _ in range(6):
        world.disturb("drain controller")
        await asyncio.sleep(random.uniform(5, 20))


def test_a_job_that_was_paused_before_its_batches_were_sent_loses_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue, "COUNTS_LAG_S", 8.0)

    async def main() -> JobOutcome:
        world = JobWorld(JobPlan(items=4))
        await world.run_paused(120.0)
        return world.outcome(0)

    # In a third of the looks the counts of the queue are those of some seconds ago.
    for seed in range(10):
        assert clock.run(seed, main, collects_garbage=True).violations == [], f"seed {seed}"


def test_a_calm_world_runs_the_job_once_with_exact_counts() -> None:
    async def main() -> JobOutcome:
        world = JobWorld(JobPlan(controllers=2))
        await world.run()
        return world.outcome(0)

    outcome = clock.run(0, main, collects_garbage=True)
    facts = outcome.facts
    assert outcome.violations == []
    assert facts.is_calm
    assert facts.ends == ["succeeded"]
    assert sorted(line.index for line in facts.lines) == list(range(40))
    assert sum(call.is_completion for call in facts.calls) == 1
    assert len(facts.calls) == 11
    assert len(facts.runs) == 2
