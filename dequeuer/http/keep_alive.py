"""The `Keep-Alive` field: how long a server keeps an idle connection open."""

from __future__ import annotations

import math
import re

MARGIN_S = 1.0
"""A connection is not used in the last second before the server closes it: the request would be lost."""
_TIMEOUT = re.compile(r'(?:\A|[,;\s])timeout\s*=\s*"?([0-9]{1,9})', re.IGNORECASE | re.ASCII)


def max_idle_s(field: str | None) -> float:
    """Return for how many seconds an idle connection may be kept, given the value of a `Keep-Alive` field.

    Infinity when the server does not say. For timeouts below 2 s it is half of the timeout, because the margin of 1 s
    would leave nothing.
    """
    found = _TIMEOUT.search(field) if field else None
    if found is None:
        return math.inf
    timeout_s = int(found[1])
    return max(timeout_s - MARGIN_S, timeout_s / 2)
