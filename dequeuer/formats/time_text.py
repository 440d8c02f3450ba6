"""Times as people write them: a time from now (`30`, `30s`, `1h30m`), or a moment (of HTTP, or of RFC 3339)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Final

from dequeuer.formats.go_time import YEAR_10000_S, parse_time

MAX_CHARS: Final = 64
MAX_SECONDS: Final = 999_999_999
"""A time from now without a unit has no more digits."""

_PART: Final = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)(ms|s|m|h)", re.ASCII)
_SECONDS: Final = re.compile(r"[0-9]{1,9}(?:\.[0-9]{1,9})?", re.ASCII)
_UNITS_S: Final[Mapping[str, float]] = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


def parse_span(text: str) -> float | None:
    """Return a time from now, seconds; None for a text that is none."""
    text = text.strip(" \t")
    if len(text) > MAX_CHARS:
        return None
    if _SECONDS.fullmatch(text):
        return float(text)
    parts = list(_PART.finditer(text))
    if not parts or "".join(part[0] for part in parts) != text:
        return None
    return sum(float(part[1]) * _UNITS_S[part[2]] for part in parts)


def parse_moment(text: str) -> float | None:
    """Return a moment before the year 10000, seconds since the epoch; None for a text that is none.

    One without a time zone is in UTC.
    """
    text = text.strip(" \t")
    seconds = _seconds(text) if len(text) <= MAX_CHARS else None
    return seconds if seconds is not None and seconds < YEAR_10000_S else None


def _seconds(text: str) -> float | None:
    try:
        return parse_time(text.upper()) / 1e9
    except (ValueError, OverflowError):
        pass
    try:
        when = parsedate_to_datetime(text)
        return (when if when.tzinfo is not None else when.replace(tzinfo=UTC)).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
