"""The number of workers: fixed, or found by the sidecar."""

from __future__ import annotations

from dataclasses import dataclass

from dequeuer.settings.parsers import Parser, whole

MAX_WORKERS = 1000
DEFAULT_MAX_AUTO_WORKERS = 100
"""Of `auto` without a number; the bound of a fixed number in Cortex."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AutoWorkers:
    """The sidecar finds the number of workers, between 1 and `maximum`."""

    maximum: int


def worker_count() -> Parser[int | AutoWorkers]:
    """Return a parser of a number of workers, `auto` and `auto:MAX`."""
    number = whole(1, MAX_WORKERS)

    def read(text: str) -> int | AutoWorkers:
        word, colon, maximum = text.partition(":")
        if word.lower() != "auto":
            return number.read(text)
        return AutoWorkers(maximum=number.read(maximum) if colon else DEFAULT_MAX_AUTO_WORKERS)

    allowed = f"{number.allowed}, or auto (at most {DEFAULT_MAX_AUTO_WORKERS}), or auto:MAX"
    return Parser(allowed=allowed, read=read)
