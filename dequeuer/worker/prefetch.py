"""Messages that were received a moment before there is a slot for them, and giving back what gets none."""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

from dequeuer.core.events import Observer, ReleasedUnstarted, UnstartedReason
from dequeuer.sources.base import Lease
from dequeuer.worker.lease import LeaseKeeper
from dequeuer.worker.settlement import Settler

MOMENT_S = 2.0
"""The longest that a message waits for a slot."""
LEASE_SHARE = 4
"""Of a lease one part in so many may be waited away, and as much must be left when work begins."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """A message that waits. Loop times.

    Attributes:
        lease: its claim.
        asked_at: when the queue was asked for it: its lease counts from then.
        until: when it is given back.
    """

    lease: Lease
    asked_at: float
    until: float


class WaitingRoom:
    """Keeps arrivals in order, each for a moment at most. Nothing here is renewed.

    Args:
        settler: gives back.
        keeper: knows how long a lease is.
        observer: is told of each change.
    """

    def __init__(self, settler: Settler, keeper: LeaseKeeper, observer: Observer) -> None:
        self._settler = settler
        self._keeper = keeper
        self._observer = observer
        self._line: deque[Arrival] = deque()
        self._soonest = math.inf
        """Before this time nothing is given back: at or before the end of each wait."""
        self._timer: asyncio.TimerHandle | None = None
        self._giving: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        return len(self._line)

    @property
    def moment_s(self) -> float:
        """The longest wait."""
        return min(MOMENT_S, self._keeper.length_s / LEASE_SHARE)

    def add(self, leases: Sequence[Lease], asked_at: float) -> None:
        """Let them wait from now on."""
        now = asyncio.get_running_loop().time()
        # After a long poll there may be little left of the lease.
        until = min(now + self.moment_s, self._keeper.ends_at(asked_at) - self._keeper.length_s / LEASE_SHARE)
        self._line.extend([Arrival(lease=lease, asked_at=asked_at, until=until) for lease in leases])
        self._soonest = min(self._soonest, until)
        self._watch()

    def take(self) -> Arrival | None:
        """Take the first one whose time is not over; None: there is none."""
        # After a stall the timer that gives back may be late.
        self._expire()
        return self._line.popleft() if self._line else None

    def clear(self, reason: UnstartedReason) -> None:
        """Give all of them back; `close` waits for that."""
        line, self._line = self._line, deque()
        self._release(line, reason)

    async def give_back(self, leases: Sequence[Lease], asked_at: float, reason: UnstartedReason) -> None:
        """Release what has not begun, unless it took so long that somebody else may have it by now."""
        self._observer(ReleasedUnstarted(messages=len(leases), reason=reason))
        if asyncio.get_running_loop().time() < self._keeper.ends_at(asked_at):
            await self._settler.give_back(leases)

    async def close(self) -> None:
        """Wait until nothing is being given back any more; `SETTLE_S` at most. To be cleared before."""
        if self._timer is not None:
            self._timer.cancel()
        if self._giving:
            await asyncio.wait(set(self._giving))

    def _watch(self) -> None:
        if self._timer is None and self._line:
            at = min(arrival.until for arrival in self._line)
            self._timer = asyncio.get_running_loop().call_at(at, self._look)

    def _look(self) -> None:
        self._timer = None
        self._expire()
        self._watch()

    def _expire(self) -> None:
        # Asked for each message: a look at all that wait would cost more than taking one.
        if not self._line or (now := self._keeper.loop.time()) < self._soonest:
            return
        late = [arrival for arrival in self._line if arrival.until <= now]
        self._line = deque(arrival for arrival in self._line if arrival.until > now)
        self._soonest = min([arrival.until for arrival in self._line], default=math.inf)
        if late:
            self._release(late, "waited")

    def _release(self, arrivals: Iterable[Arrival], reason: UnstartedReason) -> None:
        for asked_at, group in groupby(arrivals, key=lambda arrival: arrival.asked_at):
            self.release([arrival.lease for arrival in group], asked_at, reason)

    def release(self, leases: Sequence[Lease], asked_at: float, reason: UnstartedReason) -> None:
        """Begin to `give_back`; `close` waits for the end of it."""
        task = asyncio.create_task(self.give_back(leases, asked_at, reason), name="give-back-waiting")
        self._giving.add(task)
        task.add_done_callback(self._giving.discard)
