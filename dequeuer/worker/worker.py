"""The loop and its end: everything that begins here is settled here."""

from __future__ import annotations

import asyncio
import math

from dequeuer.concurrency.slots import FixedLimit, Limit, Slots
from dequeuer.core.drain import Drain
from dequeuer.core.events import Observer, ProcessPhaseChanged
from dequeuer.core.readiness import Readiness
from dequeuer.handlers.base import Handler
from dequeuer.sources.base import Source
from dequeuer.worker.attempts import Attempts
from dequeuer.worker.lease import LeaseKeeper
from dequeuer.worker.poller import EXTRA_HELD, Poller, Watch
from dequeuer.worker.prefetch import WaitingRoom
from dequeuer.worker.settlement import Settler

__all__ = ["EXTRA_HELD", "Readiness", "Watch", "Worker"]

TAKE_BACK_S = 1.0
"""How long the queue may take to hand a released message to a poll that is still open."""


class Worker:
    """Works off one source with a number of slots.

    Args:
        source: where messages come from.
        handler: what they mean.
        readiness: asked before each receive: receiving for a container that is not ready would raise
            the receive count and push good messages to the dead-letter queue.
        keeper: renews what is held. Its `run` is the caller's to start.
        drain: ends the work.
        slots: messages in the container at a time; a number, or who finds it.
        grace_s: how long running work may go on once the drain is requested.
        watch: ends the work when nothing is left; None works for ever.
        observer: is told.
    """

    def __init__(  # noqa: PLR0913 - one parameter a party
        self,
        *,
        source: Source,
        handler: Handler,
        readiness: Readiness,
        keeper: LeaseKeeper,
        drain: Drain,
        slots: int | Limit,
        grace_s: float,
        watch: Watch | None,
        observer: Observer,
    ) -> None:
        self._drain = drain
        self._grace_s = grace_s
        self._observer = observer
        settler = Settler(source)
        self._slots = Slots(FixedLimit(slots) if isinstance(slots, int) else slots, observer)
        self._attempts = Attempts(handler, keeper, settler, observer)
        self._waiting = WaitingRoom(settler, keeper, observer)
        self._poller = Poller(
            source=source,
            readiness=readiness,
            drain=drain,
            slots=self._slots,
            waiting=self._waiting,
            attempts=self._attempts,
            watch=watch,
        )

    def is_live(self, stuck_after_s: float) -> bool:
        """Tell whether no single receive has been under way for longer than `stuck_after_s`."""
        return self._poller.is_live(stuck_after_s)

    async def run(self) -> None:
        """Work until the drain is requested or the watch says it is over; everything is settled then.

        Raises:
            SourceGoneError: the queue is no more.
        """
        self._slots.tell()
        polling = asyncio.create_task(self._poll(), name="poller")
        guarding = asyncio.create_task(self._poller.guard(), name="poller-guard")
        asked = asyncio.create_task(self._drain.wait_requested(), name="drain-requested")
        tasks = {polling, guarding, asked}
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
            await self._finish()
        for task in (polling, guarding):
            if not task.cancelled() and (error := task.exception()):
                raise error

    async def _poll(self) -> None:
        await self._poller.run()
        self._observer(ProcessPhaseChanged(phase="queue_empty", in_flight=len(self._attempts)))

    async def _finish(self) -> None:
        loop = asyncio.get_running_loop()
        grace_ends = loop.time() + self._grace_s
        if self._drain.requested:
            self._observer(ProcessPhaseChanged(phase="drain", in_flight=len(self._attempts)))
        self._poller.stop()
        late = asyncio.create_task(self._poller.give_back_late(), name="late-poll")
        # An open poll of this sidecar may take back what is released, also after its connection was closed: not
        # every queue notices that. So it stays open, and what it brings is given back again.
        await asyncio.wait({late}, timeout=self._poller.answer_is_due_s())
        last_release_at = loop.time() if self._waiting else -math.inf
        self._waiting.clear("drain")
        returned = asyncio.create_task(self._waiting.close(), name="give-back-waiting")
        if self._attempts:
            hurried = asyncio.create_task(self._drain.wait_forced(), name="hurried")
            running = asyncio.create_task(self._attempts.wait(), name="running")
            left_s = max(0.0, grace_ends - loop.time())
            await asyncio.wait({hurried, running}, timeout=left_s, return_when=asyncio.FIRST_COMPLETED)
            hurried.cancel()
            running.cancel()
        if self._attempts:
            self._observer(ProcessPhaseChanged(phase="release", in_flight=len(self._attempts)))
            await self._attempts.cancel()
            last_release_at = loop.time()
        await asyncio.wait({late}, timeout=max(0.0, last_release_at + TAKE_BACK_S - loop.time()))
        self._poller.abandon()
        await asyncio.wait({late, returned})
        if self._drain.requested:
            self._observer(ProcessPhaseChanged(phase="drained", in_flight=len(self._attempts)))
