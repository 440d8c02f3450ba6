"""The items in one file: decompressed by its suffix, split into values, bad ones told or left out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from dequeuer.container.decoding import Decoder, decoder_for
from dequeuer.core.errors import InvalidResponseError
from dequeuer.enqueuer.files import fault_of
from dequeuer.enqueuer.model import TOO_LARGE_KIND, EnqueueFaultError, Portion, Skipped, too_large
from dequeuer.formats.json_values import BadValue, NotJsonError, Value, ValueSplitter
from dequeuer.jobs.checkpoint import JobFile
from dequeuer.jobs.enqueue_error import EnqueueError

PIECE_BYTES: Final = 128 * 1024
"""Split at a time: some milliseconds, between which requests are sent."""
_CODINGS: Final = {".gz": "gzip", ".zst": "zstd"}
_CONTINUES_VALUE: Final = frozenset(b" \t]},:")
"""A line that begins with one of these is no item of its own."""


def coding_of(key: str) -> str | None:
    """Return the compression that the suffix of a key names."""
    return next((coding for suffix, coding in _CODINGS.items() if key.endswith(suffix)), None)


class FileItems:
    """Splits one file, given in parts.

    Args:
        file: which it is.
        begin: offset in its content: items before it are not wanted. The first part begins there, unless the file is
            compressed: then with its first byte.
        limit: largest item, bytes.
        skips: whether bad items are left out. Otherwise they are faults.
    """

    def __init__(self, file: JobFile, begin: int, *, limit: int, skips: bool) -> None:
        self._file, self._limit, self._skips = file, limit, skips
        coding = coding_of(file.listed.key)
        self._decoder: Decoder | None = decoder_for([coding]) if coding else None
        self._unwanted = begin if coding else 0
        self._splitter: ValueSplitter | None = ValueSplitter(limit, begin)
        self._line = _LineSearch(begin)
        self._read = begin
        """Offset of the next byte in the content."""
        self._end = begin
        """Offset after the last item, good or bad."""

    def feed(self, part: bytes, *, is_last: bool) -> Iterator[Portion]:
        """Yield the items that end in this part. Raises `EnqueueFaultError`."""
        for piece in self._decoded(part, is_last=is_last):
            yield self._portion(piece)
        if is_last:
            yield self._rest()

    def _decoded(self, part: bytes, *, is_last: bool) -> Iterator[bytes]:
        if self._decoder is None:
            yield from (part[at : at + PIECE_BYTES] for at in range(0, len(part), PIECE_BYTES))
            return
        try:
            for piece in self._decoder.feed(part):
                if self._unwanted >= len(piece):
                    self._unwanted -= len(piece)
                else:
                    yield piece[self._unwanted :]
                    self._unwanted = 0
            if is_last:
                self._decoder.close()
        except InvalidResponseError as error:
            raise self._damaged() from error
        if not self._file.listed.size:  # compressed, even nothing has some bytes
            raise self._damaged()

    def _damaged(self) -> EnqueueFaultError:
        # Not skipped: what is lost cannot be told.
        return EnqueueFaultError(fault_of(self._file, "the compressed data is damaged, or ends too early", self._read))

    def _portion(self, piece: bytes) -> Portion:
        """Return the items that end in a piece of the content."""
        items: list[Value] = []
        skipped: list[Skipped] = []
        start = self._read
        self._read += len(piece)
        while piece:
            if self._splitter is None:
                at = self._line.find(piece)
                if at is None:
                    break
                piece, start = piece[at:], start + at
                self._end = start
                self._splitter, self._line = ValueSplitter(self._limit, start), _LineSearch(start)
            self._line.look_at(piece, start)
            try:
                self._sort(self._splitter.feed(piece), items, skipped)
                break
            except NotJsonError as error:
                piece, start = self._give_up(error, piece, start, skipped)
        return Portion(self._file, items, skipped, self._end)

    def _rest(self) -> Portion:
        items: list[Value] = []
        skipped: list[Skipped] = []
        if self._splitter is not None:
            try:
                self._sort(self._splitter.close(), items, skipped)
            except NotJsonError as error:
                self._give_up(error, b"", self._read, skipped)
        return Portion(self._file, items, skipped, max(self._read, self._end))

    def _sort(self, found: Iterator[Value | BadValue], items: list[Value], skipped: list[Skipped]) -> None:
        for one in found:
            self._end = one.end
            if isinstance(one, Value):
                items.append(one)
                continue
            size = one.end - one.start
            message = one.reason or too_large("item", size, self._limit)
            kind = "error" if one.reason else TOO_LARGE_KIND
            skipped.append(self._bad(fault_of(self._file, message, one.start, kind), one.start))

    def _give_up(self, error: NotJsonError, piece: bytes, start: int, skipped: list[Skipped]) -> tuple[bytes, int]:
        """After something that is no JSON: look for the next line if that is safe, else leave out the rest."""
        fault = fault_of(self._file, f"not JSON: {error}", error.offset)
        skipped.append(self._bad(fault, error.offset))
        self._splitter = None
        at = self._line.begin(error, piece, start)
        return piece[at:], start + at

    def _bad(self, fault: EnqueueError, start: int) -> Skipped:
        if not self._skips:
            raise EnqueueFaultError(fault)
        return Skipped(fault, start)


class _LineSearch:
    """Finds where items go on after one that is no JSON.

    Files of lines go on with the next line. In other files a line is no item, and may look like one: then everything
    after the fault is left out. A line is taken for one when the fault is in the line in which its value begins (or at
    the first byte of the next one, as after a line that was cut), and the line after it is no continuation of a value.

    Args:
        start: offset at which the search can begin.
    """

    def __init__(self, start: int) -> None:
        self._newlines = (start - 1, start - 1)
        """Offsets of the last two line breaks before the current piece."""
        self._before = self._newlines
        self._is_over = False
        self._at_line_start = False

    def look_at(self, piece: bytes, start: int) -> None:
        """Remember the line breaks of a piece. To be called for each one, before it is split."""
        self._before = self._newlines
        self._newlines = _last_newlines(piece, len(piece), start, self._before)

    def begin(self, error: NotJsonError, piece: bytes, start: int) -> int:
        """Begin the search after a fault; return the position in the piece from which `find` is to look."""
        at = max(error.found_at - start, 0)
        earlier, last = _last_newlines(piece, at, start, self._before)
        if last < error.offset:
            return at
        if last == error.found_at - 1 and earlier < error.offset:
            self._at_line_start = True
            return at
        self._is_over = True
        return at

    def find(self, piece: bytes) -> int | None:
        """Return the position at which the next value begins; None: not in this piece."""
        if self._is_over or not piece:
            return None
        at = 0
        if not self._at_line_start:
            at = piece.find(b"\n") + 1
            if not at:
                return None
            self._at_line_start = True
        while at < len(piece) and piece[at] in b"\r\n":
            at += 1
        if at == len(piece):
            return None
        self._is_over = piece[at] in _CONTINUES_VALUE
        return None if self._is_over else at


def _last_newlines(piece: bytes, end: int, start: int, before: tuple[int, int]) -> tuple[int, int]:
    """Return the offsets of the last two line breaks before position `end` of a piece."""
    last = piece.rfind(b"\n", 0, end)
    if last < 0:
        return before
    earlier = piece.rfind(b"\n", 0, last)
    return (before[1] if earlier < 0 else start + earlier), start + last
