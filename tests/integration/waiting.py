"""Wait for a condition in another process, with a long timeout."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

DEADLINE_S = 90.0
POLL_INTERVAL_S = 0.05


def eventually(look: Callable[[], T | None], what: str, deadline_s: float = DEADLINE_S) -> T:
    """Call `look` until it returns a true value, and return that."""
    ends = time.monotonic() + deadline_s
    while True:
        found = look()
        if found:
            return found
        if time.monotonic() > ends:
            raise AssertionError(f"waited {deadline_s:g} s in vain for: {what}")
        time.sleep(POLL_INTERVAL_S)
