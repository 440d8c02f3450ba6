"""When a worker ends by itself: after a number of messages, or after a time without any."""

from __future__ import annotations

import asyncio
import math
from typing import Final, Literal

from dequeuer.core.events import Settlement

EndReason = Literal["queue_empty", "idle", "max_messages"]
"""Why a poller has ended by itself; a phase of the process. queue_empty: its `EndOfWork` says so."""
_NOT_ENDED: Final[frozenset[Settlement]] = frozenset({"retried", "released", "requeued", "lease_lost", "error"})
"""Settlements after which the queue still has the message for another attempt. Counting them would end a worker whose
container has said "not now", before any work was done."""


class OwnEnd:
    """Counts messages, and the time in which there was nothing to do.

    Args:
        max_messages: the worker ends when this many messages have ended; None: their number does not matter.
        idle_s: the worker ends when long polls have brought nothing for this long, seconds; None: that does not matter.
    """

    def __init__(self, *, max_messages: int | None = None, idle_s: float | None = None) -> None:
        self._unended = math.inf if max_messages is None else max_messages
        self._begun = 0
        self._idle_s = math.inf if idle_s is None else idle_s
        self._idle_since: float | None = None
        self._not_before = -math.inf
        """The idle time cannot have begun before this loop time."""

    @property
    def allowed(self) -> float:
        """How many more messages may be begun, those included that wait for a slot."""
        return self._unended - self._begun

    @property
    def is_max_reached(self) -> bool:
        """Whether as many messages have ended as may."""
        return self._unended <= 0

    @property
    def is_idle(self) -> bool:
        """Whether there was nothing to do for long enough."""
        since = self._idle_since
        return since is not None and asyncio.get_running_loop().time() - since >= self._idle_s

    def begin(self) -> None:
        """Record that the work on a message begins."""
        self._begun += 1

    def end(self, settlement: Settlement) -> None:
        """Record how a message was settled whose work has begun."""
        self._begun -= 1
        if settlement not in _NOT_ENDED:
            self._unended -= 1
        self.interrupt()

    def interrupt(self) -> None:
        """Begin the idle time anew: there was work, or whether there is any could not be known."""
        self._idle_since = None
        self._not_before = asyncio.get_running_loop().time()

    def found_nothing(self, asked_at: float) -> None:
        """Record that a long poll has brought nothing, and nothing is in work. `asked_at`: its loop time."""
        if self._idle_since is None:
            self._idle_since = max(asked_at, self._not_before)

    @property
    def poll_wait_s(self) -> int | None:
        """How long the next poll may wait, at least 1 s: until the worker ends; None: as long as it is set to."""
        if self._idle_s == math.inf:
            return None
        now = asyncio.get_running_loop().time()
        since = now if self._idle_since is None else self._idle_since
        return max(1, math.ceil(since + self._idle_s - now))
