"""When a delivery that failed is tried again: the schedule of Standard Webhooks, which ends with steps of 12 hours.

Longer pauses are not possible: SQS hides a message for 12 hours at most.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from itertools import accumulate
from typing import Final

DELAYS_S: Final = (5.0, 300.0, 1800.0, 7200.0, 18_000.0, 36_000.0, 43_200.0)
"""After the first, the second, ... attempt; the last one is repeated."""
JITTER: Final = 0.1
"""The largest part of a pause that is added; of the longest one, that is taken off."""
_OFFSETS_S: Final = tuple(accumulate(DELAYS_S[:-1]))
"""Ages of a webhook whose attempts all come in time, at its second, third, ... attempt."""


def next_pause_s(
    receive_count: int,
    age_s: float,
    *,
    max_age_s: float,
    retry_after_s: float | None = None,
    chance: Callable[[], float] = random.random,
) -> float | None:
    """Return the seconds until the next attempt; None: the webhook is given up.

    A message can be received without an attempt, or be received late. So both the number of receives and the age say
    which pause is due, and the shorter one counts: neither lengthens the pauses by itself.

    Args:
        receive_count: of the message, from 1.
        age_s: of the webhook.
        max_age_s: the last attempt begins at this age.
        retry_after_s: what the receiver asks for; None: nothing.
        chance: returns a random number from 0 to 1.
    """
    left_s = max_age_s - age_s
    if left_s < DELAYS_S[0]:
        return None
    by_count = DELAYS_S[min(receive_count, len(DELAYS_S)) - 1]
    by_age = next((at - age_s for at in _OFFSETS_S if at > age_s), DELAYS_S[-1])
    pause_s = max(DELAYS_S[0], min(by_count, by_age))
    longest_s = DELAYS_S[-1]
    pause_s = pause_s * (1 + JITTER * chance()) if pause_s < longest_s else pause_s * (1 - JITTER * chance())
    return min(max(pause_s, retry_after_s or 0.0), longest_s, left_s)
