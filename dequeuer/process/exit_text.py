"""How a process ended, in words for people."""

from __future__ import annotations

import signal
from collections.abc import Sequence

MAX_SHOWN_LINES = 15
"""Lines of output shown for a process that failed."""


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
    lines = "\n".join(f"{_INDENT}{line}" for line in tail[-MAX_SHOWN_LINES:])
    return f"{message}.{_HEAD}\n{lines}"


def without_last_lines(text: str) -> str:
    """Return a text in one line, without the output that `with_last_lines` added: it may hold secrets."""
    kept = (line.removesuffix(_HEAD) for line in text.split("\n") if not line.startswith(_INDENT))
    return " ".join(kept)


_HEAD = " Its last lines:"
_INDENT = "    "
