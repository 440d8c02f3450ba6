"""JSON as Go's encoding/json reads and writes it, but for numbers: they keep the text that they came with.

Go writes compact JSON, and `<`, `>`, `&`, U+2028 and U+2029 as escapes. Clients and containers of Cortex compare and
store such text, so it is written byte for byte as Go writes it.
"""

from __future__ import annotations

import io
import json
import math
import re
from collections.abc import Iterable, Mapping
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final, NoReturn

from dequeuer.formats.json_spans import string_end

MAX_DEPTH: Final = 200
"""Levels of containers that `decode` and `encode` go into. Python's recursion ends at about 1,000."""

_ESCAPED = re.compile('[\\x00-\\x1f"\\\\<>&\u2028\u2029\ud800-\udfff]')
_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t", '"': '\\"', "\\": "\\\\"}
_WHITESPACE: Final = b" \t\r\n"
_LINE_ESCAPES = (("\u2028".encode(), b"\\u2028"), ("\u2029".encode(), b"\\u2029"))
_HTML_ESCAPES = ((b"<", b"\\u003c"), (b">", b"\\u003e"), (b"&", b"\\u0026"))
_PIECE_BYTES: Final = 64 * 1024
"""Escaped at a time: a replacement lets no other thread run until it is done."""
# A bracket in a string does not count, so strings are matched whole. One that does not end is matched, too: from each
# escaped quote in it, the rest of the text would be searched anew.
_STRINGS = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)
_find_tokens = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*"|[^ \t\r\n"]++', re.DOTALL).findall
MAX_TOKENIZED_BYTES: Final = 64 * 1024
"""`compact` takes texts up to this size apart at once: in half of the time, but in up to 200 times their memory."""


class Number(str):
    """A number in its original text: `12345678901234567890` and `1.0` stay what they are."""

    __slots__ = ()


# A number takes a hundred bytes. Short ones, of which a text can have the most, repeat themselves.
_number = lru_cache(maxsize=4096)(Number)


class TooDeepError(ValueError):
    """The JSON text is nested deeper than `MAX_DEPTH`."""


def decode(text: str) -> Any:
    """Return the value of a JSON text; its numbers are `Number`s. The last of repeated names in an object wins.

    Raises `ValueError` for text that is not JSON, `TooDeepError` for text that is nested too deeply.
    """
    if _depth(text) > MAX_DEPTH:
        raise TooDeepError(f"nested deeper than {MAX_DEPTH} levels")
    return json.loads(text, parse_int=_number, parse_float=_number, parse_constant=_refuse_constant)


def decode_object(text: bytes) -> dict[str, Any]:
    """Return the object that a JSON text is; see `decode`. Raises `ValueError` also for every other text."""
    value = decode(text.decode())
    if not isinstance(value, dict):
        raise ValueError("no object")  # noqa: TRY004 - one kind of error for every unusable text
    return value


def encode(value: Any, *, indent: int = 0) -> str:
    """Return `value` as Go encodes it. The members of a mapping keep their order; `sort_names` gives that of Go's maps.

    Args:
        value: None, booleans, integers, floats, strings, `Number`s, mappings and sequences.
        indent: spaces for each level; 0: everything in one line.
    """
    # Not joined: a list of all pieces would take a hundred times the memory of the text.
    text = io.StringIO()
    for piece in _encode(value, "\n" if indent else "", " " * indent):
        text.write(piece)
    return text.getvalue()


def sort_names(value: Any) -> Any:
    """Return `value` with the members of all mappings in the order in which Go writes a map."""
    if isinstance(value, Mapping):
        return {name: sort_names(value[name]) for name in sorted(value)}
    if isinstance(value, list | tuple):
        return [sort_names(item) for item in value]
    return value


def compact(text: bytes) -> bytes:
    """Return valid JSON text without the whitespace between its tokens, and with Go's escapes; nothing else changes."""
    if any(text.find(byte) >= 0 for byte in (b" ", b"\n", b"\t", b"\r")):
        text = _without_whitespace(text)
    # In valid JSON these characters stand in strings alone.
    for character, escape in _LINE_ESCAPES:
        text = text.replace(character, escape)
    if any(character in text for character, _ in _HTML_ESCAPES):
        pieces = (text[at : at + _PIECE_BYTES] for at in range(0, len(text), _PIECE_BYTES))
        text = b"".join(map(_escape_html, pieces))
    return text


def _escape_html(text: bytes) -> bytes:
    for character, escape in _HTML_ESCAPES:
        text = text.replace(character, escape)
    return text


def _without_whitespace(text: bytes) -> bytes:
    if len(text) <= MAX_TOKENIZED_BYTES:
        return b"".join(_find_tokens(text))
    kept = bytearray()
    at = 0
    while (quote := text.find(b'"', at)) >= 0:
        kept += text[at:quote].translate(None, _WHITESPACE)
        at = string_end(text, quote)
        kept += text[quote:at]
    kept += text[at:].translate(None, _WHITESPACE)
    return bytes(kept)


def _depth(text: str) -> int:
    depth = deepest = 0
    for bracket in re.findall(r"[\[{\]}]", _STRINGS.sub("", text)):
        depth += 1 if bracket in "[{" else -1
        deepest = max(deepest, depth)
    return deepest


def _encode(value: Any, line: str, indent: str) -> Iterable[str]:
    if isinstance(value, Mapping):
        members = ((f"{_string(name)}:{' ' if indent else ''}", item) for name, item in value.items())
        yield from _container("{", members, "}", line, indent)
    elif isinstance(value, list | tuple):
        yield from _container("[", (("", item) for item in value), "]", line, indent)
    else:
        yield _scalar(value)


def _container(begin: str, members: Iterable[tuple[str, Any]], end: str, line: str, indent: str) -> Iterable[str]:
    separator = begin
    for name, item in members:
        yield f"{separator}{line}{indent}{name}"
        yield from _encode(item, line + indent, indent)
        separator = ","
    yield begin + end if separator == begin else line + end


def _scalar(value: Any) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case Number():
            return str(value)
        case int():
            return str(int(value))
        case float():
            return _float(value)
        case str():
            return _string(value)
    raise TypeError(f"no JSON for {type(value).__name__}")


def _string(text: str) -> str:
    return f'"{_ESCAPED.sub(_escape, text)}"'


def _escape(match: re.Match[str]) -> str:
    character = match[0]
    if "\ud800" <= character <= "\udfff":
        return "\ufffd"  # half of a pair: what Go decodes it to
    return _SHORT.get(character) or f"\\u{ord(character):04x}"


def _float(value: float) -> str:
    """Return a number as Go does: the shortest digits, an exponent for very small and very large ones only."""
    if not math.isfinite(value):
        raise ValueError(f"no JSON for {value}")
    if value == 0 or 1e-6 <= abs(value) < 1e21:
        text = format(Decimal(repr(value)), "f")
        return text.removesuffix(".0")
    digits, _, exponent = repr(value).partition("e")
    return f"{digits.removesuffix('.0')}e{int(exponent):+d}"


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
