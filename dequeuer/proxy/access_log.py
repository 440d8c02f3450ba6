"""Log lines about requests: a share of them, and those that failed here or at the container."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from typing import Any, Final

from dequeuer.core import clock
from dequeuer.core.errors import clip
from dequeuer.proxy.record import RequestRecord

MAX_TEXT_CHARS: Final = 256
"""Of method and path."""
MAX_FAILURES_A_MINUTE: Final = 30
"""Lines about failures with one reason: a container that is away fails every request. Of another reason there is a line
all the same."""
_QUERY_VALUE: Final = re.compile(r"=[^&]*")
# What a client does wrong, or does by itself, is no failure of the service.
_OF_CLIENTS: Final = frozenset({"client_gone", "bad_request", "too_large", "not_implemented"})


class AccessLog:
    """Writes the lines.

    Args:
        log: a logger of structlog.
        share: of the requests that are logged, from 0 to 1.
        now: seconds, monotonic.
    """

    def __init__(self, log: Any, share: float, now: Callable[[], float] = clock.monotonic) -> None:
        self._log = log
        self._share = share
        self._now = now
        self._minutes: dict[str, _Minute] = {}

    def request_ended(self, record: RequestRecord) -> None:
        """Write the line of a request, if it has one."""
        if record.reason and record.reason not in _OF_CLIENTS and not record.is_client_timeout:
            self._failure(record)
        elif self._share and random.random() < self._share:  # noqa: S311 - a sample is no secret
            self._log.info("request", **_fields(record))

    def _failure(self, record: RequestRecord) -> None:
        now = self._now()
        minute = self._minutes.get(record.reason)
        if minute is None or now - minute.began_at >= 60:
            left_out = minute.left_out if minute is not None else 0
            minute = self._minutes[record.reason] = _Minute(now)
        elif minute.lines >= MAX_FAILURES_A_MINUTE:
            minute.left_out += 1
            return
        else:
            left_out = 0
        minute.lines += 1
        more = {"left_out": left_out} if left_out else {}
        self._log.warning("request_failed", **_fields(record), **more)


class _Minute:
    """The lines about one reason in one minute."""

    __slots__ = ("began_at", "left_out", "lines")

    def __init__(self, began_at: float) -> None:
        self.began_at = began_at
        self.lines = self.left_out = 0


def _fields(record: RequestRecord) -> dict[str, object]:
    """Return what is logged: no header, no value of a query."""
    path, mark, query = record.target.decode("latin-1").partition("?")
    fields: dict[str, object] = {
        "method": clip(record.method.decode("latin-1"), MAX_TEXT_CHARS),
        "path": clip(path + mark + _QUERY_VALUE.sub("=***", query), MAX_TEXT_CHARS),
        "status": record.status,
        "duration_s": round(record.ended_at - record.began_at, 4),
        "bytes_in": record.bytes_in,
        "bytes_out": record.bytes_out,
    }
    if record.admitted_at:
        fields["queued_s"] = round(record.admitted_at - record.began_at, 4)
    if record.first_byte_at:
        fields["first_byte_s"] = round(record.first_byte_at - record.began_at, 4)
    if record.reason:
        fields["reason"] = record.reason
    if record.is_upgrade:
        fields["upgrade"] = True
    if record.trace_id:
        fields["trace_id"] = record.trace_id
    return fields
