"""An event loop without a world: time passes at once when nobody has anything to do, and one seed gives one run."""

from __future__ import annotations

import asyncio
import gc
import heapq
import itertools
import random
import time
from collections import deque
from collections.abc import Callable, Coroutine
from contextvars import Context
from typing import Any, TypeVar

from dequeuer.core import clock

T = TypeVar("T")

EPOCH_S = 1_700_000_000.0
"""What a wall clock shows when a world begins, seconds."""


class NothingLeftToHappenError(Exception):
    """Somebody waits for ever: nothing is scheduled that could wake anybody."""


class _NumberedTask(asyncio.Task[T]):
    """A task whose place in a set does not depend on where it lies in memory, so that runs repeat exactly."""

    def __init__(self, number: int, coro: Coroutine[Any, Any, T], **options: Any) -> None:
        self._number = number
        super().__init__(coro, **options)

    def __hash__(self) -> int:
        return self._number


class VirtualLoop(asyncio.SelectorEventLoop):
    """A loop with a clock of its own: nothing is ever waited for, the next timer is always due.

    It takes the place of `_run_once`, where the standard loop asks the operating system. Sockets do not work.
    """

    _ready: deque[asyncio.Handle]

    def __init__(self) -> None:
        self._now = 0.0
        self._numbers = itertools.count()
        self._timers: list[tuple[float, int, asyncio.TimerHandle]] = []
        self._step = 0
        self.at_step: dict[int, Callable[[], object]] = {}
        """Called before that turn of the loop: an interruption at every await can be tried, one after the other."""
        super().__init__()
        self.set_task_factory(self._make)
        self.complaints: list[str] = []
        self.set_exception_handler(self._complain)

    def time(self) -> float:
        return self._now

    def wall(self) -> float:
        """Return what a wall clock shows, seconds since the epoch."""
        return EPOCH_S + self._now

    @property
    def steps(self) -> int:
        """How many turns the loop has made."""
        return self._step

    def jump(self, seconds: float) -> None:
        """Let time pass without anybody running: a process that is stopped, a machine that sleeps."""
        self._now += max(0.0, seconds)

    def call_at(  # type: ignore[override]  # typeshed ties the arguments to the callback; here nobody looks at them
        self, when: float, callback: Any, *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        handle = asyncio.TimerHandle(when, callback, args, self, context)
        heapq.heappush(self._timers, (when, next(self._numbers), handle))
        return handle

    def _timer_handle_cancelled(self, _handle: asyncio.TimerHandle) -> None:
        """A cancelled one is left out when its time has come."""

    def _run_once(self) -> None:
        timers, ready = self._timers, self._ready
        self._step += 1
        if self._step in self.at_step:
            self.at_step.pop(self._step)()
        while timers and timers[0][2].cancelled():
            heapq.heappop(timers)
        if not ready:
            if not timers:
                raise NothingLeftToHappenError
            self._now = max(self._now, timers[0][0])
        while timers and timers[0][0] <= self._now:
            ready.append(heapq.heappop(timers)[2])
        for _ in range(len(ready)):
            handle = ready.popleft()
            if not handle.cancelled():
                handle._run()

    def _complain(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        self.complaints.append(f"{context.get('message')}: {context.get('exception')!r} {context.get('future')!r}")

    def _make(
        self, loop: asyncio.AbstractEventLoop, coro: Any, context: Context | None = None, **options: Any
    ) -> asyncio.Task[Any]:
        if context is not None:
            options["context"] = context
        return _NumberedTask(next(self._numbers), coro, loop=loop, **options)


def running() -> VirtualLoop:
    """Return the loop that runs."""
    loop = asyncio.get_running_loop()
    if not isinstance(loop, VirtualLoop):
        raise TypeError("this runs in a simulation only")
    return loop


def run(seed: int, main: Callable[[], Coroutine[Any, Any, T]], *, thorough: bool = False) -> T:
    """Run in virtual time. All randomness, that of the code under test included, comes from `seed`.

    A task that failed unheard complains only when it goes. With `thorough` it goes before this returns, which costs
    a collection of everything in the process.
    """
    state = random.getstate()
    random.seed(seed)
    try:
        loop = VirtualLoop()
        clock.monotonic, clock.wall = loop.time, loop.wall
        with asyncio.Runner(loop_factory=lambda: loop) as runner:
            result = runner.run(main())
            if thorough:
                gc.collect()
        if loop.complaints:
            raise AssertionError(f"seed {seed}: the event loop complained: {loop.complaints[0]}")
        return result
    finally:
        clock.monotonic, clock.wall = time.monotonic, time.time
        random.setstate(state)
