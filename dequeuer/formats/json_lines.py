"""From a JSON array that comes in chunks to JSON lines, one for each element; no objects are built."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Collection, Sequence
from typing import Final

from dequeuer.core.errors import InvalidResponseError

WHITESPACE: Final = b" \t\r\n"
_QUOTE, _BACKSLASH, _COMMA = b'"\\,'
_OPENING = frozenset(b"[{")
_string_part = re.compile(rb'[^"\\]*+').match
_find_token = re.compile(rb'["\[\]{},]').search
_find_inner_token = re.compile(rb'["\[\]{}]').search
_line_index = re.compile(rb'\{"index":([0-9]{1,15}),').match
_MAX_INDEX_BYTES: Final = 32


class ArrayLines:
    r"""Makes the lines `{"index":N,"result":...}\n` of the elements of one array.

    Elements keep their bytes, but for whitespace between tokens. The array must be JSON: its chunks have passed the
    validation before they come here.

    Args:
        indexes: one for each element, in order.
        left_out: positions of elements that get no line, and that must be `null`.

    Raises:
        InvalidResponseError: from `feed` and `close`: the array is longer or shorter, or what is left out is something.
    """

    def __init__(self, indexes: Sequence[int], left_out: Collection[int] = ()) -> None:
        self._indexes = indexes
        self._left_out = left_out
        self._count = 0
        self._depth = 0
        self._is_in_element = self._is_in_string = self._is_escaped = False
        self._ignored: bytearray | None = None
        """Of an element that is left out."""
        self._lines = bytearray()

    def feed(self, chunk: bytes) -> bytes:
        """Return the lines, or parts of them, that the next bytes of the array make."""
        at, end = 0, len(chunk)
        while at < end:
            at = self._string(chunk, at) if self._is_in_string else self._token(chunk, at)
        made = bytes(self._lines)
        self._lines.clear()
        return made

    def close(self) -> None:
        """Declare the end of the array."""
        if self._count != len(self._indexes):
            raise InvalidResponseError(f"the answer has {self._count} results for {len(self._indexes)} items")

    def _string(self, chunk: bytes, at: int) -> int:
        """Take the inside of a string up to its end, or up to an escape."""
        if self._is_escaped:
            self._is_escaped = False
            end = at + 1
        else:
            end = _string_part(chunk, at).end()  # type: ignore[union-attr] # always matches
            if end < len(chunk):
                self._is_escaped = chunk[end] == _BACKSLASH
                self._is_in_string = self._is_escaped
                end += 1
        self._add(chunk[at:end])
        return end

    def _token(self, chunk: bytes, at: int) -> int:
        """Take what comes before the next token, and the token."""
        found = (_find_token if self._depth == 1 else _find_inner_token)(chunk, at)
        stop = len(chunk) if found is None else found.start()
        if stop > at and (text := chunk[at:stop].translate(None, WHITESPACE)):
            self._add(text)
        if found is None:
            return stop
        byte = chunk[stop]
        if byte == _QUOTE:
            self._is_in_string = True
        elif byte in _OPENING:
            self._depth += 1
            if self._depth == 1:
                return stop + 1
        elif byte != _COMMA:
            self._depth -= 1
        if not self._depth or (self._depth == 1 and byte == _COMMA):
            self._end_element()
        else:
            self._add(found[0])
        return stop + 1

    def _add(self, text: bytes) -> None:
        if not self._is_in_element:
            self._begin_element()
        if self._ignored is None:
            self._lines += text
        elif len(self._ignored) < len(b"null"):
            self._ignored += text[: len(b"null") + 1]

    def _begin_element(self) -> None:
        if self._count == len(self._indexes):
            raise InvalidResponseError(f"the answer has more results than the {len(self._indexes)} items")
        self._is_in_element = True
        if self._count in self._left_out:
            self._ignored = bytearray()
        else:
            self._lines += b'{"index":%d,"result":' % self._indexes[self._count]
        self._count += 1

    def _end_element(self) -> None:
        if not self._is_in_element:
            return  # the array is empty
        self._is_in_element = False
        if self._ignored is None:
            self._lines += b"}\n"
        elif self._ignored != b"null":
            raise InvalidResponseError(f"the answer has a result and a failure at position {self._count - 1}")
        self._ignored = None


async def line_indexes(chunks: AsyncIterator[bytes]) -> set[int]:
    """Return the indexes of JSON lines as `ArrayLines` writes them. A line without one is none of its lines."""
    found: set[int] = set()
    start = bytearray()
    """Of the line that is being read."""
    async for chunk in chunks:
        *ended, last = chunk.split(b"\n")
        for part in ended:
            _collect(start + part[:_MAX_INDEX_BYTES], found)
            start.clear()
        start += last[: max(0, _MAX_INDEX_BYTES - len(start))]
    _collect(start, found)
    return found


def _collect(start: bytes | bytearray, found: set[int]) -> None:
    if (match := _line_index(start)) is not None:
        found.add(int(match[1]))
