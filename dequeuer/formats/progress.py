"""How far a request is, as its container reports it: `{"progress": 0.4, "message": "page 4 of 10"}`.

It is stored as `progress.json` with the time at which it was reported, and shown in the status of the request.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Final, TypeGuard

from dequeuer.core.errors import InvalidInputError, clip
from dequeuer.formats.go_time import format_time
from dequeuer.formats.json_reading import object_or_none

MAX_REPORT_BYTES: Final = 8 * 1024
MAX_PROGRESS_BYTES: Final = 4 * 1024
"""More than any content that is written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """A report.

    Attributes:
        share: of the work that is done, from 0 to 1; None when it is not said.
        message: for people, clipped; "" when there is none.
    """

    share: float | None
    message: str


def parse_report(body: bytes) -> Progress:
    """Read a report. Fields that are not known are ignored. Raises `InvalidInputError`."""
    document = object_or_none(body)
    if document is None:
        raise InvalidInputError(f"the report is not a JSON object; {_ALLOWED}")
    share, message = document.get("progress"), document.get("message")
    if share is None:
        done = None
    elif _is_share(share):
        done = float(share)
    else:
        raise InvalidInputError(f"progress is {clip(json.dumps(share), 40)}, not a number from 0 to 1")
    if message is not None and not isinstance(message, str):
        raise InvalidInputError("message is not a text")
    if share is None and not message:
        raise InvalidInputError(f"the report has neither progress nor message; {_ALLOWED}")
    return Progress(share=done, message=clip(message or ""))


def encode_progress(progress: Progress, at_s: float) -> bytes:
    """Return the content of `progress.json`. `at_s`: when it was reported, seconds since the epoch."""
    return json.dumps(
        {"progress": progress.share, "message": progress.message, "at": format_time(int(at_s) * 1_000_000_000)}
    ).encode()


def decode_progress(content: bytes) -> dict[str, object]:
    """Return the fields of a `progress.json` that can be shown; none of content of another form."""
    document = object_or_none(content) or {}
    shown: dict[str, object] = {}
    if _is_share(document.get("progress")):
        shown["progress"] = document["progress"]
    for name in ("message", "at"):
        text = document.get(name)
        if isinstance(text, str) and text:
            shown[name] = clip(text)
    return shown


_ALLOWED: Final = 'allowed: {"progress": a number from 0 to 1, "message": a text}, one of them at least'


def _is_share(value: object) -> TypeGuard[float]:
    # NaN is not in the range, either.
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1
