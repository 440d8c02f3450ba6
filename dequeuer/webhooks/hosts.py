"""How many deliveries one host has at a time: one that is slow or dead must not hold up the others."""

from __future__ import annotations

import random
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

SILENT_AFTER: Final = 3
"""A host that has given no answer to so many deliveries in a row gets one at a time, until it answers."""
MAX_SILENT_HOSTS: Final = 10_000
"""In memory; beyond it the oldest are forgotten."""
MIN_PAUSE_S: Final = 2.0
MAX_PAUSE_S: Final = 300.0
TURN_S: Final = 5.0
"""How long a delivery to a host that has no room is taken to last."""


class HostTurns:
    """Counts the deliveries under way by host. `limit`: for each."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._running: Counter[str] = Counter()
        self._turned_away: Counter[str] = Counter()
        """Of the hosts that have deliveries under way: how many wait elsewhere, about."""
        self._silent: OrderedDict[str, int] = OrderedDict()

    @contextmanager
    def turn(self, host: str) -> Iterator[bool]:
        """Yield whether the host has room for one more delivery, which lasts as long as the context."""
        if self._running[host] >= self._limit_of(host):
            self._turned_away[host] += 1
            yield False
            return
        self._running[host] += 1
        try:
            yield True
        finally:
            self._running[host] -= 1
            if self._turned_away[host]:
                self._turned_away[host] -= 1
            if not self._running[host]:
                # Clients choose the hosts: their names must not stay in memory.
                del self._running[host], self._turned_away[host]

    def record(self, host: str, *, has_answered: bool) -> None:
        """Record how a delivery ended."""
        if has_answered:
            self._silent.pop(host, None)
            return
        self._silent[host] = self._silent.get(host, 0) + 1
        self._silent.move_to_end(host)
        if len(self._silent) > MAX_SILENT_HOSTS:
            self._silent.popitem(last=False)

    def pause_s(self, host: str, chance: Callable[[], float] = random.random) -> float:
        """Return how long a webhook should wait that has found no room: the longer, the more of them wait.

        `chance`: returns a random number from 0 to 1.
        """
        longest_s = self._turned_away[host] * TURN_S / self._limit_of(host)
        return min(max(MIN_PAUSE_S, longest_s), MAX_PAUSE_S) * (0.5 + chance())

    def _limit_of(self, host: str) -> int:
        return 1 if self._silent.get(host, 0) >= SILENT_AFTER else self._limit
