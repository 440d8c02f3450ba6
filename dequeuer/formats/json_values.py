"""Splits a stream of concatenated JSON values into their texts, in bounded memory, without building objects.

Values stand one after the other as for Go's `json.Decoder`: on lines of their own, on one line, over several lines; of
any type. Unlike there, a number ends only where no character of a number follows: `1-2` and `01` are faults, not two
values. Regular expressions (`json_patterns`) match most values whole, 50 bytes in 1 us; the automaton of `json_text`
finds the end of those that are larger, deeper, or cut by the end of a chunk. Python's own scanner is at most twice as
fast, but needs decoded text, so that its positions are no offsets, and it accepts NaN.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, NamedTuple, TypeAlias

from dequeuer.core.errors import DequeuerError
from dequeuer.formats.json_patterns import MAX_MATCH_BYTES, NUMBER, match_value, match_whitespace
from dequeuer.formats.json_text import InvalidJsonError, JsonValidator

_BEGINS_NUMBER: Final = frozenset(b"-0123456789")
_match_number_bytes = re.compile(rb"[-+.0-9eE]*+").match
_match_ended_number = re.compile(NUMBER + rb"(?=[^-+.0-9eE])").match
_is_number = re.compile(NUMBER).fullmatch
NOT_UTF8: Final = "invalid UTF-8"


class Value(NamedTuple):
    """A value. `text`: as it stands in the stream, valid JSON. `start`, `end`: its offsets in the stream, bytes."""

    text: bytes
    start: int
    end: int


class BadValue(NamedTuple):
    """A value that cannot be used, and after which the stream goes on. Its text was not kept.

    Attributes:
        start: offset of its first byte in the stream.
        end: offset of the byte after it.
        reason: `NOT_UTF8`; "" when it is larger than the limit.
    """

    start: int
    end: int
    reason: str


Found: TypeAlias = Value | BadValue


class NotJsonError(DequeuerError):
    """The stream holds something that is no JSON value: where the next value begins is not known.

    Attributes:
        offset: of the first byte of the value, in the stream.
        found_at: offset of the byte that is wrong.
    """

    def __init__(self, reason: str, offset: int, found_at: int) -> None:
        super().__init__(reason)
        self.offset = offset
        self.found_at = found_at


class ValueSplitter:
    """Splits a stream that is given in chunks.

    Args:
        limit: largest value that is kept, bytes.
        offset: of the first chunk in the stream.
    """

    def __init__(self, limit: int, offset: int = 0) -> None:
        self._limit = limit
        self._offset = offset
        self._cut: _CutValue | None = None
        """The value that was cut by the end of the last chunk."""

    def feed(self, chunk: bytes) -> Iterator[Found]:
        """Yield the values that end in this chunk. To be exhausted before the next chunk.

        Raises:
            NotJsonError: after the values before it. Nothing more can be read.
        """
        at, end, base, limit = 0, len(chunk), self._offset, self._limit
        self._offset += end
        if self._cut is not None:
            stop = self._cut.feed(chunk, 0)
            if stop is None:
                return
            yield self._cut.found(base + stop)
            self._cut, at = None, stop
        while True:
            at = match_whitespace(chunk, at).end()  # type: ignore[union-attr] # always matches
            if at == end:
                return
            is_number = chunk[at] in _BEGINS_NUMBER
            # The bound of a match keeps its memory small.
            match = _match_ended_number(chunk, at) if is_number else match_value(chunk, at, at + MAX_MATCH_BYTES)
            if match is not None:
                stop = match.end()
                yield _judged(match[0], base + at, base + stop, limit)
            else:
                cut = _CutNumber(limit, base + at) if is_number else _CutValue(limit, base + at)
                found_end = cut.feed(chunk, at)
                if found_end is None:
                    self._cut = cut
                    return
                stop = found_end
                yield cut.found(base + stop)
            at = stop

    def close(self) -> Iterator[Found]:
        """Yield the value that ends with the stream, if there is one. Raises `NotJsonError`."""
        cut, self._cut = self._cut, None
        if cut is not None:
            cut.close(self._offset)
            yield cut.found(self._offset)


def _judged(text: bytes, start: int, end: int, limit: int) -> Found:
    if end - start > limit:
        return BadValue(start, end, "")
    if not text.isascii():
        try:
            text.decode()
        except UnicodeDecodeError:
            return BadValue(start, end, NOT_UTF8)
    return Value(text, start, end)


class _CutValue:
    """A value that no pattern matches whole. Its text is kept up to the limit.

    Args:
        limit: see `ValueSplitter`.
        start: offset of the value in the stream.
    """

    def __init__(self, limit: int, start: int) -> None:
        self._limit = limit
        self._start = start
        self._parts: list[bytes] = []
        self._size = 0
        self._scan = _ValueScan()

    def feed(self, chunk: bytes, at: int) -> int | None:
        """Read on from `at`; return the position after the value, None while it has not ended."""
        while at < len(chunk):
            piece = chunk[at : at + MAX_MATCH_BYTES]
            try:
                stop = self._scan.feed_until_end(piece)
            except InvalidJsonError as fault:
                found_at = self._start + self._size + (fault.at or 0)
                raise NotJsonError(fault.what, self._start, found_at) from None
            self.keep(piece[:stop])
            at += stop
            if self._scan.has_ended:
                return at
        return None

    def keep(self, part: bytes) -> None:
        """Add a part of the value."""
        self._size += len(part)
        if self._size > self._limit:
            self._parts.clear()
        else:
            self._parts.append(part)

    def close(self, end: int) -> None:
        """Declare the end of the stream. Raises `NotJsonError`."""
        raise NotJsonError("the data ends in the middle of a value", self._start, end)

    def found(self, end: int) -> Found:
        """Return the value, which has ended."""
        return _judged(b"".join(self._parts), self._start, end, self._limit)


class _CutNumber(_CutValue):
    """A number at the end of a chunk, or something that is no number."""

    def feed(self, chunk: bytes, at: int) -> int | None:
        stop = _match_number_bytes(chunk, at).end()  # type: ignore[union-attr] # always matches
        self.keep(chunk[at:stop])
        if stop == len(chunk):
            return None
        self.close(self._start + self._size)
        return stop

    def close(self, end: int) -> None:
        # A number larger than the limit is reported as such, whatever it is.
        if self._size <= self._limit and _is_number(b"".join(self._parts)) is None:
            raise NotJsonError("not a number", self._start, end)


class _ValueScan(JsonValidator):
    """Finds the end of one value, whatever follows it. Faults have the positions in their pieces."""

    @property
    def has_ended(self) -> bool:
        """Whether the value has ended."""
        return self._state == self._after and not self._containers

    def feed_until_end(self, piece: bytes) -> int:
        """Read a piece, up to the end of the value; return how many bytes were read. Raises `InvalidJsonError`."""
        at, end = 0, len(piece)
        while at < end and not self.has_ended:
            at = self._state(piece, at)
        return at
