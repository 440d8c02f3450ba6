"""How many messages may be received before there is a slot for them: what the slots take while a receive lasts."""

from __future__ import annotations

from collections.abc import Sequence

from dequeuer.concurrency.pace import AHEAD_S
from dequeuer.concurrency.slots import Slots
from dequeuer.sources.base import Lease
from dequeuer.worker.receives import MOST_RECEIVES, RECEIVE_LIMIT

WAITING_LIMIT = 20
"""Messages that wait for a slot or are on their way beyond the free ones, at most, while receives are short: ten for
now, and ten for as long as the next receive takes."""
MOST_WAITING = MOST_RECEIVES * RECEIVE_LIMIT
"""The same, at most, however long receives take."""
WAITING_SHARE = 5
"""So many more than `WAITING_LIMIT` for each slot, at most: when a container with one slot hangs, all that waits for it
is given back, and each has cost a receive."""
MOST_CHARS = 2 * 1024 * 1024
"""Of bodies beyond `WAITING_LIMIT` messages, about, at most: a body can have 1 MiB."""
SMOOTHING = 0.1
"""Weight of the last receive in the estimate of how long one takes."""
DECAY = 0.98
"""An estimate of body sizes rises at once and falls slowly, receive by receive."""
LEAD_S = 0.05
"""How long before the last one is taken the next messages are asked for, at least."""


class ReadAhead:
    """Learns from receives how long they take and what they bring.

    Args:
        slots: tell how soon messages find a place.
    """

    def __init__(self, slots: Slots) -> None:
        self._slots = slots
        self._takes_s = 0.0
        self._body_chars = 1.0
        self.limit = WAITING_LIMIT
        """How many messages may wait or be on their way, beside those for free slots."""

    @property
    def lead_s(self) -> float:
        """How long a receive takes when there is something, seconds."""
        return max(LEAD_S, self._takes_s)

    def learn(self, leases: Sequence[Lease], took_s: float | None) -> None:
        """Record a receive that brought something. `took_s`: seconds; None: it may have waited at the queue."""
        largest = max(len(lease.message.body) for lease in leases)
        self._body_chars = max(1.0, largest, DECAY * self._body_chars)
        if took_s is not None:
            # One request that hangs or is retried says nothing about the distance.
            took_s = min(took_s, AHEAD_S)
            self._takes_s = took_s if not self._takes_s else self._takes_s + SMOOTHING * (took_s - self._takes_s)
        more = min(WAITING_SHARE * self._slots.total, int(MOST_CHARS / self._body_chars))
        needed = RECEIVE_LIMIT + self._slots.expected(self._takes_s)
        self.limit = max(WAITING_LIMIT, min(needed, WAITING_LIMIT + more, MOST_WAITING))
