"""The deadline of a request: how long its client wants it, as a time from now or as a moment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from aiohttp import web

from dequeuer.core import clock
from dequeuer.core.errors import clip
from dequeuer.formats.deadline import DEADLINE_ATTRIBUTE, encode_deadline
from dequeuer.formats.time_text import MAX_CHARS, parse_moment, parse_span
from dequeuer.gateway.problems import ProblemError

CANCEL_AFTER_HEADER: Final = "Cancel-After"
DEADLINE_HEADER: Final = "Deadline"
DEADLINE_HEADERS: Final = (CANCEL_AFTER_HEADER, DEADLINE_HEADER)
MAX_DAYS: Final = 14
"""From now on: SQS keeps no message longer."""
DAY_S: Final = 24 * 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Deadlines:
    """Which deadlines are accepted.

    Attributes:
        kept_days: how long the bucket keeps a request. After that nothing is left that could be run, or reported as
            expired. 0: not known.
    """

    kept_days: int = 0

    def attributes_of(self, request: web.Request) -> Mapping[str, str]:
        """Return the attributes of the message of a submission. Raises `ProblemError`."""
        given = [(name, value) for name in DEADLINE_HEADERS for value in request.headers.getall(name, [])]
        if not given:
            return {}
        if len(given) > 1:
            names = " and ".join(DEADLINE_HEADERS)
            raise _invalid(f"{len(given)} deadlines are given: send one of {names}, once")
        [(name, value)] = given
        now_s = clock.wall()
        at_s = _after(value, now_s) if name == CANCEL_AFTER_HEADER else parse_moment(value)
        if at_s is None:
            forms = (
                "a time such as 30, 30s, 5m or 1h30m" if name == CANCEL_AFTER_HEADER else "a date of HTTP or RFC 3339"
            )
            raise _invalid(f'{name} is "{clip(value, MAX_CHARS)}"; allowed: {forms}')
        days, reason = self._longest()
        if at_s > now_s + days * DAY_S:
            raise _invalid(f'{name} is "{clip(value, MAX_CHARS)}"; allowed: up to {days} days from now, {reason}')
        return {DEADLINE_ATTRIBUTE: encode_deadline(max(0.0, at_s))}

    def _longest(self) -> tuple[int, str]:
        """Return the days from now, and why they are not more."""
        if 0 < self.kept_days < MAX_DAYS:
            return (
                self.kept_days,
                "as long as the bucket keeps a request (DEQUEUER_RESULT_RETENTION_DAYS of the gateway)",
            )
        return MAX_DAYS, "as long as a queue keeps a message"


ANY_DEADLINE: Final = Deadlines()


def _invalid(text: str) -> ProblemError:
    return ProblemError(400, "invalid_deadline", text)


def _after(text: str, now_s: float) -> float | None:
    span_s = parse_span(text)
    return None if span_s is None else now_s + span_s
