"""How many deliveries one host has at a time: one that is slow or dead must not hold up the others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager


class HostTurns:
    """Counts the deliveries under way by host. `limit`: for each."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._running: Counter[str] = Counter()

    @contextmanager
    def turn(self, host: str) -> Iterator[bool]:
        """Yield whether the host has room for one more delivery, which lasts as long as the context."""
        has_room = self._running[host] < self._limit
        if not has_room:
            yield False
            return
        self._running[host] += 1
        try:
            yield True
        finally:
            self._running[host] -= 1
            if not self._running[host]:
                # Clients choose the hosts: their names must not stay in memory.
                del self._running[host]
