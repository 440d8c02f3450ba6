"""How long the container may take for one request. The time that is spent waiting for S3 does not count."""

from __future__ import annotations

from dequeuer.core import clock
from dequeuer.core.errors import ContainerTimeoutError


class TimeBudget:
    """The time that is left for one request. Call `start` before each wait for the container, and `stop` after it."""

    __slots__ = ("_left_s", "_seconds", "_since")

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._left_s = seconds
        self._since = 0.0

    def start(self) -> float:
        """Begin a wait; return the seconds that are left. Raises `ContainerTimeoutError` when none are left."""
        if self._left_s <= 0:
            raise self.exceeded()
        self._since = clock.monotonic()
        return self._left_s

    def stop(self) -> None:
        """End a wait: its duration is subtracted."""
        self._left_s -= clock.monotonic() - self._since

    def exceeded(self) -> ContainerTimeoutError:
        """Return the error for a request whose time is used up."""
        return ContainerTimeoutError(f"no complete response within {self._seconds:g} s")
