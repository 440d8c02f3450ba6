"""Waiting for what another process does: on a condition, with a generous end."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

DEADLINE_S = 90.0
LOOK_EVERY_S = 0.05


def eventually(look: Callable[[], T | None], what: str, deadline_s: float = DEADLINE_S) -> T:
    """Look until there is something (true in Python's sense), and return it."""
    ends = time.monotonic() + deadline_s
    while True:
        found = look()
        if found:
            return found
        if time.monotonic() > ends:
            raise AssertionError(f"waited {deadline_s:g} s in vain for: {what}")
        time.sleep(LOOK_EVERY_S)
