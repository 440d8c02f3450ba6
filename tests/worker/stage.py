"""A worker and everything around it, in memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

from dequeuer.concurrency.slots import ConcurrencyLimit
from dequeuer.core.drain import Drain
from dequeuer.core.events import Settled
from dequeuer.core.message import Done, Fence, Message, Outcome
from dequeuer.core.readiness import Condition
from dequeuer.sources.base import Lease, Source
from dequeuer.worker.lease import LeaseRenewer
from dequeuer.worker.own_end import OwnEnd
from dequeuer.worker.poller import EndOfWork
from dequeuer.worker.shared_poller import WeightedSource
from dequeuer.worker.worker import Worker
from tests.fakes import FakeLease, FakeSource, Recorder, make_message

DONE = Done(state="completed")


class FakeReadiness:
    def __init__(self) -> None:
        self.is_open = True
        self._opened = asyncio.Event()
        self._opened.set()
        self._closed = asyncio.Event()

    def set(self, *, is_open: bool) -> None:
        self.is_open = is_open
        (self._opened.set if is_open else self._opened.clear)()
        (self._closed.clear if is_open else self._closed.set)()

    async def wait_open(self) -> None:
        await self._opened.wait()

    async def wait_closed(self) -> None:
        await self._closed.wait()


class ScriptedHandler:
    """Returns the scripted outcome for each message after the scripted time."""

    def __init__(self) -> None:
        self.outcome: Outcome | Exception = DONE
        self.takes_s = 0.0
        self.slotless = False
        self.running = 0
        self.most_running = 0
        self.handled: list[str] = []

    def needs_slot(self, message: Message) -> bool:
        return not self.slotless

    def ref(self, message: Message) -> str:
        return message.body

    async def handle(self, message: Message, fence: Fence) -> Outcome:
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        try:
            await asyncio.sleep(self.takes_s)
            fence.check()
        finally:
            self.running -= 1
        self.handled.append(message.body)
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome


class DeepSource(FakeSource):
    """A queue with a number of messages, which responds after `answers_after_s`."""

    def __init__(self, messages: int, answers_after_s: float = 0.02) -> None:
        super().__init__()
        self.left = messages
        self.handed: list[FakeLease] = []
        self.handed_at: list[float] = []
        self._answers_after_s = answers_after_s

    async def receive(self, limit: int, *, wait_s: int | None = None) -> Sequence[Lease]:
        self.limits.append(limit)
        await asyncio.sleep(self._answers_after_s)
        if self.left == 0 and wait_s != 0:
            await asyncio.Event().wait()
        new = [FakeLease(make_message(f"r{len(self.handed) + at}")) for at in range(min(limit, self.left))]
        self.left -= len(new)
        self.handed += new
        self.handed_at += [now()] * len(new)
        return new


class Stage:
    """A worker and everything around it."""

    def __init__(self, lease_s: float = 30) -> None:
        self.source = FakeSource()
        self.handler = ScriptedHandler()
        self.readiness = FakeReadiness()
        self.drain = Drain()
        self.seen = Recorder()
        self.renewer = LeaseRenewer(lease_s, self.seen)
        self.pause: Condition | None = None
        self.own_end: OwnEnd | None = None
        self.worker: Worker | None = None

    def for_worker(self) -> Source | Sequence[WeightedSource]:
        """Return what the worker receives from."""
        return self.source

    @asynccontextmanager
    async def running(
        self, slots: int | ConcurrencyLimit = 1, grace_s: float = 55, end_of_work: EndOfWork | None = None
    ) -> AsyncIterator[asyncio.Task[None]]:
        self.worker = Worker(
            source=self.for_worker(),
            handler=self.handler,
            readiness=self.readiness,
            renewer=self.renewer,
            drain=self.drain,
            slots=slots,
            grace_s=grace_s,
            end_of_work=end_of_work,
            observer=self.seen,
            pause=self.pause,
            own_end=self.own_end,
        )
        leases = asyncio.create_task(self.renewer.run())
        task = asyncio.create_task(self.worker.run())
        try:
            yield task
        finally:
            self.drain.request()
            self.drain.request()
            await asyncio.wait({task})
            leases.cancel()
            await asyncio.wait({leases})

    def settlements(self) -> list[str]:
        return [event.settlement for event in self.seen.of(Settled)]


def leases(count: int) -> list[FakeLease]:
    return [FakeLease(make_message(f"r{number}")) for number in range(count)]


def now() -> float:
    return asyncio.get_running_loop().time()


async def until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110 - in virtual time polling costs nothing
        await asyncio.sleep(0.001)
