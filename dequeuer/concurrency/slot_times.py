"""How long a message uses a slot. It decides how many messages may be received before a slot is free for them."""

from __future__ import annotations

PREFETCH_WINDOW_S = 0.5
"""A message may be prefetched when it is expected to get a slot within this time."""
ESTIMATE_DECAY = 0.9
"""Weight of the old estimate when a shorter time is measured. The estimate rises at once and falls slowly: a message
that is prefetched too early is released, and its receive count has been raised by one."""
MIN_SLOT_TIME_S = 0.001
"""A shorter estimate shows the resolution of the clock, not the time of the work."""


class SlotTimes:
    """Estimates how long a message uses a slot. Times are seconds of any one clock.

    Each use of a slot is identified by a key. All uses are expected to take about the same time.
    """

    def __init__(self) -> None:
        self._acquired_at: dict[object, float] = {}
        self._estimate_s: float | None = None

    def acquired(self, key: object, now: float) -> None:
        """Record that a slot was acquired."""
        self._acquired_at[key] = now

    def released(self, key: object, now: float, *, is_typical: bool) -> float:
        """Record that a slot was released; return for how long it was in use.

        A use that is not typical (the container refused, or the lease was lost) deletes the estimate, because the next
        uses may take any time.
        """
        took_s = now - self._acquired_at.pop(key)
        if not is_typical:
            self._estimate_s = None
        elif self._estimate_s is None:
            self._estimate_s = took_s
        else:
            self._estimate_s = max(took_s, ESTIMATE_DECAY * self._estimate_s + (1 - ESTIMATE_DECAY) * took_s)
        return took_s

    def count_active(self, now: float) -> int:
        """Count the slots in use that may be free soon: those that are not in use for an unusually long time."""
        unusual_s = max(PREFETCH_WINDOW_S, self._estimate_s or 0.0)
        stuck = 0
        for acquired_at in self._acquired_at.values():  # the oldest come first
            if now - acquired_at <= unusual_s:
                break
            stuck += 1
        return len(self._acquired_at) - stuck

    def expected_messages(self, now: float, slots: int, within_s: float) -> int:
        """Return how many messages `slots` slots are expected to take within `within_s` seconds.

        Slots that are in use for unusually long are expected to take none. 0 without an estimate.
        """
        if self._estimate_s is None:
            return 0
        stuck = len(self._acquired_at) - self.count_active(now)
        return int(max(0, slots - stuck) * within_s / max(self._estimate_s, MIN_SLOT_TIME_S))
