"""A sample of simulated batch jobs, and seeds that broke a promise once. SIMULATION_SEED repeats the sample."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.simulation import clock
from tests.simulation.jobs.plan import JobPlan
from tests.simulation.jobs.world import JobOutcome, JobWorld, simulate_job
from tests.simulation.report import report_jobs

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


@pytest.mark.parametrize(
    "seed",
    [
        12,  # the response to a claim was lost, and the job ended meanwhile: the claim stayed
        33,  # drained at its last receive, the completion message was moved to the dead-letter queue
        162,  # the same, with one worker
        1057,  # paused before anything was sent: the queue had been empty for long, and its counts lagged
    ],
)
def test_a_job_that_broke_a_promise_keeps_it(seed: int) -> None:
    assert simulate_job(seed).violations == []


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
