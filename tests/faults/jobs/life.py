"""One job from its submission to its end, with kills at moments that come from a seed."""

from __future__ import annotations

import random
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.faults.jobs.facts import find_facts
from tests.faults.jobs.processes import OWNERSHIP_TIMEOUT_S, SHUTDOWN_GRACE_S, Processes
from tests.faults.jobs.sources import Sources
from tests.history.job_checker import JobViolation, judge_job
from tests.integration.cloud import CLUSTER, Cloud
from tests.integration.jobs.controller import Job
from tests.integration.waiting import eventually

WORKERS: Final = 4
DEADLINE_S: Final = 900.0
LAST_ENQUEUED: Final = 0.7
"""The enqueuer is killed when less than this share of the batches is in the queue, give or take those of a moment."""
LAST_HANDLED: Final = 0.9


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The result of one job."""

    source: str
    seed: int
    kills: Counter[str]
    calls: int
    took_s: float
    status: str
    violations: list[JobViolation]

    def __str__(self) -> str:
        kills = ", ".join(f"{victim} {count}" for victim, count in sorted(self.kills.items()))
        result = "; ".join(map(str, self.violations)) or "no promise was broken"
        return (
            f"{self.source}, seed {self.seed}: {self.status} after {self.took_s:.0f} s, {self.calls} calls, "
            f"killed: {kills}: {result}"
        )


def run_life(cloud: Cloud, sources: Sources, source: str, items: int, seed: int, folder: Path) -> Verdict:
    """Run one job, kill each kind of process at least once, and check its life."""
    choice = random.Random(f"{source}-{seed}")
    batches = -(-items // sources.batch_size)
    bucket = cloud.bucket()
    began = time.monotonic()
    body = sources.submission(source) | {"workers": WORKERS, "output": {"s3_path": f"s3://{bucket.name}/out"}}
    with Processes(cloud, bucket, folder, sys.executable, seed) as processes:
        job = Job(processes.gateway, bucket, body)
        for _ in range(choice.choice([1, 1, 2])):
            sent = choice.randrange(1, int(batches * LAST_ENQUEUED))
            _kill_enqueuer(processes, lambda sent=sent: _sent(cloud, job, processes) >= sent)  # type: ignore[misc]
        others = ["controller", "worker", choice.choice(["controller", "worker", "worker"])]
        choice.shuffle(others)
        for victim, moment in zip(others, sorted(choice.uniform(0, LAST_HANDLED) for _ in others), strict=True):
            due = int(batches * moment)
            eventually(lambda due=due: processes.handled() >= due, f"{due} answers", DEADLINE_S)  # type: ignore[misc]
            kill = processes.kill_controller if victim == "controller" else processes.kill_worker
            eventually(kill, f"a {victim} to kill", DEADLINE_S)
        eventually(lambda: job.status()["status"] not in {"pending", "enqueuing", "running"}, "the end", DEADLINE_S)
        job.wait_over()
        # A controller that saw the job in the index just before its end may claim it then; it ends it once more.
        claims = f"{CLUSTER}/jobs/BatchAPI/0.42.1/sum/{job.id}/owner/"
        eventually(lambda: not job.keys(claims), f"{job.id} to belong to nobody")
        facts = find_facts(cloud, bucket, job, processes, items=items, batch_size=sources.batch_size)
        return Verdict(
            source=source,
            seed=seed,
            kills=processes.counts,
            calls=len(facts.calls),
            took_s=time.monotonic() - began,
            status=facts.status,
            violations=judge_job(facts, overlap_s=OWNERSHIP_TIMEOUT_S + SHUTDOWN_GRACE_S),
        )


def _kill_enqueuer(processes: Processes, is_due: Callable[[], bool]) -> None:
    ends = time.monotonic() + DEADLINE_S
    while not processes.kill_enqueuer(is_due):
        assert time.monotonic() < ends, "waited in vain for an enqueuer to kill"


def _sent(cloud: Cloud, job: Job, processes: Processes) -> int:
    """Return about how many batches are or were in the queue."""
    urls = [url for url in cloud.sqs.list_queues().get("QueueUrls", []) if job.id in url]
    if not urls:
        return 0
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    counts = cloud.sqs.get_queue_attributes(QueueUrl=urls[0], AttributeNames=names)["Attributes"]
    return sum(int(counts[name]) for name in names) + processes.handled()
