"""Runs a command until it is done or a signal comes."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Coroutine
from types import FrameType
from typing import Any, Final

from dequeuer.process.running import run_to_status

TICK_S: Final = 0.1
"""After the first signal a write that blocks is interrupted so often, seconds."""


def run_until_signal(command: Coroutine[Any, Any, int]) -> int:
    """Return the exit status of a command. SIGINT and SIGTERM cancel it: the status is that of the signal then.

    A second signal ends the process at once: nothing that blocks can hold it.
    """
    return run_to_status(_run(command))


async def _run(command: Coroutine[Any, Any, int]) -> int:
    loop = asyncio.get_running_loop()
    task = asyncio.ensure_future(command)
    seen: list[int] = []

    def stop(number: int, _frame: FrameType | None) -> None:
        if seen:
            os._exit(128 + number)
        seen.append(number)
        loop.call_soon_threadsafe(task.cancel)
        # The kernel may give the next signal to another thread, which does not interrupt a write of this one.
        signal.signal(signal.SIGALRM, lambda _number, _frame: None)
        signal.setitimer(signal.ITIMER_REAL, TICK_S, TICK_S)

    for number in (signal.SIGINT, signal.SIGTERM):
        # Not a handler of the event loop: that would never run while a write to a full pipe blocks the loop.
        signal.signal(number, stop)
    try:
        return await task
    except asyncio.CancelledError:
        if not seen:
            raise
        return 128 + seen[0]
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        # The event loop is closed next: a handler that calls it would fail.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
