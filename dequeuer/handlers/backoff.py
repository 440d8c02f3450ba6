"""How long a released message stays hidden before its next attempt."""

from __future__ import annotations

import math

from dequeuer.core.retry import Backoff

MIN_BACKOFF_S = 1
MAX_BACKOFF_S = 60
_BACKOFF = Backoff(initial_s=1.0, max_s=MAX_BACKOFF_S, min_share=0.5)


def backoff_s(receive_count: int) -> int:
    """Return whole seconds, 1 to 60: doubled with each receive, with jitter, never 0."""
    return max(MIN_BACKOFF_S, math.ceil(_BACKOFF.pause_s(max(receive_count - 1, 0))))
