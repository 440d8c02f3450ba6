"""SIGTERM before the event loop handles it. Runs before everything else, so its imports must take no time."""

from __future__ import annotations

import os
import signal
from types import FrameType

STOPPED_STATUS = 128 + signal.SIGTERM
"""Exit status of a program for which 0 means that its work is done."""


def exit_on_signals(status: int | None = 0) -> None:
    """Make SIGTERM and SIGINT end the process with a status, until the event loop installs its own handlers.

    `status`: None: that of the signal, as shells have it.

    Without a handler, PID 1 of a container ignores these signals. The imports take part of a second: a pod that is
    stopped in that time would be killed only after its whole grace period. Nothing has been received or written yet,
    so there is nothing to release.
    """

    def leave(number: int, _frame: FrameType | None) -> None:
        # Not an exception: the code that is being imported could catch it.
        os._exit(128 + number if status is None else status)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, leave)
