"""Medians with their spread."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """What several runs gave."""

    median: float
    least: float
    most: float

    def text(self, digits: int) -> str:
        """Write the median, and the ends when they differ from it."""
        middle = f"{self.median:.{digits}f}"
        ends = f"{self.least:.{digits}f}..{self.most:.{digits}f}"
        return middle if ends == f"{middle}..{middle}" else f"{middle} ({ends})"


def spread(values: Sequence[float]) -> Spread:
    """Summarise at least one value."""
    return Spread(median=statistics.median(values), least=min(values), most=max(values))


def quarters_apart(samples: Sequence[float]) -> float:
    """Return by how much the mean of the last quarter is above that of the first, as a part of it.

    Raises:
        ValueError: fewer than four samples say nothing about quarters.
    """
    quarter = len(samples) // 4
    if not quarter:
        raise ValueError(f"{len(samples)} samples are too few for quarters: give a larger --soak")
    first = statistics.fmean(samples[:quarter])
    return statistics.fmean(samples[-quarter:]) / first - 1
