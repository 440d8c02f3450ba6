"""How long the container may take for one request, waiting for others not counted."""

from __future__ import annotations

from dequeuer.core import clock
from dequeuer.core.errors import ContainerTimeoutError


class Budget:
    """The time the container may take. Whoever waits for it asks what is left, and says what was used."""

    __slots__ = ("_left_s", "_seconds", "_since")

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._left_s = seconds
        self._since = 0.0

    def start(self) -> float:
        """Begin to wait; return what is left, seconds. Raises `ContainerTimeoutError` when that is nothing."""
        if self._left_s <= 0:
            raise self.exceeded()
        self._since = clock.monotonic()
        return self._left_s

    def stop(self) -> None:
        """The wait is over."""
        self._left_s -= clock.monotonic() - self._since

    def exceeded(self) -> ContainerTimeoutError:
        """Return the error for time that was used up."""
        return ContainerTimeoutError(f"no whole answer within {self._seconds:g} s")
