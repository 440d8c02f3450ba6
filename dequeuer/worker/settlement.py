"""Settling messages: whole, whatever is cancelled meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from dequeuer.core.errors import LeaseLostError, SourceDeniedError, SourceGoneError, SourceUnavailableError
from dequeuer.core.events import Settlement
from dequeuer.core.message import Done, Outcome, Reject, Requeue, Retry
from dequeuer.core.retry import retry_until_available
from dequeuer.sources.base import Lease, Source
from dequeuer.worker.lease import Hold

SETTLE_S = 2.0
"""How long settling and giving back may take, each, when time is up: with the grace they stay below the pod's."""
REQUEUE_RELEASE_S = 10.0
"""How long a completion message is hidden when it could not be sent again."""
AWAY = (SourceUnavailableError, SourceDeniedError)
"""What passes by itself; a denial, too, as credentials are rotated."""


class Ending:
    """How a message ended, as far as is known."""

    def __init__(self) -> None:
        self.settlement: Settlement | None = None
        self.reason = ""
        self.is_under_way = False
        """Something that settles may have been sent."""
        self.takes_room = True
        """Whether the message counts among those that are worked on or stored."""

    def set(self, settlement: Settlement, reason: str) -> None:
        """Record how it ended."""
        self.settlement = settlement
        self.reason = reason


class Settler:
    """Carries out outcomes on one source."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._under_way: set[asyncio.Task[Settlement] | asyncio.Task[None]] = set()

    async def settle(self, hold: Hold, outcome: Outcome, ending: Ending) -> None:
        """Settle, and do not stop half-way when cancelled: the queue may have taken it already."""
        ending.is_under_way = True
        settling = asyncio.create_task(self._apply(hold, outcome), name="settle")
        self._keep(settling)
        try:
            settlement = await asyncio.shield(settling)
        except asyncio.CancelledError:
            # Also when the lease is lost: the queue may have taken the settlement before.
            await asyncio.wait({settling}, timeout=SETTLE_S)
            if settling.done() and not settling.cancelled() and settling.exception() is None:
                ending.set(settling.result(), outcome.reason)
            settling.cancel()
            raise
        ending.set(settlement, outcome.reason)

    async def _apply(self, hold: Hold, outcome: Outcome) -> Settlement:
        async def once() -> Settlement:
            hold.check()
            lease = hold.lease
            match outcome:
                case Done():
                    await self._ack(hold)
                    return outcome.state
                case Retry():
                    await hold.stop_renewing()
                    await lease.release(min(outcome.after_s, hold.longest_release_s()))
                    return "retried"
                case Reject():
                    if self._source.has_redrive:
                        await hold.stop_renewing()
                        await lease.release(outcome.after_s)
                    else:
                        await self._ack(hold)
                    return "poison" if outcome.poison else "rejected"
                case Requeue():
                    # First the copy: a crash in between leaves two, never none.
                    try:
                        await self._source.copy(lease)
                    except SourceDeniedError:
                        # The release costs a receive. Held here, the message would keep the job from ending.
                        await hold.stop_renewing()
                        await lease.release(REQUEUE_RELEASE_S)
                        return "retried"
                    hold.check()
                    await self._ack(hold)
                    return "requeued"

        return await retry_until_available(AWAY, once)

    @staticmethod
    async def _ack(hold: Hold) -> None:
        """Delete the message. Not renewed meanwhile; while the queue is away it is held as before."""
        await hold.stop_renewing()
        hold.check()
        try:
            await hold.lease.ack()
        except AWAY:
            hold.resume_renewing()
            raise

    async def give_back(self, leases: Sequence[Lease]) -> None:
        """Make messages visible again at once. Best effort: their leases end by themselves, too."""

        async def give(lease: Lease) -> None:
            try:
                await lease.release(0)
            except (*AWAY, LeaseLostError, SourceGoneError):
                return

        # asyncio.wait, not gather: what is under way is not cancelled with the caller.
        giving = {asyncio.create_task(give(lease), name="give-back") for lease in leases}
        for task in giving:
            self._keep(task)
        await asyncio.wait(giving, timeout=SETTLE_S)

    def _keep(self, task: asyncio.Task[Settlement] | asyncio.Task[None]) -> None:
        """Hold on to a task that may outlive its caller, and listen to its end when nobody else does."""
        self._under_way.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[Settlement] | asyncio.Task[None]) -> None:
        self._under_way.discard(task)
        if not task.cancelled():
            task.exception()
