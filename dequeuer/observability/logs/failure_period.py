"""When a repeated failure is logged: once when it begins, once when it is over."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

MAX_PERIODS_PER_MINUTE = 3
"""A store that fails every second call would otherwise fill the log with beginnings and ends."""


class EndedPeriod(NamedTuple):
    """A period of failures that is over: its length and how many calls failed."""

    duration_s: float
    failures: int


class FailurePeriod:
    """Counts the failures of one operation from the first one until the next success."""

    __slots__ = ("_failures", "_is_logged", "_logged_at", "_since")

    def __init__(self) -> None:
        self._since: float | None = None
        self._failures = 0
        self._is_logged = False
        self._logged_at: deque[float] = deque(maxlen=MAX_PERIODS_PER_MINUTE)

    @property
    def is_open(self) -> bool:
        """Whether the last call failed."""
        return self._since is not None

    def failed(self, now: float) -> bool:
        """Record a failure; return whether the caller must log it."""
        if self._since is None:
            self._since = now
            self._failures = 0
        self._failures += 1
        too_many = len(self._logged_at) == MAX_PERIODS_PER_MINUTE and now - self._logged_at[0] < 60
        if self._is_logged or too_many:
            return False
        self._logged_at.append(now)
        self._is_logged = True
        return True

    def succeeded(self, now: float) -> EndedPeriod | None:
        """Record a success. Return the period that it ends if its beginning was logged, else None."""
        since, is_logged = self._since, self._is_logged
        self._since, self._is_logged = None, False
        return EndedPeriod(now - since, self._failures) if since is not None and is_logged else None
