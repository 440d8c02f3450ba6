"""`headers.json`, and which of its fields go on to the container."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence

from dequeuer.core.errors import InvalidInputError, clip

MAX_FIELDS = 1000
MAX_BYTES = 64 * 1024

_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+\Z")
# Controls other than a tab would let a value end its line and begin another header.
_UNSAFE = re.compile(r"[\x00-\x08\x0a-\x1f\x7f\ud800-\udfff]")
_HOP_BY_HOP = frozenset({"connection", "proxy-connection", "keep-alive", "te", "transfer-encoding", "upgrade"})
"""RFC 9110, section 7.6.1; the fields that Connection names come to these."""
_NOT_PASSED_ON = _HOP_BY_HOP | {
    "host",
    "content-length",
    "expect",  # it was between the client and the gateway; the container would be waited for
    "x-cortex-request-id",  # ours to set
}

Fields = list[tuple[str, str]]


def parse_headers(raw: bytes) -> Fields:
    """Read `{"Name": ["value", ...]}`; `null` means no headers. Texts of errors never hold a value.

    Raises:
        InvalidInputError: anything else, or headers that could not be sent as they are.
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
            raise InvalidInputError(f"headers.json: {clip(name)!r} cannot be the name of a header")
        if values is None:
            continue
        if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
            raise InvalidInputError(f"headers.json: {clip(name)!r} is not a list of texts")
        if any(_UNSAFE.search(value) for value in values):
            raise InvalidInputError(f"headers.json: {clip(name)!r} has a value with a line break or control character")
        fields.extend((name, value) for value in values)
    if not are_few(fields):
        raise InvalidInputError(
            f"headers.json has {len(fields)} headers of {_size(fields)} bytes; "
            f"{MAX_FIELDS} of {MAX_BYTES} bytes are allowed"
        )
    return fields


def are_few(fields: Fields) -> bool:
    """Tell whether the container can be asked to take so many headers; the gateway takes no others."""
    return len(fields) <= MAX_FIELDS and _size(fields) <= MAX_BYTES


def _size(fields: Fields) -> int:
    return sum(len(name) + len(value.encode()) for name, value in fields)


def forwardable(headers: Sequence[tuple[str, str]]) -> Fields:
    """Return what goes on to the container: repeated headers kept, in order, spelt as they were."""
    dropped = set(_NOT_PASSED_ON)
    for name, value in headers:
        if name.lower() == "connection":
            dropped.update(option.strip(" \t").lower() for option in value.split(","))
    return [(name, value) for name, value in headers if name.lower() not in dropped]


def dump_headers(pairs: Iterable[tuple[str, str]]) -> bytes:
    """Write `headers.json` as Go's `http.Header` is written: canonical names, sorted, values in order."""
    grouped: dict[str, list[str]] = {}
    for name, value in pairs:
        grouped.setdefault(_canonical(name), []).append(value)
    return json.dumps(grouped, sort_keys=True, separators=(",", ":")).encode()


def _canonical(name: str) -> str:
    """Spell a name as Go does: `x-request-id` becomes `X-Request-Id`; what is no token stays."""
    return "-".join(part.capitalize() for part in name.split("-")) if _TOKEN.match(name) else name
