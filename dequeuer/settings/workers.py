"""The one setting that is a number or a way to find it."""

from __future__ import annotations

from dequeuer.settings.model import AutoWorkers
from dequeuer.settings.parsers import Parser, whole

MOST_WORKERS = 1000
AUTO_MAXIMUM = 100
"""Of `auto` without a number; Cortex's own bound of a fixed one."""


def workers() -> Parser[int | AutoWorkers]:
    """Return a parser of a number of workers, `auto` and `auto:MAX`."""
    number = whole(1, MOST_WORKERS)

    def read(text: str) -> int | AutoWorkers:
        word, colon, maximum = text.partition(":")
        if word.lower() != "auto":
            return number.read(text)
        return AutoWorkers(maximum=number.read(maximum) if colon else AUTO_MAXIMUM)

    allowed = f"{number.allowed}, or auto (at most {AUTO_MAXIMUM}), or auto:MAX"
    return Parser(allowed=allowed, read=read)
