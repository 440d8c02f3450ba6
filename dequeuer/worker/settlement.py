"""Settling messages: acknowledge, release, or send again. A cancelled caller waits for the response, for up to 2 s."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from dequeuer.core.errors import LeaseLostError, SourceDeniedError, SourceGoneError, SourceUnavailableError
from dequeuer.core.events import Settlement
from dequeuer.core.message import Done, Message, Outcome, Reject, Requeue, Retry, is_last_receive, may_be_lost
from dequeuer.core.retry import retry_until_available
from dequeuer.sources.base import Lease
from dequeuer.worker.lease import HeldLease

SETTLEMENT_TIMEOUT_S = 2.0
"""How long `settle` waits for the response after its caller was cancelled; also the longest time that `release_now`
takes. The end of the process has a limit of its own: `RELEASE_TIMEOUT_S` of the worker."""
REQUEUE_RELEASE_S = 10.0
"""For how long a completion message is hidden when it could not be sent again."""
REPEATABLE_ERRORS = (SourceUnavailableError, SourceDeniedError)
"""Errors after which a call to the queue is repeated. A denial can end, too: credentials and policies are changed."""


class Settler:
    """Settles messages, each with the queue that it came from.

    Args:
        must_arrive: whether somebody waits for just this message (a completion message): it is sent again while a
            receive is left that may be lost.
    """

    def __init__(self, must_arrive: Callable[[Message], bool] = lambda _message: False) -> None:
        self._must_arrive = must_arrive
        self._running: set[asyncio.Task[Settlement] | asyncio.Task[None]] = set()
        self._released_at = -math.inf
        self._releasing = 0

    async def settle(self, held: HeldLease, outcome: Outcome) -> None:
        """Settle a message, and record how. Repeats the calls while the queue is unavailable and the lease is held.

        A cancelled caller waits for the response for up to `SETTLEMENT_TIMEOUT_S`, because the queue may have received
        the request already.

        Raises:
            LeaseLostError: the lease ended before, or the queue refused it.
            SourceGoneError: the queue does not exist any more.
        """
        # A message that is to be sent again can be released until its deletion begins: the copy may fail for long.
        held.was_settlement_attempted = not isinstance(outcome, Requeue)
        settling = asyncio.create_task(
            retry_until_available(REPEATABLE_ERRORS, self._settle, held, outcome), name="settle"
        )
        self._track(settling)
        try:
            settlement = await asyncio.shield(settling)
        except asyncio.CancelledError:
            # Wait also when the lease is lost, because the queue may have received the settlement before.
            await asyncio.wait({settling}, timeout=SETTLEMENT_TIMEOUT_S)
            if settling.done() and not settling.cancelled() and settling.exception() is None:
                held.set_settlement(settling.result(), outcome.reason)
            settling.cancel()
            raise
        held.set_settlement(settlement, outcome.reason)

    async def _settle(self, held: HeldLease, outcome: Outcome) -> Settlement:
        match outcome:
            case Done():
                await self._acknowledge(held)
                return outcome.state
            case Retry():
                await held.stop_renewing()
                await self._release(held.lease, min(outcome.after_s, held.max_release_s()))
                return "retried"
            case Reject():
                if held.lease.source.has_redrive:
                    await held.stop_renewing()
                    await self._release(held.lease, min(outcome.after_s, held.max_release_s()))
                else:
                    await self._acknowledge(held)
                return "poison" if outcome.poison else "rejected"
            case Requeue():
                held.check()
                # The copy comes first: a crash between the two calls leaves two messages, never none.
                try:
                    with self._making_visible():
                        await held.lease.source.copy(held.lease)
                except SourceDeniedError:
                    # Released, not held, although that raises its receive count: while two sidecars hold a completion
                    # message each, neither message is the last one, and the job would never end.
                    await held.stop_renewing()
                    await self._release(held.lease, min(REQUEUE_RELEASE_S, held.max_release_s()))
                    return "retried"
                held.was_settlement_attempted = True
                await self._acknowledge(held)
                return "requeued"

    @staticmethod
    async def _acknowledge(held: HeldLease) -> None:
        """Delete the message. Renewal stops during the deletion, and starts again if the queue is unavailable."""
        await held.stop_renewing()
        held.check()
        try:
            await held.lease.ack()
        except REPEATABLE_ERRORS:
            held.resume_renewing()
            raise

    @property
    def last_release_at(self) -> float:
        """Loop time at which a message last became visible (released with 0, or sent again); now while one does."""
        return asyncio.get_running_loop().time() if self._releasing else self._released_at

    async def _release(self, lease: Lease, after_s: float) -> None:
        if after_s > 0:
            await lease.release(after_s)
            return
        with self._making_visible():
            await lease.release(0)

    @contextmanager
    def _making_visible(self) -> Iterator[None]:
        self._releasing += 1
        try:
            yield
        finally:
            self._releasing -= 1
            self._released_at = asyncio.get_running_loop().time()

    async def release_now(self, leases: Sequence[Lease]) -> None:
        """Release messages with visibility 0; returns after `SETTLEMENT_TIMEOUT_S` at most.

        Nothing has failed, so a message at its last receive is sent again instead: the queue would move it to the
        dead-letter queue. It is marked, because its receive count begins anew. What fails is not repeated: the message
        becomes visible when its lease ends.
        """

        async def release(lease: Lease) -> None:
            try:
                if not await self._is_sent_again(lease):
                    await self._release(lease, 0)
            except (*REPEATABLE_ERRORS, LeaseLostError, SourceGoneError):
                return

        # asyncio.wait, not gather: when the caller is cancelled, the requests go on.
        releasing = {asyncio.create_task(release(lease), name="release") for lease in leases}
        for task in releasing:
            self._track(task)
        await asyncio.wait(releasing, timeout=SETTLEMENT_TIMEOUT_S)

    async def _is_sent_again(self, lease: Lease) -> bool:
        """Send a message at its last receive as a new one, and delete it; return whether that was done."""
        is_at_end = may_be_lost if self._must_arrive(lease.message) else is_last_receive
        if not is_at_end(lease.message):
            return False
        try:
            with self._making_visible():
                await lease.source.copy(lease)
        except SourceDeniedError:
            return False
        await lease.ack()
        return True

    def _track(self, task: asyncio.Task[Settlement] | asyncio.Task[None]) -> None:
        """Keep a reference to a task that may outlive its caller. Retrieve its error, or asyncio would log it."""
        self._running.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[Settlement] | asyncio.Task[None]) -> None:
        self._running.discard(task)
        if not task.cancelled():
            task.exception()
