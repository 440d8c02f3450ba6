"""The random run: rounds of faults by a seed, each with a queue, a bucket and a history of its own."""

from __future__ import annotations

import random
import tempfile
import time
from collections import Counter
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from tests.faults.chaos import Chaos
from tests.faults.final import tidy_up
from tests.faults.load import Load, Mix, submit_job
from tests.faults.plan import Plan
from tests.faults.servers import Servers
from tests.faults.stage import Stage, Verdict, staged
from tests.history.records import save

PODS, SLOTS = 3, 3
ROUND_S = 30.0
"""Faults last this long; then everything is mended, and the queue has to become empty."""
REQUEST_RATE = 0.06
PER_SECOND = 12.0
BATCHES = 150
SETTINGS = {"DEQUEUER_SHUTDOWN_GRACE": "3", "DEQUEUER_REQUEST_TIMEOUT": "20", "DEQUEUER_IN_PROGRESS_AFTER": "0.5"}


@dataclass(slots=True, kw_only=True)
class Report:
    """What a run has shown so far."""

    seed: int
    tally: Counter[str] = field(default_factory=Counter)
    rounds: int = 0
    findings: list[str] = field(default_factory=list)

    def add(self, verdict: Verdict, kept_in: Path) -> None:
        """Take the verdict on a round in; what was wrong is kept, with the history that shows it."""
        self.rounds += 1
        self.tally += verdict.tally
        self.tally["lost"] += sum(violation.rule == "lost" for violation in verdict.violations)
        self.tally["violations"] += len(verdict.violations)
        self.tally["problems"] += len(verdict.problems)
        if not verdict.is_clean:
            file = kept_in / f"faults-seed-{self.seed}-round-{self.rounds}.jsonl"
            save(verdict.history, file)
            found = [f"{violation}" for violation in verdict.violations]
            found += verdict.problems
            found.append(f"seed {self.seed}, round {self.rounds}: the history is in {file}")
            # At once: a long run may be ended before its table is printed.
            print("\n".join(found), flush=True)
            self.findings += found


def run_rounds(servers: Servers, seed: int, duration_s: float, kept_in: Path) -> Report:
    """Run rounds until the time is over; a round that has begun ends in its own time."""
    report = Report(seed=seed)
    ends = time.monotonic() + duration_s
    number = 0
    while number < 2 or time.monotonic() < ends:
        # What is left is shared by the two kinds in the first rounds, so that a short run has both.
        faults_s = min(ROUND_S, max(8.0, duration_s / 2 - 10))
        kind: Literal["async", "batch"] = "batch" if number % 2 else "async"
        with tempfile.TemporaryDirectory() as folder:
            report.add(run_round(servers, seed * 1000 + number, kind, faults_s, Path(folder)), kept_in)
        number += 1
    return report


def run_round(servers: Servers, seed: int, kind: Literal["async", "batch"], faults_s: float, folder: Path) -> Verdict:
    """Run one round and judge it."""
    choice = random.Random(f"round-{seed}")
    lease_s = choice.choice((2, 3, 4))
    plan = Plan(seed, REQUEST_RATE)
    mix = Mix(seed, lease_s)
    with staged(servers, folder, plan, kind, slots=SLOTS, has_redrive=choice.random() < 0.5) as stage:
        for _ in range(PODS):
            stage.add_pod(DEQUEUER_VISIBILITY_TIMEOUT=str(lease_s), **SETTINGS)
        if kind == "batch":
            submit_job(stage.queue, stage.notebook, mix, BATCHES)
        for pod in stage.pods:
            pod.start_container()
            pod.start_sidecar()
        chaos = Chaos(seed, stage.pods, servers.processes, plan, lease_s)
        is_async = kind == "async"
        load = Load(stage.bucket, stage.queue, stage.notebook, mix, PER_SECOND) if is_async else nullcontext()
        with load:
            chaos.run(faults_s, (lambda: False) if is_async else _JobIsOver(stage))
        chaos.mend()
        stage.proxy.calm()
        stage.wait_empty(chaos.watch)
        verdict = stage.conclude()
        for harm, count in chaos.counts.items():
            verdict.tally[f"process: {harm}"] = count
        tidy_up(servers.sqs, stage.queue, stage.bucket)
    return verdict


class _JobIsOver:
    """Looks whether a job has nothing left, twice a second."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._next_look = 0.0

    def __call__(self) -> bool:
        now = time.monotonic()
        if now < self._next_look:
            return False
        self._next_look = now + 0.5
        return self._stage.queue.is_empty()
