"""Which of several queues is asked next: by weight among those that have messages; the others are only looked at."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from dequeuer.core.queue_limits import MAX_BATCH_SIZE
from dequeuer.core.readiness import Readiness
from dequeuer.worker.receives import AskedQueue

SHORT_POLL_S = 2
"""How long an empty queue is waited at while there are too few slots to wait at all queues for long: what it may bring
is kept free for it, and missing elsewhere. It is the longest that a message waits for its turn at an idle worker, for
each other queue. At SQS's prices a request every two seconds costs about half a dollar a month."""
LOOK_INTERVAL_S = 1.0
"""While another queue has messages, an empty one is looked at once in this time."""
IDLE_SHARE = 10
"""Long polls at empty queues keep at most one slot in this many free."""
MAX_AHEAD = MAX_BATCH_SIZE
"""How many messages a queue may be ahead of its share: those of one receive, while the queue whose turn it is is still
being asked."""


class Ask(NamedTuple):
    """A receive that is to be started. `limit` and `wait_s`: see `Receive`."""

    turn: QueueTurn
    limit: int
    wait_s: int | None


@dataclass(slots=True, kw_only=True, eq=False)
class QueueTurn:
    """What is known of one queue.

    Attributes:
        asked: its receives.
        weight: its share, in proportion to those of others.
        readiness: nothing is received from it while this is closed.
        served: messages received, divided by `weight`; those that receives under way may bring are counted as if they
            were here. The queue with the smallest number is next.
        is_empty: whether the last receive brought nothing.
        look_at: loop time at which an empty queue is looked at again, while another one has messages.
        asked_at: loop time at which it was asked last.
        is_gone: whether it does not exist.
        overdue: receives that are under way for too long. The other queues do not wait for them.
    """

    asked: AskedQueue
    weight: int
    readiness: Readiness
    served: float = 0.0
    is_empty: bool = False
    look_at: float = -math.inf
    asked_at: float = -math.inf
    is_gone: bool = False
    overdue: int = 0

    @property
    def may_be_asked(self) -> bool:
        """Whether nothing forbids it."""
        return self.asked.backoff is None and not self.overdue and self.readiness.is_open


class Turns:
    """Gives the queues their turns.

    A queue that has messages is served in proportion to its weight, counted in messages (start-time fair queueing). An
    empty one leaves its share to the others and saves nothing for later.
    """

    def __init__(self, turns: Sequence[QueueTurn]) -> None:
        self._turns = turns
        self._served = 0.0
        """`QueueTurn.served` of the queue that was asked last: a queue that was empty goes on from here."""

    def next(self, room: Callable[[AskedQueue], int], capacity: int) -> Ask | None:
        """Return the next receive; None: there is room for none.

        Args:
            room: returns how many messages a queue may be asked for.
            capacity: how many messages can be in slots or wait for one.
        """
        ready = [turn for turn in self._turns if turn.may_be_asked]
        idle_limit = max(1, capacity // (IDLE_SHARE * len(self._turns)))
        is_busy = any(not turn.is_empty for turn in ready)
        if is_busy and (ask := _next_busy(ready, room, idle_limit)) is not None:
            return ask
        unasked = [turn for turn in ready if turn.is_empty and not turn.asked.under_way]
        places = room(unasked[0].asked) if unasked else 0
        can_wait_long = capacity >= IDLE_SHARE * len(self._turns) and places >= len(unasked)
        # What a poll may bring is kept free for it. While others have messages, that must be little.
        if places <= 0 or (is_busy and not can_wait_long):
            return None
        turn = min(unasked, key=lambda turn: turn.asked_at)
        limit = max(1, min(idle_limit, places // len(unasked)))
        return Ask(turn, limit, None if can_wait_long else SHORT_POLL_S)

    def asked(self, ask: Ask) -> None:
        """Record that a receive was started."""
        turn = ask.turn
        if not turn.is_empty:
            self._served = max(self._served, turn.served)
        turn.served += ask.limit / turn.weight
        turn.asked_at = asyncio.get_running_loop().time()

    def brought(self, turn: QueueTurn, limit: int, messages: int) -> None:
        """Record what a receive of up to `limit` messages has brought."""
        turn.served -= limit / turn.weight
        if messages and turn.is_empty:
            turn.served = max(turn.served, self._served)
        turn.served += messages / turn.weight
        turn.is_empty = not messages
        if not messages:
            turn.look_at = asyncio.get_running_loop().time() + LOOK_INTERVAL_S

    @staticmethod
    def failed(turn: QueueTurn, limit: int) -> None:
        """Record that a receive of up to `limit` messages failed."""
        turn.served -= limit / turn.weight


def _next_busy(ready: Sequence[QueueTurn], room: Callable[[AskedQueue], int], idle_limit: int) -> Ask | None:
    """Return a receive that does not wait, from the queue that is behind most; None: there is room for none."""
    now = asyncio.get_running_loop().time()
    contenders = sorted(
        (turn for turn in ready if not turn.is_empty or (turn.look_at <= now and not turn.asked.under_way)),
        key=lambda turn: turn.served,
    )
    for turn in contenders:
        # Nearly always it is the first. That one may be asked already, for as much as there was room for then.
        if turn.served > contenders[0].served + MAX_AHEAD / turn.weight:
            continue
        limit = room(turn.asked) if turn.asked.can_start else 0
        if limit > 0:
            return Ask(turn, min(limit, idle_limit) if turn.is_empty else limit, 0)
    return None
