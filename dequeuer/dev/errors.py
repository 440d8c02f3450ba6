"""Errors of the local stack. Their text is shown to the user."""

from __future__ import annotations

import signal
from collections.abc import Sequence

from dequeuer.core.errors import DequeuerError

MAX_SHOWN_LINES = 15
"""Lines of output shown for a process that failed."""


class DevError(DequeuerError):
    """The local stack cannot continue. Only the text is shown to the user."""


class ChildExitedError(DevError):
    """A process of the local stack ended although it was not stopped."""

    def __init__(self, name: str, status: int, tail: Sequence[str]) -> None:
        super().__init__(with_last_lines(f"{name} {describe_exit(status)}", tail))
        self.status = status


def describe_exit(status: int) -> str:
    """Return how a process ended, as text. `status` is negative for a signal, as in `subprocess`."""
    if status >= 0:
        return f"ended with exit status {status}"
    try:
        return f"was killed by {signal.Signals(-status).name}"
    except ValueError:
        return f"was killed by signal {-status}"


def with_last_lines(message: str, tail: Sequence[str]) -> str:
    """Return the message, followed by the last lines of a process's output."""
    if not tail:
        return f"{message}. It printed nothing."
    lines = "\n".join(f"    {line}" for line in tail[-MAX_SHOWN_LINES:])
    return f"{message}. Its last lines:\n{lines}"
