"""SIGTERM before the event loop handles it. Imports nothing that takes time, as it is the first thing to run."""

from __future__ import annotations

import os
import signal
from types import FrameType


def exit_on_signals() -> None:
    """End with status 0 on SIGTERM and SIGINT, until the event loop's handlers take over.

    The kernel drops a signal that has no handler when the process is PID 1, as in a container, and imports take a
    noticeable part of a second: without this a pod that is stopped at once is killed only when its grace is over.
    Nothing has been received or written yet, so that there is nothing to release.
    """
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _exit)


def _exit(_number: int, _frame: FrameType | None) -> None:
    # No exception: an import that is under way could catch it.
    os._exit(0)
