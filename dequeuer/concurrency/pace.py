"""How soon a slot will be free: what tells how far ahead of its need a message may be received."""

from __future__ import annotations

AHEAD_S = 0.5
"""Messages are received ahead that are expected to find a slot within this time."""
DECAY = 0.9
"""An estimate rises at once and falls slowly: what is received too early is given back, which costs a receive."""


class Pace:
    """Learns from every message how long a slot is occupied. Times are seconds of any one clock.

    Whoever begins is known by a key; all of them are expected to end after about the same time.
    """

    def __init__(self) -> None:
        self._since: dict[object, float] = {}
        self._takes_s: float | None = None

    def began(self, key: object, now: float) -> None:
        """Take note that a slot is occupied."""
        self._since[key] = now

    def ended(self, key: object, now: float, *, is_typical: bool) -> float:
        """Take note that a slot is free again; return for how long it was not.

        What is not typical (the container refused, a lease was lost) says that nothing is known about the next ones.
        """
        took_s = now - self._since.pop(key)
        if not is_typical:
            self._takes_s = None
        elif self._takes_s is None:
            self._takes_s = took_s
        else:
            self._takes_s = max(took_s, DECAY * self._takes_s + (1 - DECAY) * took_s)
        return took_s

    def moving(self, now: float) -> int:
        """Count the occupied slots that may be free soon: those that are not occupied for unusually long already."""
        patience_s = max(AHEAD_S, self._takes_s or 0.0)
        stuck = 0
        for since in self._since.values():  # the oldest come first
            if now - since <= patience_s:
                break
            stuck += 1
        return len(self._since) - stuck

    def expected(self, now: float, slots: int, within_s: float) -> int:
        """Return how many messages so many slots are expected to take `within_s`; 0 while nothing is known."""
        if self._takes_s is None:
            return 0
        stuck = len(self._since) - self.moving(now)
        # Below a millisecond the estimate says more about the clock than about the work.
        return int(max(0, slots - stuck) * within_s / max(self._takes_s, 0.001))
