"""Types of the arguments of the commands for requests. argparse shows their error texts."""

from __future__ import annotations

import re
from argparse import ArgumentTypeError
from typing import Final

from dequeuer.core.errors import clip
from dequeuer.formats.api_name import is_api_name
from dequeuer.formats.request_id import is_request_id
from dequeuer.formats.time_text import MAX_SECONDS, parse_moment, parse_span

MAX_HEADER_CHARS: Final = 8000
MAX_KEY_CHARS: Final = 255

_HEADER_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}")
_MEDIA_TYPE: Final = re.compile(r"[!#$&^_.+0-9A-Za-z-]{1,127}/[!#$&^_.+0-9A-Za-z-]{1,127}(?:[ \t]*;[ -~]{1,500})?")
_OWN_HEADERS: Final = {
    "authorization": "the token is in the file that DEQUEUER_TOKEN_FILE names",
    "cancel-after": "use --deadline",
    "content-type": "use --content-type",
    "deadline": "use --deadline",
    "idempotency-key": "use --key",
    "prefer": "use --wait",
    "x-dequeuer-priority": "use --priority",
    "x-webhook-url": "use --webhook",
    **dict.fromkeys(
        ("connection", "content-length", "expect", "host", "transfer-encoding"), "it belongs to the connection"
    ),
}


def api_name(text: str) -> str:
    """Return the name of an API."""
    if is_api_name(text):
        return text
    raise ArgumentTypeError(
        f'"{clip(text)}" is not the name of an API: a letter or digit, then up to 127 of letters, digits, ".", "_", "-"'
    )


def request_id(text: str) -> str:
    """Return the id of a request."""
    if is_request_id(text):
        return text
    raise ArgumentTypeError(
        f'"{clip(text)}" is not the id of a request: letters, digits and ._:-, at most 128; `dequeuer list` shows them'
    )


def content_type(text: str) -> str:
    """Return a media type."""
    if _MEDIA_TYPE.fullmatch(text):
        return text
    raise ArgumentTypeError(f'"{clip(text)}" is not a media type such as application/json or image/png')


def header(text: str) -> tuple[str, str]:
    """Return name and value of a header. No error shows a value, which may be a secret."""
    name, colon, value = text.partition(":")
    value = value.strip(" \t")
    if not colon or not _HEADER_NAME.fullmatch(name):
        raise ArgumentTypeError("a header is NAME: VALUE, such as 'X-Model: small'")
    if name.lower() in _OWN_HEADERS:
        raise ArgumentTypeError(f"{name} cannot be given here: {_OWN_HEADERS[name.lower()]}")
    if not (value.isascii() and value.isprintable() and len(value) <= MAX_HEADER_CHARS):
        raise ArgumentTypeError(f"the value of {name} may have up to {MAX_HEADER_CHARS} printable ASCII characters")
    return name, value


def key(text: str) -> str:
    """Return an idempotency key."""
    if text.isascii() and text.isprintable() and 0 < len(text) <= MAX_KEY_CHARS:
        return text
    raise ArgumentTypeError(f'"{clip(text)}" is no key: 1 to {MAX_KEY_CHARS} printable ASCII characters')


def priority(text: str) -> str:
    """Return the name of a priority; the gateway knows which ones the API has."""
    if is_api_name(text):
        return text
    raise ArgumentTypeError(f'"{clip(text)}" is not the name of a priority: letters, digits and ._-')


def deadline(text: str) -> tuple[float | None, float | None]:
    """Return how long a request is wanted: seconds from now, or until a moment, seconds since the epoch."""
    if (span_s := parse_span(text)) is not None and span_s > 0:
        if span_s > MAX_SECONDS:
            raise ArgumentTypeError(f'"{clip(text)}" is more than {MAX_SECONDS:,} s from now; give a shorter time')
        return span_s, None
    if (moment_s := parse_moment(text)) is not None:
        return None, moment_s
    raise ArgumentTypeError(f'"{clip(text)}" is neither a time from now (30s, 5m) nor a moment (2026-11-27T05:58:12Z)')


def receiver(text: str) -> str:
    """Return the address of the receiver of a webhook; the gateway knows which ones are allowed."""
    if text.isascii() and text.isprintable() and text.startswith(("https://", "http://")) and " " not in text:
        return text
    raise ArgumentTypeError(f'"{clip(text)}" is not an address that begins with https://')
