"""The Retry-After header (RFC 9110, section 10.2.3)."""

from __future__ import annotations

import re
from datetime import UTC
from email.utils import parsedate_to_datetime

_SECONDS = re.compile(r"[0-9]+\Z")
_MAX_DIGITS = 12
_MAX_CHARACTERS = 64


def parse_retry_after(value: str | None, *, now: float, limit_s: float) -> float | None:
    """Return the seconds to wait, 0 to `limit_s`; None when the header is missing or malformed.

    Args:
        value: the header as sent: seconds, or a date in any of the three forms of HTTP.
        now: seconds since the epoch; a date is converted to seconds from this time.
        limit_s: longer times are cut to this.
    """
    text = (value or "").strip(" \t")
    if _SECONDS.match(text):
        # Converting a text of thousands of digits is slow; so many digits are above every limit.
        digits = text.lstrip("0") or "0"
        return limit_s if len(digits) > _MAX_DIGITS else min(float(digits), limit_s)
    if not text or len(text) > _MAX_CHARACTERS:
        return None
    try:
        when = parsedate_to_datetime(text)
        if when.tzinfo is None:
            when = when.replace(tzinfo=UTC)
        return min(max(when.timestamp() - now, 0.0), limit_s)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
