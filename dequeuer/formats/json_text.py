"""Validates JSON text (RFC 8259) chunk by chunk, without building objects, in a bounded amount of memory.

Regular expressions match what is regular (`json_patterns`), which is fast: containers a few levels deep, sequences of
such values in arrays and objects, the content of strings. Python's own scanner takes small containers that are deeper
(`json_scan`). A small automaton does the rest. Its state is kept from one
chunk to the next, so that a long string or number is never held in memory as a whole.
"""

from __future__ import annotations

import codecs
from collections.abc import Callable
from typing import Final

from dequeuer.core.errors import InvalidResponseError
from dequeuer.formats.json_patterns import (
    MAX_MATCH_BYTES,
    match_closings,
    match_digits,
    match_items,
    match_members,
    match_openings,
    match_string_body,
    match_value,
    match_whitespace,
    replace_strings,
)
from dequeuer.formats.json_scan import ContainerScanner

MAX_DEPTH: Final = 10_000
"""Levels of containers. Two or three more may be accepted at the innermost level, where a pattern matches a value."""

_OPEN_ARRAY, _OPEN_OBJECT, _CLOSE_ARRAY, _CLOSE_OBJECT = b"[{]}"
_QUOTE, _BACKSLASH, _COMMA, _COLON, _MINUS, _ZERO, _DOT = b'"\\,:-0.'
_DIGITS, _DIGITS_BUT_ZERO, _EXPONENT, _SIGNS, _HEX = (
    frozenset(b"0123456789"),
    frozenset(b"123456789"),
    frozenset(b"eE"),
    frozenset(b"+-"),
    frozenset(b"0123456789abcdefABCDEF"),
)
_CLOSINGS = frozenset(b"]}")
_ESCAPES = frozenset(b'"\\/bfnrt')
_CLOSING_OF = bytes.maketrans(b"[{", b"]}")
_BETWEEN = b" \t\n\r:"
_LITERALS = {literal[0]: literal[1:] for literal in (b"true", b"false", b"null")}

State = Callable[[bytes, int], int]
"""Takes a chunk and a position in it, consumes some bytes, sets the next state, returns the next position."""


class InvalidJsonError(InvalidResponseError):
    """The text is not JSON.

    Attributes:
        what: the fault, in words.
        at: its position in bytes; None when the text ends too early.
        container: the innermost open container at that position: `[`, `{` or nothing.
    """

    def __init__(self, what: str, at: int | None, container: str) -> None:
        super().__init__(
            "the answer ends before its JSON is complete"
            if at is None
            else f"the answer is not JSON: {what} at byte {at}"
        )
        self.what = what
        self.at = at
        self.container = container


class JsonValidator:
    """Validates one JSON text given in chunks. The top level may be any value; depth is at most `MAX_DEPTH`.

    Raises:
        InvalidResponseError: from `feed` and `close`; an `InvalidJsonError` unless the text is not UTF-8. It
            names the fault and its position, and never quotes the text.
    """

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._state: State = self._value
        self._containers = bytearray()
        self._consumed = 0
        self._pending = b""
        self._hex_left = 0
        self._is_key = False
        self._scanner = ContainerScanner()
        self._has_wrong_end = False
        """One of the next ends of containers is a fault. Without it each of them would be looked at again and again."""

    def feed(self, chunk: bytes) -> None:
        """Validate the next bytes."""
        for start in range(0, len(chunk), MAX_MATCH_BYTES):
            self._feed(chunk[start : start + MAX_MATCH_BYTES])

    def _feed(self, piece: bytes) -> None:
        try:
            self._decoder.decode(piece)
        except UnicodeDecodeError as error:
            raise InvalidResponseError("the answer is not UTF-8") from error
        at, end = 0, len(piece)
        while at < end:
            at = self._state(piece, at)
        self._consumed += end

    def close(self) -> None:
        """Declare the end of the text."""
        if self._state in (self._zero, self._integer, self._fraction, self._exponent):
            self._state = self._after
        if self._state != self._after or self._containers:
            raise InvalidJsonError("the end", None, self._container())

    def _wrong(self, at: int, what: str) -> InvalidJsonError:
        return InvalidJsonError(what, self._consumed + at, self._container())

    def _container(self) -> str:
        return chr(self._containers[-1]) if self._containers else ""

    # Between tokens

    def _value(self, chunk: bytes, at: int) -> int:
        """Expect a value."""
        is_item = bool(self._containers) and self._containers[-1] == _OPEN_ARRAY
        if is_item:
            at = match_items(chunk, at).end()  # type: ignore[union-attr] # always matches
        at = match_whitespace(chunk, at).end()  # type: ignore[union-attr] # always matches
        if at == len(chunk):
            return at
        # Most containers are small and shallow: one match takes the whole container.
        if chunk[at] in (_OPEN_ARRAY, _OPEN_OBJECT):
            match = match_value(chunk, at)
            end = self._deep_end(chunk, at, is_item=is_item) if match is None else match.end()
            if end > at:
                self._state = self._after
                return end
            return self._enter(chunk, at)
        return self._begin(chunk, at)

    def _deep_end(self, chunk: bytes, at: int, *, is_item: bool) -> int:
        """Return the end of a container, and of those that follow it in an array; `at` when it is not known."""
        # A level takes two bytes: what is found in a piece never makes more than the allowed levels.
        if len(self._containers) + len(chunk) // 2 > MAX_DEPTH:
            return at
        if is_item:
            return self._scanner.items(chunk, at)[0]
        return self._scanner.end(chunk, at) or at

    def _enter(self, chunk: bytes, at: int) -> int:
        """Enter a container, and those that begin with it."""
        # Each takes a byte at least, so they are never too many.
        most = at + MAX_DEPTH - len(self._containers)
        end = match_openings(chunk, at, most).end()  # type: ignore[union-attr] # always matches
        run = chunk[at:end]
        opened = (replace_strings(b"", run) if b'"' in run else run).translate(None, _BETWEEN)
        if not opened:
            return self._begin(chunk, at)
        self._containers += opened
        # An object's first name is in the run, so a value comes next.
        self._state = self._first_item if opened[-1] == _OPEN_ARRAY else self._value
        return end

    def _first_item(self, chunk: bytes, at: int) -> int:
        """After `[`, expect a value or the end."""
        at = match_whitespace(chunk, at).end()  # type: ignore[union-attr] # always matches
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
        """After `{`, expect a key or the end."""
        at = match_whitespace(chunk, at).end()  # type: ignore[union-attr] # always matches
        if at < len(chunk):
            if chunk[at] == _CLOSE_OBJECT:
                return self._leave(at)
            self._state = self._key
        return at

    def _key(self, chunk: bytes, at: int) -> int:
        """Expect a key."""
        at = match_members(chunk, at).end()  # type: ignore[union-attr] # always matches
        at = match_whitespace(chunk, at).end()  # type: ignore[union-attr] # always matches
        if at == len(chunk):
            return at
        if chunk[at] != _QUOTE:
            raise self._wrong(at, "no key")
        self._is_key, self._state = True, self._string
        return at + 1

    def _colon(self, chunk: bytes, at: int) -> int:
        at = match_whitespace(chunk, at).end()  # type: ignore[union-attr] # always matches
        if at == len(chunk):
            return at
        if chunk[at] != _COLON:
            raise self._wrong(at, "no colon")
        self._state = self._value
        return at + 1

    def _after(self, chunk: bytes, at: int) -> int:
        """After a value, expect a comma, the end of the container, or the end of the text."""
        at = match_whitespace(chunk, at).end()  # type: ignore[union-attr] # always matches
        if at == len(chunk):
            return at
        if not self._containers:
            raise self._wrong(at, "something after the value")
        byte, inside = chunk[at], self._containers[-1]
        if byte in _CLOSINGS and not self._has_wrong_end:
            end = self._leave_all(chunk, at)
            if end > at:
                return end
            self._has_wrong_end = True
        if byte == _COMMA:
            self._state = self._value if inside == _OPEN_ARRAY else self._key
            return at + 1
        if byte == (_CLOSE_ARRAY if inside == _OPEN_ARRAY else _CLOSE_OBJECT):
            return self._leave(at)
        raise self._wrong(at, "neither a comma nor the end")

    def _leave_all(self, chunk: bytes, at: int) -> int:
        """Leave the containers that end one after the other. Returns `at` when not all of them are open."""
        end = match_closings(chunk, at).end()  # type: ignore[union-attr] # always matches
        closed = chunk[at:end].translate(None, _BETWEEN)
        count = len(closed)
        if count > len(self._containers) or self._containers[: -count - 1 : -1].translate(_CLOSING_OF) != closed:
            return at
        del self._containers[-count:]
        return end

    def _leave(self, at: int) -> int:
        self._containers.pop()
        self._state = self._after
        return at + 1

    # Inside tokens

    def _literal(self, chunk: bytes, at: int) -> int:
        part = chunk[at : at + len(self._pending)]
        if not self._pending.startswith(part):
            wrong = next(
                n for n, (given, wanted) in enumerate(zip(part, self._pending, strict=False)) if given != wanted
            )
            raise self._wrong(at + wrong, "no value")
        self._pending = self._pending[len(part) :]
        if not self._pending:
            self._state = self._after
        return at + len(part)

    def _string(self, chunk: bytes, at: int) -> int:
        at = match_string_body(chunk, at).end()  # type: ignore[union-attr] # always matches
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
        at = match_digits(chunk, at).end()  # type: ignore[union-attr] # always matches
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
        at = match_digits(chunk, at).end()  # type: ignore[union-attr] # always matches
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
        at = match_digits(chunk, at).end()  # type: ignore[union-attr] # always matches
        if at < len(chunk):
            self._state = self._after
        return at


def check_json(text: bytes) -> None:
    """Validate a whole JSON text. Raises `InvalidResponseError`, like `JsonValidator`."""
    validator = JsonValidator()
    validator.feed(text)
    validator.close()


def is_json_array(text: bytes) -> bool:
    """Return whether `text` is JSON and an array."""
    if not text.lstrip(b" \t\n\r").startswith(b"["):
        return False
    try:
        check_json(text)
    except InvalidResponseError:
        return False
    return True
