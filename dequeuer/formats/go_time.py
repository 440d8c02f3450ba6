"""Times as Go's encoding/json writes them: RFC 3339 in UTC, with as many digits of a second as are needed."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final

YEAR_10000_S: Final = 253_402_300_800.0
"""No date has a year of five digits: a time as a float that was rounded up to it has none."""

_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(?:Z|([+-])(\d\d):(\d\d))", re.ASCII)


def format_time(ns: int) -> str:
    """Return the text of a time in nanoseconds since the epoch."""
    seconds, fraction_ns = divmod(ns, 1_000_000_000)
    fraction = f".{fraction_ns:09d}".rstrip("0") if fraction_ns else ""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}{fraction}Z"


def parse_time(text: str) -> int:
    """Return a time in nanoseconds since the epoch. Raises `ValueError`."""
    match = _TIME.fullmatch(text)
    if match is None:
        raise ValueError("not a time in the form of RFC 3339")
    date, fraction, sign, hours, minutes = match.groups()
    time = datetime.fromisoformat(f"{date}+00:00")
    if sign:
        offset = timedelta(hours=int(hours), minutes=int(minutes))
        time += offset if sign == "-" else -offset
    return int(time.timestamp()) * 1_000_000_000 + int((fraction or "").ljust(9, "0"))
