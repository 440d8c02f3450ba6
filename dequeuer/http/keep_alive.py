"""How long a server says that it keeps an idle connection."""

from __future__ import annotations

import math
import re

MARGIN_S = 1.0
"""A request must not meet the server's close: what is sent in the last second before it is lost."""
_TIMEOUT = re.compile(r'(?:\A|[,;\s])timeout\s*=\s*"?([0-9]{1,9})', re.IGNORECASE | re.ASCII)


def max_idle_s(field: str | None) -> float:
    """Return for how long a connection may rest, in seconds, by the value of a `Keep-Alive` field.

    Infinity when the server does not say. Of a time-out below 2 s half is used, because the margin would leave nothing.
    """
    found = _TIMEOUT.search(field) if field else None
    if found is None:
        return math.inf
    timeout_s = int(found[1])
    return max(timeout_s - MARGIN_S, timeout_s / 2)
