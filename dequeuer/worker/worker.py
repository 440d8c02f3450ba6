"""The worker: receives messages, works on them, and settles all of them before it ends."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence

from dequeuer.concurrency.slots import ConcurrencyLimit, FixedLimit, Slots
from dequeuer.core.drain import Drain
from dequeuer.core.events import Observer, ProcessPhaseChanged
from dequeuer.core.readiness import Readiness
from dequeuer.handlers.base import Handler
from dequeuer.sources.base import Source
from dequeuer.worker.attempts import Attempts
from dequeuer.worker.lease import LeaseRenewer
from dequeuer.worker.own_end import OwnEnd
from dequeuer.worker.poller import EndOfWork, Poller, PollerParts, QueuePoller
from dequeuer.worker.prefetch import PrefetchBuffer
from dequeuer.worker.settlement import Settler
from dequeuer.worker.shared_poller import SharedPoller, WeightedSource

READ_POLLS_AFTER_RELEASE_S = 1.0
"""How long open polls are read after the last message was released with visibility 0, or sent again, by whichever part
of the worker: the queue may deliver it to one of them."""
RELEASE_TIMEOUT_S = 2.5
"""The worker ends at latest this long after the grace period, also when the queue does not respond; or after the
process runs again, if it was stopped at the end of that period.

After it come the last counts of a batch job, `SqsSource.close`, aborts of uploads, and the ends of the admin server and
of the event loop: each takes 0.5 s at most. So the process ends within 5 s after `DEQUEUER_SHUTDOWN_GRACE`. The pod
needs a terminationGracePeriodSeconds of that grace period plus 5 s, or the kubelet may kill the process before all
messages are released.
"""
LATE_RELEASE_S = 0.25
"""The part of `RELEASE_TIMEOUT_S` that is reserved for releasing the messages of the last polls."""


class Worker:
    """Works on the messages of one queue, or of several, with a number of slots.

    Args:
        source: where messages come from. Several queues share the slots by their weights.
        handler: handles them.
        readiness: nothing is received while it is closed. A receive for a container that is not ready would raise the
            receive count, and move good messages to the dead-letter queue.
        renewer: renews the leases. The caller starts its `run`.
        drain: ends the work.
        slots: messages in the container at the same time: a number, or a limit that changes.
        grace_s: how long running work may go on after the drain is requested, seconds.
        end_of_work: decides when the work is over; None: the worker runs until the drain, as with several queues.
        observer: receives every event.
        pause: nothing is received while it is closed, and the work that was received goes on; None: it is always open.
        own_end: ends the work after a number of messages, or a time without any; None: nothing of that ends it.
    """

    def __init__(  # noqa: PLR0913 - one parameter for each collaborator
        self,
        *,
        source: Source | Sequence[WeightedSource],
        handler: Handler,
        readiness: Readiness,
        renewer: LeaseRenewer,
        drain: Drain,
        slots: int | ConcurrencyLimit,
        grace_s: float,
        end_of_work: EndOfWork | None,
        observer: Observer,
        pause: Readiness | None = None,
        own_end: OwnEnd | None = None,
    ) -> None:
        self._drain = drain
        self._pause = pause
        self._grace_s = grace_s
        self._observer = observer
        changed = asyncio.Event()
        self._settler = settler = Settler(must_arrive=lambda message: not handler.needs_slot(message))
        self._slots = Slots(FixedLimit(slots) if isinstance(slots, int) else slots, observer)
        self._prefetched = PrefetchBuffer(settler, renewer, observer)
        self.must_end_at = math.inf
        """Loop time by which `run` returns. It is known when the drain begins, or the work is over."""
        self.has_ended_itself = False
        """Whether the work was over, and not stopped by a drain."""
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
            own_end=own_end,
        )
        parts = PollerParts(
            readiness=readiness,
            drain=drain,
            slots=self._slots,
            prefetched=self._prefetched,
            attempts=self._attempts,
            changed=changed,
            pause=pause,
            own_end=own_end,
        )
        self._poller: Poller = (
            SharedPoller(source, parts) if isinstance(source, Sequence) else QueuePoller(source, end_of_work, parts)
        )

    @property
    def in_flight(self) -> int:
        """How many messages are in work."""
        return len(self._attempts)

    def is_live(self, stuck_after_s: float) -> bool:
        """Tell whether no receive has been under way for longer than `stuck_after_s`."""
        return self._poller.is_live(stuck_after_s)

    async def run(self) -> None:
        """Work until the drain is requested, or `end_of_work` or `own_end` ends the work. Then everything is settled.

        Raises:
            SourceGoneError: no queue exists any more.
        """
        self._slots.report()
        polling = asyncio.create_task(self._poll(), name="poller")
        releasing = asyncio.create_task(self._poller.release_when_not_ready(), name="release-when-not-ready")
        draining = asyncio.create_task(self._drain.wait_requested(), name="drain-requested")
        tasks = {polling, releasing, draining}
        if self._pause is not None:
            resuming = self._poller.receive_when_resumed(self._pause)
            tasks.add(asyncio.create_task(resuming, name="receive-when-resumed"))
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
        reason = await self._poller.run()
        self.has_ended_itself = True
        self._observer(ProcessPhaseChanged(phase=reason, in_flight=len(self._attempts)))

    async def _settle_everything(self) -> None:
        loop = asyncio.get_running_loop()
        grace_ends_at = loop.time() + self._grace_s
        self.must_end_at = grace_ends_at + RELEASE_TIMEOUT_S
        if self._drain.requested:
            self._observer(ProcessPhaseChanged(phase="drain", in_flight=len(self._attempts)))
        self._attempts.stop_starting()
        late_messages = asyncio.create_task(self._poller.release_late_messages(), name="release-late-messages")
        # The queue may deliver a released message to an open poll of this worker. Some queues also deliver it to a poll
        # whose connection was just closed. So polls stay open, and what they bring is released again. First wait for
        # the receives that will soon end with messages: then fewer polls are open when messages are released.
        await asyncio.wait({late_messages}, timeout=self._poller.max_response_wait_s())
        self._prefetched.release_all("drain")
        if self._attempts:
            forced = asyncio.create_task(self._drain.wait_forced(), name="drain-forced")
            running = asyncio.create_task(self._attempts.wait(), name="running")
            left_s = max(0.0, grace_ends_at - loop.time())
            await asyncio.wait({forced, running}, timeout=left_s, return_when=asyncio.FIRST_COMPLETED)
            forced.cancel()
            running.cancel()
        # Not from the end of the grace period. Work that ended early, or a forced drain, leaves a part of it unused;
        # and a process that was stopped until after it, with its node perhaps, has nothing released yet.
        end_at = loop.time() + RELEASE_TIMEOUT_S
        self.must_end_at = max(self.must_end_at, end_at)
        close_polls_at = end_at - LATE_RELEASE_S
        if self._attempts:
            self._observer(ProcessPhaseChanged(phase="release", in_flight=len(self._attempts)))
            await self._attempts.cancel(close_polls_at)
        # What late receives bring is released, too, so the time of the last release may change meanwhile.
        while not late_messages.done():
            left_s = min(close_polls_at, self._settler.last_release_at + READ_POLLS_AFTER_RELEASE_S) - loop.time()
            if left_s <= 0:
                break
            await asyncio.wait({late_messages}, timeout=left_s)
        self._poller.cancel_receives()
        await asyncio.wait({late_messages}, timeout=max(0.0, end_at - loop.time()))
        await self._prefetched.wait_released(end_at)
        if self._drain.requested:
            self._observer(ProcessPhaseChanged(phase="drained", in_flight=len(self._attempts)))
