"""Fields of JSON that a server sends, in the types that they should have. What has another type is not known."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime
from typing import Any, TypeGuard

from dequeuer.core.errors import clip
from dequeuer.formats.go_json import Number
from dequeuer.formats.go_time import YEAR_10000_S, parse_time


def object_of(value: object) -> dict[str, Any]:
    """Return an object; an empty one when it is none."""
    return value if isinstance(value, dict) else {}


def objects_of(value: object, limit: int) -> list[dict[str, Any]]:
    """Return the objects of an array, at most `limit`; none when it is no array."""
    return [one for one in value[:limit] if isinstance(one, dict)] if isinstance(value, list) else []


def text_of(value: object, limit: int = 256) -> str:
    """Return a text, made safe for one line, of at most `limit` characters; "" when it is none."""
    return clip(value, limit) if is_text(value) else ""


def is_text(value: object) -> TypeGuard[str]:
    """Return whether this is a text; numbers are texts of their own."""
    return isinstance(value, str) and not isinstance(value, Number)


def whole_of(value: object) -> int | None:
    """Return a whole number that is not negative; None for everything else."""
    return int(value) if isinstance(value, Number) and re.fullmatch("[0-9]{1,18}", value) else None


def real_of(value: object) -> float | None:
    """Return a number that is not negative; None for everything else."""
    number = float(value) if isinstance(value, Number) else math.inf
    return number if 0 <= number < 1e15 else None


def time_of(value: object) -> float | None:
    """Return a time, seconds since the epoch; None when it is none."""
    try:
        seconds = parse_time(value) / 1e9 if isinstance(value, str) else None
    except (ValueError, OverflowError):
        return None
    # The division rounds.
    return seconds if seconds is not None and seconds < YEAR_10000_S else None


def moment_of(value: object) -> datetime | None:
    """Return a time as a moment in UTC; None when it is none."""
    seconds = time_of(value)
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
