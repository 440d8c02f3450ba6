"""The Retry-After header (RFC 9110, section 10.2.3)."""

from __future__ import annotations

import re
from datetime import UTC
from email.utils import parsedate_to_datetime

_SECONDS = re.compile(r"[0-9]+\Z")
_MOST_DIGITS = 12
_MOST_CHARACTERS = 64


def parse_retry_after(value: str | None, *, now: float, limit_s: float) -> float | None:
    """Return the seconds to wait, 0 to `limit_s`; None when there is no such header or it makes no sense.

    Args:
        value: the header as sent: seconds, or a date in any of the three forms of HTTP.
        now: seconds since the epoch, to count from when it is a date.
        limit_s: the longest answer.
    """
    text = (value or "").strip(" \t")
    if _SECONDS.match(text):
        # int() of a very long text is refused by Python; it is over any limit anyway.
        digits = text.lstrip("0") or "0"
        return limit_s if len(digits) > _MOST_DIGITS else min(float(digits), limit_s)
    if not text or len(text) > _MOST_CHARACTERS:
        return None
    try:
        when = parsedate_to_datetime(text)
        if when.tzinfo is None:
            when = when.replace(tzinfo=UTC)
        return min(max(when.timestamp() - now, 0.0), limit_s)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
