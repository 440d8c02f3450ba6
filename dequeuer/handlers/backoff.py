"""How long a message stays hidden before its next attempt."""

from __future__ import annotations

import math
import random

SHORTEST_S = 1
LONGEST_S = 60


def backoff_s(receive_count: int) -> int:
    """Return whole seconds, 1 to 60: doubling with each receive, with jitter, never 0."""
    # The exponent is capped before the power is taken: a receive count can be in the thousands.
    ceiling = min(LONGEST_S, 2 ** min(max(receive_count - 1, 0), 10))
    return max(SHORTEST_S, math.ceil(random.uniform(ceiling / 2, ceiling)))  # noqa: S311 - jitter, no secret
