"""Runs a program's coroutine, and ends the process even when a thread hangs."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Coroutine
from typing import Any

import uvloop

from dequeuer.process.standard_streams import flush_or_discard

LOOP_CLOSE_TIMEOUT_S = 0.5
"""How long closing the event loop may take. All messages are settled and all connections closed before it."""


def run_to_status(main: Coroutine[Any, Any, int]) -> int:
    """Run `main` on a new event loop; return the exit status that it returns. Its exceptions are passed on.

    Hazard: a DNS look-up runs in a thread, cannot be cancelled, and takes minutes when DNS does not answer. Closing
    the event loop waits for that thread. After `LOOP_CLOSE_TIMEOUT_S` the process exits here instead, with the same
    status.
    """
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        status = runner.run(main)
        exiting = threading.Timer(LOOP_CLOSE_TIMEOUT_S, _exit, [status])
        exiting.daemon = True
        exiting.start()
    exiting.cancel()
    return status


def _exit(status: int) -> None:
    flush_or_discard()
    os._exit(status)
