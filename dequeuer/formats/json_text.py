"""Is it JSON (RFC 8259)? Judged chunk by chunk, without building objects, in memory that does not grow.

What is regular is matched by regular expressions, in C: containers a few levels deep, runs of such
values in arrays and objects, the insides of strings.
The rest is a small automaton whose state outlives a chunk, so that neither long strings nor long
numbers are ever gathered.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable
from typing import Final

from dequeuer.core.errors import InvalidAnswerError

MAX_DEPTH: Final = 10_000
"""Containers in each other; two or three more may pass at the bottom, where they are matched whole."""

# Possessive quantifiers stand behind sets of characters only: behind groups, Python before 3.11.5 gets them wrong.
# Groups are written so that there is one way to match them, hence nothing to gain by going back, and no blow-up.
_WS = rb"[ \t\n\r]*+"
_STRING_BODY = rb'[^"\\\x00-\x1f]*+(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[^"\\\x00-\x1f]*+)*'
_NUMBER = rb"-?(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?(?:[eE][+-]?[0-9]++)?"
_SCALAR = rb'(?:"' + _STRING_BODY + rb'"|' + _NUMBER + rb"|true|false|null)"
_NAME = _WS + rb'"' + _STRING_BODY + rb'"' + _WS + rb":"


def _nested(value: bytes, levels: int) -> bytes:
    """Return the pattern of a value that holds containers, `levels` deep; the pattern doubles with each."""
    if not levels:
        return value
    item = _WS + _nested(value, levels - 1) + _WS
    # One mention of the item, not two, keeps the pattern small: a comma that something follows, or the end.
    array = rb"\[" + _WS + rb"(?:" + item + rb"(?:,(?!" + _WS + rb"\])|(?=\])))*\]"
    members = rb"\{" + _WS + rb"(?:" + _NAME + item + rb"(?:,(?!" + _WS + rb"\})|(?=\})))*\}"
    return rb"(?:" + value + rb"|" + array + rb"|" + members + rb")"


_VALUE = _nested(_SCALAR, 2)

_space = re.compile(_WS).match
_string_body = re.compile(_STRING_BODY).match
_whole = re.compile(_nested(_SCALAR, 3)).match
_items = re.compile(rb"(?:" + _WS + _VALUE + _WS + rb",)*").match
_members = re.compile(rb"(?:" + _NAME + _WS + _VALUE + _WS + rb",)*").match
_digits = re.compile(rb"[0-9]*+").match

_OPEN_ARRAY, _OPEN_OBJECT, _CLOSE_ARRAY, _CLOSE_OBJECT = b"[{]}"
_QUOTE, _BACKSLASH, _COMMA, _COLON, _MINUS, _ZERO, _DOT = b'"\\,:-0.'
_DIGITS, _DIGITS_BUT_ZERO, _EXPONENT, _SIGNS, _HEX = (
    frozenset(b"0123456789"),
    frozenset(b"123456789"),
    frozenset(b"eE"),
    frozenset(b"+-"),
    frozenset(b"0123456789abcdefABCDEF"),
)
_ESCAPES = frozenset(b'"\\/bfnrt')
_LITERALS = {literal[0]: literal[1:] for literal in (b"true", b"false", b"null")}

PIECE_BYTES: Final = 16 * 1024
"""Matched at a time. A match needs up to 200 times as much memory as the tiny values that it spans."""

State = Callable[[bytes, int], int]
"""Takes the chunk and a place in it, eats something, sets the next state, returns the next place."""


class JsonValidator:
    """Takes one JSON text in chunks. Any value is allowed at the top, nested up to `MAX_DEPTH` deep.

    Raises:
        InvalidAnswerError: from `feed` or `close`, naming what is wrong and where; never quoting the text.
    """

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._state: State = self._value
        self._containers = bytearray()
        self._before = 0
        self._pending = b""
        self._hex_left = 0
        self._is_key = False

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes."""
        for start in range(0, len(chunk), PIECE_BYTES):
            self._feed(chunk[start : start + PIECE_BYTES])

    def _feed(self, piece: bytes) -> None:
        try:
            self._decoder.decode(piece)
        except UnicodeDecodeError as error:
            raise InvalidAnswerError("the answer is not UTF-8") from error
        at, end = 0, len(piece)
        while at < end:
            at = self._state(piece, at)
        self._before += end

    def close(self) -> None:
        """Say that this was all."""
        if self._state in (self._zero, self._integer, self._fraction, self._exponent):
            self._state = self._after
        if self._state != self._after or self._containers:
            raise InvalidAnswerError("the answer ends before its JSON is complete")

    def _wrong(self, at: int, what: str) -> InvalidAnswerError:
        return InvalidAnswerError(f"the answer is not JSON: {what} at byte {self._before + at}")

    # Between tokens

    def _value(self, chunk: bytes, at: int) -> int:
        """A value must come."""
        if self._containers and self._containers[-1] == _OPEN_ARRAY:
            at = _items(chunk, at).end()  # type: ignore[union-attr] # matches the empty text
        at = _space(chunk, at).end()  # type: ignore[union-attr] # matches the empty text
        if at == len(chunk):
            return at
        # Most containers are small and not deep: whole in one go.
        if chunk[at] in (_OPEN_ARRAY, _OPEN_OBJECT) and (match := _whole(chunk, at)) is not None:
            self._state = self._after
            return match.end()
        return self._begin(chunk, at)

    def _first_item(self, chunk: bytes, at: int) -> int:
        """After `[`: a value or the end."""
        at = _space(chunk, at).end()  # type: ignore[union-attr] # matches the empty text
        if at < len(chunk):
            if chunk[at] == _CLOSE_ARRAY:
                return self._leave(at)
            self._state = self._value
        return at

    def _begin(self, chunk: bytes, at: int) -> int:
        byte = chunk[at]
        if byte == _QUOTE:
            self._is_key, self._state = False, self._string
        elif byte in (_OPEN_ARRAY, _OPEN_OBJECT):
            if len(self._containers) >= MAX_DEPTH:
                raise self._wrong(at, f"nesting deeper than {MAX_DEPTH}")
            self._containers.append(byte)
            self._state = self._first_item if byte == _OPEN_ARRAY else self._first_key
        elif byte == _MINUS:
            self._state = self._sign
        elif byte == _ZERO:
            self._state = self._zero
        elif byte in _DIGITS_BUT_ZERO:
            self._state = self._integer
        elif byte in _LITERALS:
            self._pending, self._state = _LITERALS[byte], self._literal
        else:
            raise self._wrong(at, "no value")
        return at + 1

    def _first_key(self, chunk: bytes, at: int) -> int:
        """After `{`: a key or the end."""
        at = _space(chunk, at).end()  # type: ignore[union-attr] # matches the empty text
        if at < len(chunk):
            if chunk[at] == _CLOSE_OBJECT:
                return self._leave(at)
            self._state = self._key
        return at

    def _key(self, chunk: bytes, at: int) -> int:
        """A key must come."""
        at = _members(chunk, at).end()  # type: ignore[union-attr] # matches the empty text
        at = _space(chunk, at).end()  # type: ignore[union-attr] # matches the empty text
        if at == len(chunk):
            return at
        if chunk[at] != _QUOTE:
            raise self._wrong(at, "no key")
        self._is_key, self._state = True, self._string
        return at + 1

    def _colon(self, chunk: bytes, at: int) -> int:
        at = _space(chunk, at).end()  # type: ignore[union-attr] # matches the empty text
        if at == len(chunk):
            return at
        if chunk[at] != _COLON:
            raise self._wrong(at, "no colon")
        self._state = self._value
        return at + 1

    def _after(self, chunk: bytes, at: int) -> int:
        """After a value: a comma, the end of the container, or nothing more."""
        at = _space(chunk, at).end()  # type: ignore[union-attr] # matches the empty text
        if at == len(chunk):
            return at
        if not self._containers:
            raise self._wrong(at, "something after the value")
        byte, inside = chunk[at], self._containers[-1]
        if byte == _COMMA:
            self._state = self._value if inside == _OPEN_ARRAY else self._key
            return at + 1
        if byte == (_CLOSE_ARRAY if inside == _OPEN_ARRAY else _CLOSE_OBJECT):
            return self._leave(at)
        raise self._wrong(at, "neither a comma nor the end")

    def _leave(self, at: int) -> int:
        self._containers.pop()
        self._state = self._after
        return at + 1

    # Inside tokens

    def _literal(self, chunk: bytes, at: int) -> int:
        part = chunk[at : at + len(self._pending)]
        if not self._pending.startswith(part):
            raise self._wrong(at, "no value")
        self._pending = self._pending[len(part) :]
        if not self._pending:
            self._state = self._after
        return at + len(part)

    def _string(self, chunk: bytes, at: int) -> int:
        at = _string_body(chunk, at).end()  # type: ignore[union-attr] # matches the empty text
        if at == len(chunk):
            return at
        if chunk[at] == _QUOTE:
            self._state = self._colon if self._is_key else self._after
        elif chunk[at] == _BACKSLASH:
            self._state = self._escape
        else:
            raise self._wrong(at, "a control character in a string")
        return at + 1

    def _escape(self, chunk: bytes, at: int) -> int:
        if chunk[at] == ord("u"):
            self._hex_left, self._state = 4, self._hex
        elif chunk[at] in _ESCAPES:
            self._state = self._string
        else:
            raise self._wrong(at, "an unknown escape")
        return at + 1

    def _hex(self, chunk: bytes, at: int) -> int:
        if chunk[at] not in _HEX:
            raise self._wrong(at, "an unknown escape")
        self._hex_left -= 1
        if not self._hex_left:
            self._state = self._string
        return at + 1

    def _sign(self, chunk: bytes, at: int) -> int:
        if chunk[at] not in _DIGITS:
            raise self._wrong(at, "no digit after a sign")
        self._state = self._zero if chunk[at] == _ZERO else self._integer
        return at + 1

    def _zero(self, chunk: bytes, at: int) -> int:
        return self._after_integer(chunk, at)

    def _integer(self, chunk: bytes, at: int) -> int:
        at = _digits(chunk, at).end()  # type: ignore[union-attr] # matches the empty text
        return self._after_integer(chunk, at) if at < len(chunk) else at

    def _after_integer(self, chunk: bytes, at: int) -> int:
        if chunk[at] == _DOT:
            self._state = self._point
            return at + 1
        return self._before_exponent(chunk, at)

    def _point(self, chunk: bytes, at: int) -> int:
        if chunk[at] not in _DIGITS:
            raise self._wrong(at, "no digit after a point")
        self._state = self._fraction
        return at + 1

    def _fraction(self, chunk: bytes, at: int) -> int:
        at = _digits(chunk, at).end()  # type: ignore[union-attr] # matches the empty text
        return self._before_exponent(chunk, at) if at < len(chunk) else at

    def _before_exponent(self, chunk: bytes, at: int) -> int:
        if chunk[at] in _EXPONENT:
            self._state = self._exponent_sign
            return at + 1
        self._state = self._after
        return at

    def _exponent_sign(self, chunk: bytes, at: int) -> int:
        self._state = self._first_exponent_digit
        return at + 1 if chunk[at] in _SIGNS else at

    def _first_exponent_digit(self, chunk: bytes, at: int) -> int:
        if chunk[at] not in _DIGITS:
            raise self._wrong(at, "no digit in an exponent")
        self._state = self._exponent
        return at + 1

    def _exponent(self, chunk: bytes, at: int) -> int:
        at = _digits(chunk, at).end()  # type: ignore[union-attr] # matches the empty text
        if at < len(chunk):
            self._state = self._after
        return at


def is_json_array(text: bytes) -> bool:
    """Tell whether `text` is JSON, and an array."""
    if not text.lstrip(b" \t\n\r").startswith(b"["):
        return False
    validator = JsonValidator()
    try:
        validator.feed(text)
        validator.close()
    except InvalidAnswerError:
        return False
    return True
