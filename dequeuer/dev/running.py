"""Runs child processes and the work that needs them, until the work is over or the user stops it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Final, TypeVar

from dequeuer.concurrency.in_order import cancel_all
from dequeuer.dev.display import Display
from dequeuer.dev.supervisor import StopRequestedError, Supervisor

T = TypeVar("T")

EXIT_OK: Final = 0
EXIT_FAILED: Final = 1
EXIT_INTERRUPTED: Final = 130


async def run_supervised(
    work: Callable[[Supervisor], Coroutine[Any, Any, int]], display: Display, *, once: bool
) -> int:
    """Return the exit status of `work`. All child processes have ended when this returns or raises.

    Args:
        work: starts processes with the supervisor, and uses them.
        display: for the user.
        once: `work` was meant to end by itself, so a stop by the user is no success.

    Raises:
        DevError: the stack cannot continue.
    """
    async with Supervisor() as supervisor:
        try:
            return await supervisor.run(work(supervisor))
        except StopRequestedError:
            display.print_text("stopping, running work first (Ctrl-C again: at once)")
    return EXIT_INTERRUPTED if once else EXIT_OK


async def run_beside(work: Coroutine[Any, Any, T], *others: Coroutine[Any, Any, None]) -> T:
    """Return the result of `work`. The others run meanwhile, and are cancelled at its end; an error of one ends it.

    When both end at the same moment, the result or the error is that of `work`.
    """
    working = asyncio.create_task(work, name="dev-use")
    tasks = (working, *(asyncio.create_task(other, name="dev-beside") for other in others))
    running: set[asyncio.Task[Any]] = set(tasks)
    try:
        while not working.done():
            ended, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            if not working.done():  # else its own end is what counts
                for other in ended:
                    other.result()
        return working.result()
    finally:
        # Of all: an error that nobody asks for would be written beside the display.
        await cancel_all(tasks)
