"""A submission of a request, as it is sent: its body and its headers."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, Final, TypedDict

from dequeuer.client.gateway import Content
from dequeuer.core.errors import clip
from dequeuer.formats.time_text import MAX_SECONDS

_NOTHING: Final[Mapping[str, str]] = MappingProxyType({})
OWN_HEADERS: Final = frozenset(
    {
        *(
            "authorization",
            "cancel-after",
            "connection",
            "content-length",
            "content-type",
            "deadline",
            "expect",
            "host",
        ),
        *("idempotency-key", "prefer", "transfer-encoding", "x-dequeuer-priority"),
    }
)
"""Headers that options of a submission, or the connection, decide."""


class SubmitOptions(TypedDict, total=False):
    """How a payload is submitted; all of it may be left out.

    content_type: default: `application/octet-stream` for bytes, else `application/json`.
    key: the idempotency key, 1 to 255 printable ASCII characters: submissions with the same one are one request. By
        default the client makes one, so that it can send a submission again whose answer was lost. "": none is sent,
        and such a submission is not sent again.
    priority: of the request, where its API has several queues.
    deadline: a moment with a time zone; a request that was not begun until then fails with the code `expired`.
    cancel_after_s: the same, as seconds from now.
    headers: for the container.
    """

    content_type: str
    key: str
    priority: str
    deadline: datetime
    cancel_after_s: float
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """What is sent. `has_key`: it may be sent again."""

    content: Content
    has_key: bool


def make_submission(  # noqa: PLR0913 - one for each of the options
    payload: bytes | Any,
    *,
    content_type: str | None = None,
    key: str | None = None,
    priority: str | None = None,
    deadline: datetime | None = None,
    cancel_after_s: float | None = None,
    headers: Mapping[str, str] = _NOTHING,
) -> Submission:
    """Return the submission of a payload: of bytes as they are, of any other value as JSON. Options: `SubmitOptions`.

    Raises:
        TypeError: the payload is no JSON value.
        ValueError: an option cannot be sent, or the payload holds a number that JSON does not have.
    """
    is_raw = isinstance(payload, bytes | bytearray | memoryview)
    body = bytes(payload) if is_raw else json.dumps(payload, allow_nan=False, separators=(",", ":")).encode()
    for name in headers:
        if name.lower() in OWN_HEADERS:
            raise ValueError(f"the header {clip(name)} is not for the container: leave it out, or use an option")
    sent = {**headers, "Content-Type": content_type or ("application/octet-stream" if is_raw else "application/json")}
    if key is None:
        key = str(uuid.uuid4())
    if key:
        sent["Idempotency-Key"] = _quoted_key(key)
    if priority is not None:
        sent["X-Dequeuer-Priority"] = priority
    if deadline is not None and cancel_after_s is not None:
        raise ValueError("deadline and cancel_after_s say the same: give one of them")
    if deadline is not None:
        sent["Deadline"] = _moment(deadline)
    if cancel_after_s is not None:
        if not 0 < cancel_after_s <= MAX_SECONDS:
            allowed = f"seconds, more than 0, up to {MAX_SECONDS}"
            raise ValueError(f"cancel_after_s is {cancel_after_s:g}; allowed: {allowed}")
        sent["Cancel-After"] = f"{cancel_after_s:.3f}"
    return Submission(content=Content(body=body, headers=sent), has_key=bool(key))


def _quoted_key(key: str) -> str:
    if not (key.isascii() and key.isprintable() and len(key) <= 255):
        raise ValueError(f"the key has {len(key)} characters; allowed: 1 to 255 printable ASCII characters")
    return '"{}"'.format(key.replace("\\", "\\\\").replace('"', '\\"'))


def _moment(deadline: datetime) -> str:
    if deadline.tzinfo is None:
        raise ValueError("the deadline has no time zone: give one, such as datetime.now(UTC) + timedelta(minutes=5)")
    return deadline.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
