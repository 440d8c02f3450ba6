"""The record of an attempt at a request that is tried again: when it was, where, and why it is not the last one."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Final

from dequeuer.core.errors import clip
from dequeuer.formats.failure import FAILURE_CODES, FailureCode
from dequeuer.formats.go_time import format_time
from dequeuer.formats.json_reading import object_or_none

MAX_ATTEMPT_BYTES: Final = 4 * 1024
"""More than any content that is written."""
MAX_RECORDS: Final = 20
"""For one request. The record of each further attempt replaces the last one."""

_TEXTS: Final = ("began", "ended", "worker", "outcome", "reason")


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """An attempt that is tried again.

    Attributes:
        began_s: when the request was sent to the container, seconds since the epoch.
        ended_s: when it was decided to try again.
        worker: the name of the pod.
        code: as that of a failure.
        reason: for people, one sentence.
        status_code: of the container's response; None when there was none.
    """

    began_s: float
    ended_s: float
    worker: str
    code: FailureCode
    reason: str
    status_code: int | None


def encode_attempt(attempt: Attempt) -> bytes:
    """Return the content of the record."""
    return json.dumps(
        {
            "began": _time(attempt.began_s),
            "ended": _time(attempt.ended_s),
            "worker": clip(attempt.worker),
            "outcome": "retried",
            "code": attempt.code,
            "reason": clip(attempt.reason),
            "status_code": attempt.status_code,
        }
    ).encode()


def decode_attempt(content: bytes) -> dict[str, object]:
    """Return the fields of a record that can be shown; none of content of another form."""
    document = object_or_none(content) or {}
    shown: dict[str, object] = {name: clip(text) for name in _TEXTS if isinstance(text := document.get(name), str)}
    if isinstance(code := document.get("code"), str) and code in FAILURE_CODES:
        shown["code"] = code
    if isinstance(status := document.get("status_code"), int) and not isinstance(status, bool):
        shown["status_code"] = status
    return shown


def _time(seconds: float) -> str:
    return format_time(round(seconds * 1000) * 1_000_000)
