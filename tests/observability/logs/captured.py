"""Logging that is set up for a test; what it wrote."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable
from typing import Any

from dequeuer.observability.logs import configure

Lines = Callable[[], list[dict[str, Any]]]


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def configured(level: Any = "info", log_format: Any = "json") -> io.StringIO:
    """Set logging up with a stdout of its own: pytest's differs between fixtures and tests."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        configure(level, log_format)
    return out


def names(told: list[dict[str, Any]]) -> list[str]:
    return [line["event"] for line in told]
