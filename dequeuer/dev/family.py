"""The parts as a whole: none lives on without the others, and none outlives us."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Coroutine
from types import TracebackType
from typing import Any, Self, TypeVar

from dequeuer.dev.process import Part, Plan

T = TypeVar("T")

BLAME_S = 1.0
"""Work that fails because a part has died may notice it sooner than we do."""


class StopAskedError(Exception):
    """Ctrl-C, or a signal that means the same. Not an error of the stack."""


class Family:
    """Starts parts, notices when one dies, and stops them in the reverse order of their start.

    An asynchronous context manager: while it is entered, SIGINT, SIGTERM and SIGHUP mean the end; a second one
    of them means at once. When it is left, for whatever reason, every part is gone.
    """

    def __init__(self) -> None:
        self._parts: list[Part] = []
        self._watches: list[asyncio.Task[None]] = []
        self._leaving: set[Part] = set()
        self._asked = asyncio.Event()
        self._hurry = asyncio.Event()
        self._lost: asyncio.Future[Part] = asyncio.get_running_loop().create_future()

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, self.ask_to_stop)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        stopping = asyncio.create_task(self._stop(), name="stop-all")
        try:
            await asyncio.shield(stopping)
        except asyncio.CancelledError:
            self._hurry.set()
            await stopping
            raise

    def ask_to_stop(self) -> None:
        """Ask for the end; a second time, without patience."""
        if self._asked.is_set():
            self._hurry.set()
        self._asked.set()

    async def start(self, plan: Plan) -> Part:
        """Start a part. If it ends before `let_go`, whatever `run` does ends, too."""
        part = await Part.start(plan)
        self._parts.append(part)
        self._watches.append(asyncio.create_task(self._watch(part), name=f"{plan.name}-watch"))
        return part

    def let_go(self, part: Part) -> None:
        """Take the end of a part as something good from now on."""
        self._leaving.add(part)

    async def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Do the work while all parts live.

        Raises:
            PartDiedError: one has ended.
            StopAskedError: the user wants to stop.
        """
        working = asyncio.create_task(work, name="dev-work")
        asked = asyncio.create_task(self._asked.wait(), name="dev-asked")
        try:
            await asyncio.wait({working, asked, self._lost}, return_when=asyncio.FIRST_COMPLETED)
            if working.done() and working.exception() is not None and not self._asked.is_set():
                await asyncio.wait({self._lost}, timeout=BLAME_S)
        finally:
            asked.cancel()
            working.cancel()
            await asyncio.wait({working, asked})
            if not working.cancelled():
                working.exception()  # what stops everything else comes first; asyncio would complain of the other
        if self._lost.done():
            raise self._lost.result().death()
        if self._asked.is_set():
            raise StopAskedError
        return working.result()

    async def _watch(self, part: Part) -> None:
        await part.wait()
        if part not in self._leaving and not self._lost.done():
            self._lost.set_result(part)

    async def _stop(self) -> None:
        for part in reversed(self._parts):
            self.let_go(part)
            await part.stop(self._hurry)
        if self._watches:
            await asyncio.wait(self._watches)
        self._lost.cancel()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.remove_signal_handler(number)
