"""The deadline of a request: how long its client wants it, as a time from now or as a moment."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Final

from aiohttp import web

from dequeuer.core import clock
from dequeuer.core.errors import clip
from dequeuer.formats.deadline import DEADLINE_ATTRIBUTE, encode_deadline
from dequeuer.formats.go_time import parse_time
from dequeuer.gateway.problems import ProblemError

CANCEL_AFTER_HEADER: Final = "Cancel-After"
DEADLINE_HEADER: Final = "Deadline"
DEADLINE_HEADERS: Final = (CANCEL_AFTER_HEADER, DEADLINE_HEADER)
MAX_DEADLINE_S: Final = 14 * 24 * 3600.0
"""From now on: SQS keeps no message longer."""
MAX_CHARS: Final = 64

_PART: Final = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)(ms|s|m|h)", re.ASCII)
_SECONDS: Final = re.compile(r"[0-9]{1,9}(?:\.[0-9]{1,9})?", re.ASCII)
_UNITS_S: Final[Mapping[str, float]] = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


def deadline_attributes(request: web.Request) -> Mapping[str, str]:
    """Return the attributes of the message of a submission. Raises `ProblemError`."""
    given = [(name, value) for name in DEADLINE_HEADERS for value in request.headers.getall(name, [])]
    if not given:
        return {}
    if len(given) > 1:
        names = " and ".join(DEADLINE_HEADERS)
        raise ProblemError(400, "invalid_deadline", f"{len(given)} deadlines are given: send one of {names}, once")
    [(name, value)] = given
    now_s = clock.wall()
    at_s = _after(value, now_s) if name == CANCEL_AFTER_HEADER else _moment(value)
    if at_s is None:
        allowed = (
            "a time such as 30, 30s, 5m or 1h30m" if name == CANCEL_AFTER_HEADER else "a date of HTTP, or of RFC 3339"
        )
        raise ProblemError(400, "invalid_deadline", f'{name} is "{clip(value, MAX_CHARS)}"; allowed: {allowed}')
    if at_s > now_s + MAX_DEADLINE_S:
        allowed = f"up to {MAX_DEADLINE_S / 24 / 3600:g} days from now, as long as a queue keeps a message"
        raise ProblemError(400, "invalid_deadline", f'{name} is "{clip(value, MAX_CHARS)}"; allowed: {allowed}')
    return {DEADLINE_ATTRIBUTE: encode_deadline(max(0.0, at_s))}


def _after(text: str, now_s: float) -> float | None:
    text = text.strip(" \t")
    if len(text) > MAX_CHARS:
        return None
    if _SECONDS.fullmatch(text):
        return now_s + float(text)
    parts = list(_PART.finditer(text))
    if not parts or "".join(part[0] for part in parts) != text:
        return None
    return now_s + sum(float(part[1]) * _UNITS_S[part[2]] for part in parts)


def _moment(text: str) -> float | None:
    text = text.strip(" \t")
    if len(text) > MAX_CHARS:
        return None
    try:
        return parse_time(text.upper()) / 1e9
    except (ValueError, OverflowError):
        pass
    try:
        when = parsedate_to_datetime(text)
        return (when if when.tzinfo is not None else when.replace(tzinfo=UTC)).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
