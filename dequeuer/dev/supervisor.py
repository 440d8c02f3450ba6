"""Starts and stops the child processes together: when one ends, all end; none runs longer than `dequeuer dev`."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Coroutine
from types import TracebackType
from typing import Any, Protocol, Self, TypeVar

from dequeuer.dev.errors import ChildExitedError
from dequeuer.process.child_process import ChildProcess, ProcessSpec

T = TypeVar("T")

EXIT_NOTICE_TIMEOUT_S = 1.0
"""How long to wait for the exit of a process after work has failed: the exit may be the cause."""


class StopRequestedError(Exception):
    """The user stops the stack with Ctrl-C or a signal. Not an error."""


class Stoppable(Protocol):
    """Something that runs processes."""

    async def stop(self, stop_now: asyncio.Event) -> None:
        """Stop them; return when they have ended. `stop_now` ends the grace periods."""


class Supervisor:
    """Starts child processes, detects when one ends, and stops them in the reverse order of their start.

    What was added with `add` is stopped before them, all at the same time.

    An asynchronous context manager. Inside it, SIGINT, SIGTERM and SIGHUP stop the stack; a second signal skips the
    grace periods. When it is left, even by an exception, no child process is running.
    """

    def __init__(self) -> None:
        self._children: list[Stoppable] = []
        self._added: list[Stoppable] = []
        self._watchers: list[asyncio.Task[None]] = []
        self._stop_requested = asyncio.Event()
        self._stop_now = asyncio.Event()
        self._exited: asyncio.Future[ChildProcess] = asyncio.get_running_loop().create_future()

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, self.request_stop)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        stopping = asyncio.create_task(self._stop(), name="stop-all")
        try:
            await asyncio.shield(stopping)
        except asyncio.CancelledError:
            self._stop_now.set()
            await stopping
            raise

    def request_stop(self) -> None:
        """Stop the stack. A second call skips the grace periods."""
        if self._stop_requested.is_set():
            self._stop_now.set()
        self._stop_requested.set()

    async def start(self, spec: ProcessSpec) -> ChildProcess:
        """Start a child process. If it ends by itself, `run` raises."""
        child = await ChildProcess.start(spec)
        self._children.append(child)
        self._watchers.append(asyncio.create_task(self._watch(child), name=f"{spec.name}-watch"))
        return child

    def add(self, stoppable: Stoppable) -> None:
        """Stop this at the end, before the child processes. It may end, or start anew, as it likes."""
        self._added.append(stoppable)

    def add_in_order(self, stoppable: Stoppable) -> None:
        """Stop this after the child processes that are started later. It may end, or start anew, as it likes."""
        self._children.append(stoppable)

    async def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Await `work` while all child processes run.

        Raises:
            ChildExitedError: a child process has ended.
            StopRequestedError: the user stopped the stack.
        """
        working = asyncio.create_task(work, name="dev-work")
        stop_requested = asyncio.create_task(self._stop_requested.wait(), name="dev-stop-requested")
        try:
            await asyncio.wait({working, stop_requested, self._exited}, return_when=asyncio.FIRST_COMPLETED)
            if working.done() and working.exception() is not None and not self._stop_requested.is_set():
                await asyncio.wait({self._exited}, timeout=EXIT_NOTICE_TIMEOUT_S)
        finally:
            stop_requested.cancel()
            working.cancel()
            await asyncio.wait({working, stop_requested})
            if not working.cancelled():
                working.exception()  # the errors below take precedence; without this line asyncio would log this one
        if self._exited.done():
            raise ChildExitedError(self._exited.result().describe_end())
        if self._stop_requested.is_set():
            raise StopRequestedError
        return working.result()

    async def _watch(self, child: ChildProcess) -> None:
        await child.wait()
        if not self._exited.done():
            self._exited.set_result(child)

    async def _stop(self) -> None:
        failed = await asyncio.gather(*(one.stop(self._stop_now) for one in self._added), return_exceptions=True)
        for child in reversed(self._children):
            await child.stop(self._stop_now)
        if self._watchers:
            await asyncio.wait(self._watchers)
        self._exited.cancel()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.remove_signal_handler(number)
        for error in failed:
            if error is not None:  # a bug, which must not keep the other processes running
                raise error
