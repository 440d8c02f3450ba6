"""Running a program's coroutine to its exit status, whatever still hangs in a thread."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Coroutine
from typing import Any

import uvloop

from dequeuer.process.standard_streams import flush_or_forget

CLOSE_S = 0.5
"""How long the event loop may take to close. Everything is settled and every connection closed by then."""


def run_to_status(main: Coroutine[Any, Any, int]) -> int:
    """Run `main` on an event loop of its own and return what it returns; errors pass through.

    Looking up a name can take minutes when DNS does not answer, and cannot be cancelled: it holds a thread that
    closing the loop waits for. Then the process ends here, with the same status.
    """
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        status = runner.run(main)
        leaving = threading.Timer(CLOSE_S, _leave, [status])
        leaving.daemon = True
        leaving.start()
    leaving.cancel()
    return status


def _leave(status: int) -> None:
    flush_or_forget()
    os._exit(status)
