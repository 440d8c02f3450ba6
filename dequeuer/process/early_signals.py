"""SIGTERM before the event loop handles it. Runs before everything else, so its imports must take no time."""

from __future__ import annotations

import os
import signal
from types import FrameType


def exit_on_signals() -> None:
    """Make SIGTERM and SIGINT end the process with status 0, until the event loop installs its own handlers.

    Without a handler, PID 1 of a container ignores these signals. The imports take part of a second: a pod that is
    stopped in that time would be killed only after its whole grace period. Nothing has been received or written yet,
    so there is nothing to release.
    """
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _exit)


def _exit(_number: int, _frame: FrameType | None) -> None:
    # Not an exception: the code that is being imported could catch it.
    os._exit(0)
