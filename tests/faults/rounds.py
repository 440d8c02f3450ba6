"""A random run: rounds of faults from a seed, each with its own queue, bucket and history."""

from __future__ import annotations

import random
import tempfile
import time
from collections import Counter
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from tests.faults.final import delete_all
from tests.faults.load import Load, Mix, submit_job
from tests.faults.process_faults import ProcessFaults
from tests.faults.request_faults import RequestFaults
from tests.faults.servers import Servers
from tests.faults.stage import Stage, Verdict, staged
from tests.history.records import save

PODS, SLOTS = 3, 3
ROUND_S = 30.0
"""The duration of the faults of a round. Afterwards all faults end, and the queue must become empty."""
REQUEST_RATE = 0.06
PER_SECOND = 12.0
BATCHES = 150
SETTINGS = {"DEQUEUER_SHUTDOWN_GRACE": "3", "DEQUEUER_REQUEST_TIMEOUT": "20", "DEQUEUER_IN_PROGRESS_AFTER": "0.5"}


@dataclass(slots=True, kw_only=True)
class Report:
    """The results of a run so far."""

    seed: int
    tally: Counter[str] = field(default_factory=Counter)
    rounds: int = 0
    findings: list[str] = field(default_factory=list)

    def add(self, verdict: Verdict, kept_in: Path) -> None:
        """Add the verdict on a round. When a promise was broken, its history is saved to a file."""
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
            # Print it now, because a long run may be stopped before its table is printed.
            print("\n".join(found), flush=True)
            self.findings += found


def run_rounds(servers: Servers, seed: int, duration_s: float, kept_in: Path) -> Report:
    """Run rounds until `duration_s` is over. A round that has begun is finished."""
    report = Report(seed=seed)
    ends = time.monotonic() + duration_s
    number = 0
    while number < 2 or time.monotonic() < ends:
        # In a short run the first two rounds, one of each kind, share the time.
        faults_s = min(ROUND_S, max(8.0, duration_s / 2 - 10))
        kind: Literal["async", "batch"] = "batch" if number % 2 else "async"
        with tempfile.TemporaryDirectory() as folder:
            report.add(run_round(servers, seed * 1000 + number, kind, faults_s, Path(folder)), kept_in)
        number += 1
    return report


def run_round(servers: Servers, seed: int, kind: Literal["async", "batch"], faults_s: float, folder: Path) -> Verdict:
    """Run one round and check it."""
    choice = random.Random(f"round-{seed}")
    lease_s = choice.choice((2, 3, 4))
    request_faults = RequestFaults(seed, REQUEST_RATE)
    mix = Mix(seed, lease_s)
    with staged(servers, folder, request_faults, kind, slots=SLOTS, has_redrive=choice.random() < 0.5) as stage:
        for _ in range(PODS):
            stage.add_pod(DEQUEUER_VISIBILITY_TIMEOUT=str(lease_s), **SETTINGS)
        if kind == "batch":
            submit_job(stage.queue, stage.recorder, mix, BATCHES)
        for pod in stage.pods:
            pod.start_container()
            pod.start_sidecar()
        process_faults = ProcessFaults(seed, stage.pods, servers.processes, request_faults, lease_s)
        is_async = kind == "async"
        load = Load(stage.bucket, stage.queue, stage.recorder, mix, PER_SECOND) if is_async else nullcontext()
        with load:
            process_faults.run(faults_s, (lambda: False) if is_async else _JobIsOver(stage))
        process_faults.recover()
        stage.proxy.clear()
        stage.wait_empty(process_faults.watch)
        verdict = stage.conclude()
        for fault, count in process_faults.counts.items():
            verdict.tally[f"process: {fault}"] = count
        delete_all(servers.sqs, stage.queue, stage.bucket)
    return verdict


class _JobIsOver:
    """Checks whether the queue of a job is empty, at most twice a second."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._next_look = 0.0

    def __call__(self) -> bool:
        now = time.monotonic()
        if now < self._next_look:
            return False
        self._next_look = now + 0.5
        return self._stage.queue.is_empty()
