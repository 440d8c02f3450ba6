"""Sets the clocks of the running event loop and of the project forward, so that a timeout ends at a moment that the test chooses.

A short timeout in real time also ends what is only slow on a busy machine. uvloop's clock cannot be set.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from dequeuer.core import clock


def jumping_clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Return a function that sets the clocks forward by so many seconds."""
    loop = asyncio.get_running_loop()
    passed_s = 0.0

    def jump(seconds: float) -> None:
        nonlocal passed_s
        passed_s += seconds

    def set_forward(now: Callable[[], float]) -> Callable[[], float]:
        return lambda: now() + passed_s

    monkeypatch.setattr(loop, "time", set_forward(loop.time))
    monkeypatch.setattr(clock, "monotonic", set_forward(clock.monotonic))
    return jump
