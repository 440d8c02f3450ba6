"""Shapes of load: requests a second over time, and what happens to the cluster meanwhile. The files are in `loads/`."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Final, Self

from bench.scaling.pod import Request

FOLDER: Final = Path(__file__).parent / "loads"
NAMES: Final = ("burst", "ramp", "sawtooth", "spot-loss", "idle")
"""The shapes, in the order of the tables."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A piece of time with one rate.

    Attributes:
        start_s: when it begins.
        per_s: requests a second.
        lost_share: the share of the pods that is lost when it begins.
    """

    start_s: float
    per_s: float
    lost_share: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """A shape of load; `step_s` is the length of each step."""

    name: str
    step_s: float
    steps: tuple[Step, ...]

    @property
    def end_s(self) -> float:
        """When it is over."""
        return self.steps[-1].start_s + self.step_s

    def times(self, factor: float) -> Self:
        """Return the same shape with more or fewer requests."""
        return replace(self, steps=tuple(replace(step, per_s=step.per_s * factor) for step in self.steps))

    def until(self, end_s: float) -> Self:
        """Return its beginning."""
        return replace(self, steps=tuple(step for step in self.steps if step.start_s < end_s))

    def requests(self, mean_work_s: float, seed: int = 1) -> Iterator[Request]:
        """Yield the requests: evenly spaced within a step; each needs 0.5 to 1.5 of the mean, at random."""
        random = Random(seed)  # noqa: S311 - nothing here is secret
        due = 0.0
        for step in self.steps:
            begun = due
            due += step.per_s * self.step_s
            for number in range(int(begun) + 1, int(due) + 1):
                submitted_s = step.start_s + (number - begun) / step.per_s
                yield Request(submitted_s=submitted_s, work_s=mean_work_s * (0.5 + random.random()))


def load(name: str) -> Load:
    """Read a shape."""
    with (FOLDER / f"{name}.csv").open(encoding="ascii", newline="") as file:
        rows = list(csv.DictReader(file))
    steps = tuple(
        Step(start_s=float(row["second"]), per_s=float(row["per_s"]), lost_share=float(row["lost_share"]))
        for row in rows
    )
    return Load(name=name, step_s=steps[1].start_s - steps[0].start_s, steps=steps)
