"""`headers.json`, and which of its headers are forwarded to the container."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence

from dequeuer.core.errors import InvalidInputError, clip

MAX_FIELDS = 1000
MAX_BYTES = 64 * 1024

_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+\Z")
# A control character other than a tab could end the header line, so that the value would add a header of its own.
_UNSAFE = re.compile(r"[\x00-\x08\x0a-\x1f\x7f\ud800-\udfff]")
HOP_BY_HOP = frozenset({"connection", "proxy-connection", "keep-alive", "te", "transfer-encoding", "upgrade"})
"""RFC 9110, section 7.6.1. The headers that Connection names are hop-by-hop, too."""
_NOT_FORWARDED = HOP_BY_HOP | {
    "host",
    "content-length",
    "expect",  # was meant for the gateway; the sidecar would wait for a "100 Continue" that the container may not send
    "x-cortex-request-id",  # set by the sidecar
}

Fields = list[tuple[str, str]]


def forwarded_headers(raw: bytes) -> Fields:
    """Return the headers in `headers.json` that are sent to the container. Raises like `parse_headers`."""
    return forwardable(parse_headers(raw))


def parse_headers(raw: bytes) -> Fields:
    """Parse `{"Name": ["value", ...]}`; `null` means no headers. An error text never contains a header value.

    Raises:
        InvalidInputError: the text has another form, or holds headers that cannot be sent unchanged.
    """
    try:
        parsed = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise InvalidInputError("headers.json is not JSON") from error
    if parsed is None:
        return []
    if not isinstance(parsed, dict):
        raise InvalidInputError(f"headers.json holds a {type(parsed).__name__}; an object of lists is allowed")
    fields: Fields = []
    for name, values in parsed.items():
        if not _TOKEN.match(name):
            raise _unusable(name, "is not a valid header name")
        if values is not None:
            _add(fields, name, values)
    if not are_within_limits(fields):
        raise InvalidInputError(
            f"headers.json has {len(fields)} headers, {_size(fields)} bytes; "
            f"at most {MAX_FIELDS} headers and {MAX_BYTES} bytes are allowed"
        )
    return fields


def _add(fields: Fields, name: str, values: object) -> None:
    if not isinstance(values, list):
        raise _unusable(name, "is not a list of strings")
    for value in values:  # most lists have one: a generator expression for each check costs more than the check
        if not isinstance(value, str):
            raise _unusable(name, "is not a list of strings")
        if _UNSAFE.search(value):
            raise _unusable(name, "has a value with a line break or control character")
        fields.append((name, value))


def _unusable(name: str, what: str) -> InvalidInputError:
    return InvalidInputError(f"headers.json: {clip(name)!r} {what}")


def are_within_limits(fields: Fields) -> bool:
    """Return whether the headers are within `MAX_FIELDS` and `MAX_BYTES`. The gateway accepts no more than that."""
    return len(fields) <= MAX_FIELDS and _size(fields) <= MAX_BYTES


def _size(fields: Fields) -> int:
    return sum(len(name) + len(value.encode()) for name, value in fields)


def forwardable(headers: Sequence[tuple[str, str]]) -> Fields:
    """Return the headers for the container, in their order and spelling; repeated headers stay repeated."""
    dropped = _NOT_FORWARDED
    for name, value in headers:
        if name.lower() == "connection":
            dropped |= {option.strip(" \t").lower() for option in value.split(",")}
    return [(name, value) for name, value in headers if name.lower() not in dropped]


def dump_headers(pairs: Iterable[tuple[str, str]]) -> bytes:
    """Return `headers.json` as Go encodes an `http.Header`: canonical names, sorted, values in order."""
    grouped: dict[str, list[str]] = {}
    for name, value in pairs:
        grouped.setdefault(_canonical(name), []).append(value)
    return json.dumps(grouped, sort_keys=True, separators=(",", ":")).encode()


def _canonical(name: str) -> str:
    """Return a name as Go spells it: `x-request-id` becomes `X-Request-Id`. A name that is no token stays as it is."""
    return "-".join(part.capitalize() for part in name.split("-")) if _TOKEN.match(name) else name
