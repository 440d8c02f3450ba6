"""The worker: receives messages, works on them, and settles all of them before it ends."""

from __future__ import annotations

import asyncio
import math

from dequeuer.concurrency.slots import ConcurrencyLimit, FixedLimit, Slots
from dequeuer.core.drain import Drain
from dequeuer.core.events import Observer, ProcessPhaseChanged
from dequeuer.core.readiness import Readiness
from dequeuer.handlers.base import Handler
from dequeuer.sources.base import Source
from dequeuer.worker.attempts import Attempts
from dequeuer.worker.lease import LeaseRenewer
from dequeuer.worker.poller import Poller, Watch
from dequeuer.worker.prefetch import PrefetchBuffer
from dequeuer.worker.settlement import Settler

__all__ = ["Readiness", "Watch", "Worker"]

MAX_REDELIVERY_S = 1.0
"""How long open polls are read after the last release: the queue may deliver a released message to one of them."""


class Worker:
    """Works on the messages of one source with a number of slots.

    Args:
        source: where messages come from.
        handler: handles them.
        readiness: nothing is received while it is closed. A receive for a container that is not ready would raise the
            receive count, and move good messages to the dead-letter queue.
        renewer: renews the leases. The caller starts its `run`.
        drain: ends the work.
        slots: messages in the container at the same time: a number, or a limit that changes.
        grace_s: how long running work may go on after the drain is requested, seconds.
        watch: decides when the work is over; None: the worker runs until the drain.
        observer: receives every event.
    """

    def __init__(  # noqa: PLR0913 - one parameter for each collaborator
        self,
        *,
        source: Source,
        handler: Handler,
        readiness: Readiness,
        renewer: LeaseRenewer,
        drain: Drain,
        slots: int | ConcurrencyLimit,
        grace_s: float,
        watch: Watch | None,
        observer: Observer,
    ) -> None:
        self._drain = drain
        self._grace_s = grace_s
        self._observer = observer
        changed = asyncio.Event()
        settler = Settler(source)
        self._slots = Slots(FixedLimit(slots) if isinstance(slots, int) else slots, observer)
        self._prefetched = PrefetchBuffer(settler, renewer, observer)
        self._attempts = Attempts(
            handler=handler,
            renewer=renewer,
            settler=settler,
            slots=self._slots,
            prefetched=self._prefetched,
            readiness=readiness,
            drain=drain,
            changed=changed,
            observer=observer,
        )
        self._poller = Poller(
            source=source,
            readiness=readiness,
            drain=drain,
            slots=self._slots,
            prefetched=self._prefetched,
            attempts=self._attempts,
            watch=watch,
            changed=changed,
        )

    def is_live(self, stuck_after_s: float) -> bool:
        """Tell whether no receive has been under way for longer than `stuck_after_s`."""
        return self._poller.is_live(stuck_after_s)

    async def run(self) -> None:
        """Work until the drain is requested, or the watch says that the work is over. Then everything is settled.

        Raises:
            SourceGoneError: the queue does not exist any more.
        """
        self._slots.report()
        polling = asyncio.create_task(self._poll(), name="poller")
        releasing = asyncio.create_task(self._poller.release_when_not_ready(), name="release-when-not-ready")
        draining = asyncio.create_task(self._drain.wait_requested(), name="drain-requested")
        tasks = {polling, releasing, draining}
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
            await self._settle_everything()
        for task in (polling, releasing):
            if not task.cancelled() and (error := task.exception()):
                raise error

    async def _poll(self) -> None:
        await self._poller.run()
        self._observer(ProcessPhaseChanged(phase="queue_empty", in_flight=len(self._attempts)))

    async def _settle_everything(self) -> None:
        loop = asyncio.get_running_loop()
        grace_ends_at = loop.time() + self._grace_s
        if self._drain.requested:
            self._observer(ProcessPhaseChanged(phase="drain", in_flight=len(self._attempts)))
        self._attempts.stop()
        late_messages = asyncio.create_task(self._poller.release_late_messages(), name="release-late-messages")
        # The queue may deliver a released message to an open poll of this worker, even if its connection was just
        # closed, because some queues do not notice that. So polls stay open, and what they bring is released again.
        await asyncio.wait({late_messages}, timeout=self._poller.max_response_wait_s())
        last_release_at = loop.time() if self._prefetched else -math.inf
        self._prefetched.release_all("drain")
        if self._attempts:
            forced = asyncio.create_task(self._drain.wait_forced(), name="drain-forced")
            running = asyncio.create_task(self._attempts.wait(), name="running")
            left_s = max(0.0, grace_ends_at - loop.time())
            await asyncio.wait({forced, running}, timeout=left_s, return_when=asyncio.FIRST_COMPLETED)
            forced.cancel()
            running.cancel()
        if self._attempts:
            self._observer(ProcessPhaseChanged(phase="release", in_flight=len(self._attempts)))
            await self._attempts.cancel()
            last_release_at = loop.time()
        await asyncio.wait({late_messages}, timeout=max(0.0, last_release_at + MAX_REDELIVERY_S - loop.time()))
        self._poller.cancel_receives()
        await asyncio.wait({late_messages})
        await self._prefetched.wait_released()
        if self._drain.requested:
            self._observer(ProcessPhaseChanged(phase="drained", in_flight=len(self._attempts)))
