"""Values with their times, as far back as somebody asks for them."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator


class History:
    """Values in the order of their times; those that are older than `keep_s` are forgotten.

    Args:
        keep_s: the longest time that `since` is asked about.
    """

    def __init__(self, keep_s: float) -> None:
        self._keep_s = keep_s
        self._values: deque[tuple[float, float]] = deque()

    def add(self, now_s: float, value: float) -> None:
        """Add a value."""
        self._values.append((now_s, value))
        while self._values[0][0] < now_s - self._keep_s:
            self._values.popleft()

    def after(self, start_s: float) -> Iterator[float]:
        """Yield the values that are later than a moment: one of that moment itself is not."""
        return (value for at_s, value in self._values if at_s > start_s)

    def since(self, start_s: float) -> Iterator[float]:
        """Yield the values of a moment and later."""
        return (value for at_s, value in self._values if at_s >= start_s)
