"""What goes wrong in the local stack, told to a person."""

from __future__ import annotations

import signal
from collections.abc import Sequence

from dequeuer.core.errors import DequeuerError

SHOWN_LINES = 15
"""Of a part's output, when it is the part that failed."""


class DevError(DequeuerError):
    """The local stack cannot go on. The text is all that is shown."""


class PartDiedError(DevError):
    """A process of the stack ended by itself."""

    def __init__(self, name: str, status: int, tail: Sequence[str]) -> None:
        super().__init__(with_tail(f"{name} {describe_exit(status)}", tail))
        self.status = status


def describe_exit(status: int) -> str:
    """Tell how a process ended; `status` is negative for a signal, as in `subprocess`."""
    if status >= 0:
        return f"ended with exit status {status}"
    try:
        return f"was killed by {signal.Signals(-status).name}"
    except ValueError:
        return f"was killed by signal {-status}"


def with_tail(message: str, tail: Sequence[str]) -> str:
    """Return the message, followed by the last lines of somebody's output."""
    if not tail:
        return f"{message}. It printed nothing."
    lines = "\n".join(f"    {line}" for line in tail[-SHOWN_LINES:])
    return f"{message}. Its last lines:\n{lines}"
