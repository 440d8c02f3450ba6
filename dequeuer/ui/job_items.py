"""The items of a job in the order of their index, made of the lines of its results. An item without a line waits."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from typing import Final

from dequeuer.client.errors import InvalidAnswerError
from dequeuer.formats.go_json import TooDeepError, decode

MAX_ITEMS: Final = 1000
"""Of one answer."""
MAX_LINE_BYTES: Final = 64 * 1024
"""Of a result or an error that is shown; of a larger one, or one nested too deep, the state alone is."""
MAX_SHOWN_BYTES: Final = 4 << 20
"""Of all results and errors of one answer; those behind it have their state alone."""
MAX_READ_BYTES: Final = 256 << 20
"""Of the results that are read for one answer: they begin with the first item."""
TIMEOUT_S: Final = 30.0

_LINE: Final = re.compile(rb'\{"index":([0-9]{1,15}),"(result|error)":')
_STATES: Final = {b"result": b"completed", b"error": b"failed"}


class _Lines:
    """Takes a stream apart into lines. Of a line that is too long only the beginning is kept."""

    def __init__(self) -> None:
        self._line = bytearray()
        self._is_cut = False

    def feed(self, chunk: bytes) -> list[tuple[bytes, bool]]:
        """Return the lines that end in this piece, and of each whether it was cut."""
        found = []
        *ended, rest = chunk.split(b"\n")
        for part in ended:
            self._add(part)
            found.append((bytes(self._line), self._is_cut))
            self._line.clear()
            self._is_cut = False
        self._add(rest)
        return found

    def _add(self, part: bytes) -> None:
        room = MAX_LINE_BYTES - len(self._line)
        self._line += part[:room]
        self._is_cut = self._is_cut or len(part) > room


async def items_of(chunks: AsyncIterator[bytes], *, first: int, limit: int, total: int | None) -> bytes:
    """Return the JSON text with the items from `first` on.

    Args:
        chunks: lines of results and errors, in the order of `index`.
        first: index of the first item.
        limit: how many items at most.
        total: how many the job has; None: not known, so those behind the last line are not either.

    Raises:
        InvalidAnswerError: a line is of another form, or the results before `first` are too many to read.
        ClientError: as `chunks`.
    """
    end = first + limit if total is None else min(first + limit, total)
    found: dict[int, bytes] = {}
    has_more = total is not None and end < total
    try:
        async with asyncio.timeout(TIMEOUT_S):
            async for index, item in _items(chunks, first):
                if index >= end:
                    has_more = True
                    break
                found[index] = item
    except TimeoutError:
        raise InvalidAnswerError(f"the results of this job cannot be read within {TIMEOUT_S:g} s") from None
    if total is None:
        end = max(found, default=first - 1) + 1
    waiting = (b'{"index":%d,"state":"waiting"}' % index for index in range(first, end))
    items = b",".join(found.get(first + at, item) for at, item in enumerate(waiting))
    more = b',"next":%d' % end if has_more else b""
    return b'{"total":%b,"items":[%b]%b}' % (b"null" if total is None else b"%d" % total, items, more)


def _is_too_deep(line: bytes) -> bool:
    """Return whether a line is nested too deep to be read. Raises `InvalidAnswerError`: it is no JSON.

    A line that is not too deep is sent on as it came. A result may be nested deeper, and must not hide the others.
    """
    try:
        decode(line.decode())
    except TooDeepError:
        return True
    except ValueError:
        raise InvalidAnswerError("the results of this job are not lines of JSON") from None
    return False


async def _items(chunks: AsyncIterator[bytes], first: int) -> AsyncIterator[tuple[int, bytes]]:
    """Yield the items from `first` on that have a line, each with its index."""
    lines, read, shown = _Lines(), 0, 0
    async for chunk in chunks:
        read += len(chunk)
        if read > MAX_READ_BYTES:
            text = f"the results of this job have more than {MAX_READ_BYTES >> 20} MiB: read them with `dequeuer jobs`"
            raise InvalidAnswerError(text)
        for line, is_cut in lines.feed(chunk):
            head = _LINE.match(line)
            if head is None or (index := int(head[1])) < first:
                continue  # what was left out of a job has no index
            state = b'{"index":%d,"state":"%b"' % (index, _STATES[head[2]])
            shown += len(line)
            if is_cut or shown > MAX_SHOWN_BYTES or _is_too_deep(line):
                yield index, state + b"}"
            else:
                yield index, state + b',"%b":' % head[2] + line[head.end() :]
