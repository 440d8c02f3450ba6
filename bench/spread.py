"""Median, minimum and maximum of several runs."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """Median, minimum and maximum."""

    median: float
    minimum: float
    maximum: float

    def text(self, digits: int) -> str:
        """Return the median as text, with minimum and maximum if they differ from it."""
        middle = f"{self.median:.{digits}f}"
        ends = f"{self.minimum:.{digits}f}..{self.maximum:.{digits}f}"
        return middle if ends == f"{middle}..{middle}" else f"{middle} ({ends})"


def spread(values: Sequence[float]) -> Spread:
    """Return the spread of at least one value."""
    return Spread(median=statistics.median(values), minimum=min(values), maximum=max(values))


def quarters_apart(samples: Sequence[float]) -> float:
    """Return the growth from the mean of the first quarter to that of the last quarter, relative to the first.

    Raises:
        ValueError: there are fewer than four samples.
    """
    quarter = len(samples) // 4
    if not quarter:
        raise ValueError(f"{len(samples)} samples are too few for quarters: give a larger --soak")
    first = statistics.fmean(samples[:quarter])
    return statistics.fmean(samples[-quarter:]) / first - 1
