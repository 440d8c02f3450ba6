"""Sets the clock of the running event loop forward, so that a timeout ends at a moment that the test chooses.

A short timeout in real time also ends what is only slow on a busy machine. uvloop's clock cannot be set.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest


def jumping_clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Return a function that sets the clock of the loop forward by so many seconds."""
    loop = asyncio.get_running_loop()
    time, passed_s = loop.time, 0.0

    def jump(seconds: float) -> None:
        nonlocal passed_s
        passed_s += seconds

    monkeypatch.setattr(loop, "time", lambda: time() + passed_s)
    return jump
