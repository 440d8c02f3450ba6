"""Runs a command until it is done or a signal comes."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Coroutine
from typing import Any

from dequeuer.process.running import run_to_status


def run_until_signal(command: Coroutine[Any, Any, int]) -> int:
    """Return the exit status of a command. SIGINT and SIGTERM cancel it: the status is that of the signal then.

    A second signal ends the process at once: a server that does not answer, or a disk that hangs, cannot hold it.
    """
    return run_to_status(_run(command))


async def _run(command: Coroutine[Any, Any, int]) -> int:
    loop = asyncio.get_running_loop()
    task = asyncio.ensure_future(command)
    seen: list[int] = []

    def stop(number: int) -> None:
        if seen:
            os._exit(128 + number)
        seen.append(number)
        task.cancel()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop, number)
    try:
        return await task
    except asyncio.CancelledError:
        if not seen:
            raise
        return 128 + seen[0]
