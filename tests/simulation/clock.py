"""An event loop in virtual time: when no task can run, the clock is set to the next timer. One seed gives one run."""

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
"""The wall-clock time at which a world begins, seconds since the epoch."""


class DeadlockError(Exception):
    """All tasks wait, and no timer is scheduled that could wake one."""


class _NumberedTask(asyncio.Task[T]):
    """A task with a fixed hash. The default hash is a memory address: the order in a set would differ between runs."""

    def __init__(self, number: int, coro: Coroutine[Any, Any, T], **options: Any) -> None:
        self._number = number
        super().__init__(coro, **options)

    def __hash__(self) -> int:
        return self._number


class VirtualLoop(asyncio.SelectorEventLoop):
    """A loop in virtual time. It never waits in the operating system, so sockets do not work.

    `_run_once` of the standard loop is replaced, because it waits for sockets and for real time.
    """

    _ready: deque[asyncio.Handle]

    def __init__(self) -> None:
        self._now = 0.0
        self._numbers = itertools.count()
        self._timers: list[tuple[float, int, asyncio.TimerHandle]] = []
        self._step = 0
        self.at_step: dict[int, Callable[[], object]] = {}
        """Functions by the turn of the loop before which they are called: a test can interrupt at every await."""
        super().__init__()
        self.set_task_factory(self._make)
        self.errors: list[str] = []
        self.set_exception_handler(self._record_error)

    def time(self) -> float:
        return self._now

    def wall(self) -> float:
        """Return the virtual wall-clock time, seconds since the epoch."""
        return EPOCH_S + self._now

    @property
    def steps(self) -> int:
        """The number of turns of the loop so far."""
        return self._step

    def jump(self, seconds: float) -> None:
        """Advance the clock while no task runs, as when a process is stopped or a machine sleeps."""
        self._now += max(0.0, seconds)

    def call_at(  # type: ignore[override]  # typeshed ties the arguments to the callback; they are only passed on here
        self, when: float, callback: Any, *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        handle = asyncio.TimerHandle(when, callback, args, self, context)
        heapq.heappush(self._timers, (when, next(self._numbers), handle))
        return handle

    def _timer_handle_cancelled(self, _handle: asyncio.TimerHandle) -> None:
        """Do nothing: `_run_once` skips cancelled timers."""

    def _run_once(self) -> None:
        timers, ready = self._timers, self._ready
        self._step += 1
        if self._step in self.at_step:
            self.at_step.pop(self._step)()
        while timers and timers[0][2].cancelled():
            heapq.heappop(timers)
        if not ready:
            if not timers:
                raise DeadlockError
            self._now = max(self._now, timers[0][0])
        while timers and timers[0][0] <= self._now:
            ready.append(heapq.heappop(timers)[2])
        for _ in range(len(ready)):
            handle = ready.popleft()
            if not handle.cancelled():
                handle._run()

    def _record_error(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        self.errors.append(
            f"{context.get('message')}: {context.get('exception')!r} {context.get('future') or context.get('task')!r}"
        )

    def _make(
        self, loop: asyncio.AbstractEventLoop, coro: Any, context: Context | None = None, **options: Any
    ) -> asyncio.Task[Any]:
        if context is not None:
            options["context"] = context
        return _NumberedTask(next(self._numbers), coro, loop=loop, **options)


def running() -> VirtualLoop:
    """Return the running loop."""
    loop = asyncio.get_running_loop()
    if not isinstance(loop, VirtualLoop):
        raise TypeError("this runs in a simulation only")
    return loop


def run(seed: int, main: Callable[[], Coroutine[Any, Any, T]], *, collects_garbage: bool = False) -> T:
    """Run in virtual time. All randomness comes from `seed`, that of the code under test included.

    A task whose error no other task has read reports the error only when the task is deleted. With `collects_garbage`
    it is deleted before this returns; that takes the time of a collection of the whole process.
    """
    state = random.getstate()
    random.seed(seed)
    try:
        loop = VirtualLoop()
        clock.monotonic, clock.wall = loop.time, loop.wall
        with asyncio.Runner(loop_factory=lambda: loop) as runner:
            result = runner.run(main())
            if collects_garbage:
                gc.collect()
        if loop.errors:
            raise AssertionError(f"seed {seed}: the event loop reported: {loop.errors[0]}")
        return result
    finally:
        clock.monotonic, clock.wall = time.monotonic, time.time
        random.setstate(state)
