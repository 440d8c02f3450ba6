"""The job of a world and what happens to it, drawn at random or set by a test."""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace
from typing import Literal, get_args

from tests.history.job_facts import Cause
from tests.simulation.jobs.container import Behaviour
from tests.simulation.network import FaultRates, draw_fault_rates

Source = Literal["item_list", "file_path_lister", "delimited_files"]
Disturbance = Literal[
    "kill controller",
    "drain controller",
    "stall controller",
    "kill worker",
    "kill enqueuer",
    "restart container",
    "SQS outage",
    "S3 outage",
    "stop all processes",
    "pause",
]
MAX_BAD = 3
"""Bad items of a job: they are large, and a large submission is parsed in a thread, which a simulation cannot have."""
DISTURBANCES: tuple[Disturbance, ...] = get_args(Disturbance)


@dataclass(frozen=True, kw_only=True)
class JobPlan:
    """One job.

    Attributes:
        source: of its items.
        items: good ones.
        batch_size: of its batches.
        bad: positions, among the good items, before which a bad one stands.
        skips: bad items are left out; otherwise they end the job.
        behaviour: of its containers.
        workers: how many.
        max_receives: of its dead-letter queue; None: there is none.
        stop_after_s: when a client asks for its end; None: never.
        timeout_s: of the job; None: there is none.
        controllers: how many run at the same time.
        ownership_timeout_s: of them.
        lease_s: of the sidecars.
        rates: of faults of single requests.
        disturbances: faults of whole processes and servers.
        pace_s: mean time between two of them.
    """

    source: Source = "item_list"
    items: int = 40
    batch_size: int = 4
    bad: frozenset[int] = frozenset()
    skips: bool = True
    behaviour: Behaviour = field(default_factory=lambda: Behaviour(has_output=True))
    workers: int = 2
    max_receives: int | None = None
    stop_after_s: float | None = None
    timeout_s: int | None = None
    controllers: int = 1
    ownership_timeout_s: float = 30.0
    lease_s: int = 30
    rates: FaultRates = field(default_factory=FaultRates)
    disturbances: int = 0
    pace_s: float = 10.0

    @property
    def batches(self) -> int:
        """Of the good items."""
        return -(-self.items // self.batch_size)

    @property
    def causes(self) -> frozenset[Cause]:
        """Why the job may end early."""
        causes: set[Cause] = set()
        if self.stop_after_s is not None:
            causes.add("stop")
        if self.timeout_s is not None:
            causes.add("timeout")
        if self.bad and not self.skips:
            causes.add("bad item")
        if self.behaviour.breaks:
            causes.add("bad container")
        return frozenset(causes)


def draw_job() -> JobPlan:
    """Draw a job and its faults."""
    items = random.choice([1, 10, 60, 150])
    numbers = range(items)
    source: Source = random.choice(["item_list", "file_path_lister", "delimited_files"])
    has_bad = source != "file_path_lister" and random.random() < 0.3
    behaviour = Behaviour(
        has_output=random.random() < 0.7,
        failing=_some(numbers, 0.02),
        retried=_some(numbers, 0.05),
        refused=_some(numbers, 0.01),
        refuses_completion=random.random() < 0.05,
        breaks=random.random() < 0.03,
        work_s=random.choice([0.1, 1.0]),
    )
    return JobPlan(
        source=source,
        items=items,
        batch_size=random.choice([1, 3, 10]),
        bad=frozenset(random.sample(numbers, min(items, MAX_BAD))) if has_bad else frozenset(),
        skips=random.random() < 0.8,
        behaviour=behaviour,
        workers=random.choice([1, 2, 4]),
        max_receives=random.choice([None, None, 3, 10]),
        stop_after_s=random.uniform(0, 120) if random.random() < 0.15 else None,
        timeout_s=random.choice([20, 60]) if random.random() < 0.05 else None,
        controllers=random.choice([1, 2, 2]),
        ownership_timeout_s=random.choice([6.0, 30.0]),
        lease_s=random.choice([5, 30, 120]),
        rates=replace(draw_fault_rates(), duplicated=0.0, deletion_undone=0.0),
        disturbances=random.choice([0, 3, 8]),
        pace_s=random.choice([3.0, 15.0]),
    )


def _some(numbers: range, share: float) -> frozenset[int]:
    return frozenset(number for number in numbers if random.random() < share)
