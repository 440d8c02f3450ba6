"""The container's answer to a batch whose results are kept: an array as long as the batch, or results and failures.

An array may be as large as `DEQUEUER_MAX_RESULT_BYTES`: it becomes lines while it comes. What failed in
`{"results": [...], "failures": [...]}` is known only at its end, so such an answer is in memory as a whole.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from dequeuer.concurrency.byte_budget import ByteBudget
from dequeuer.core.errors import InvalidResponseError
from dequeuer.formats.json_lines import WHITESPACE, ArrayLines
from dequeuer.formats.json_spans import Span, elements, members, value_start
from dequeuer.handlers.base import Response
from dequeuer.handlers.response_body import (
    BUFFER_WAIT_TIMEOUT_S,
    MAX_BUFFERED_BYTES,
    MAX_SMALL_BYTES,
    TOTAL_BUFFER_BYTES,
    fill,
    json_chunks,
)

MAX_PARTIAL_BYTES: Final = 16 * MAX_BUFFERED_BYTES
"""The largest answer with failures. Such answers that find no room in the buffers are in memory one at a time."""
MAX_ERROR_CHARS: Final = 4096
"""Characters of an item's error that are kept."""
_PIECE_BYTES: Final = 64 * 1024
_FORM: Final = 'the answer is neither an array nor {"results": [...], "failures": [...]}'


@dataclass(frozen=True, slots=True)
class ItemFailure:
    """One item failed. `retry`: it is to be tried again."""

    message: str
    retry: bool


@dataclass(slots=True)
class Answer:
    """An answer.

    Attributes:
        lines: of all results, when they are in memory.
        stream: yields the lines otherwise; to be read while the response is open. It raises `InvalidResponseError`
            when the answer turns out to be none, and the errors of `Response.chunks`.
        failures: by position in the batch.
        room: bytes taken in the buffers.
        is_ours: whether this delivery created the results object from `stream`; False: another delivery did.
        holds_partial_lock: whether it is the one answer with failures that is in memory outside the buffers.
    """

    lines: bytes = b""
    stream: AsyncIterator[bytes] | None = None
    failures: Mapping[int, ItemFailure] = field(default_factory=dict)
    room: int = 0
    is_ours: bool = False
    holds_partial_lock: bool = False


class AnswerReader:
    """Reads answers. One for all batches: it limits the memory that they take together.

    Args:
        max_bytes: a larger (decoded) answer is invalid.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._buffers = ByteBudget(TOTAL_BUFFER_BYTES)
        self._partial = asyncio.Lock()

    async def read(self, response: Response, items: Sequence[int]) -> Answer:
        """Read an answer. The caller calls `release` when it has stored it.

        Args:
            response: with an accepted status.
            items: the index in the job of each item of the batch.

        Raises:
            InvalidResponseError: it is no answer to this batch.
            ContainerUnavailableError, ContainerTimeoutError: it did not become complete.
        """
        answer = Answer()
        try:
            return await self._read(answer, response, items)
        except BaseException:
            self.release(answer)
            raise

    def release(self, answer: Answer) -> None:
        """Give back the memory of an answer."""
        self._buffers.release(answer.room)
        if answer.holds_partial_lock:
            self._partial.release()
        answer.room, answer.holds_partial_lock = 0, False

    async def _read(self, answer: Answer, response: Response, items: Sequence[int]) -> Answer:
        body = json_chunks(response, self._max_bytes)
        head = bytearray()
        if await fill(head, body, MAX_SMALL_BYTES):
            return await _parsed(answer, bytes(head), items)
        is_small = response.size is None or response.size <= MAX_BUFFERED_BYTES
        if is_small and await self._buffers.take(MAX_BUFFERED_BYTES, BUFFER_WAIT_TIMEOUT_S):
            answer.room = MAX_BUFFERED_BYTES
            if await fill(head, body, MAX_BUFFERED_BYTES):
                return await _parsed(answer, bytes(head), items)
        start = bytes(head).lstrip(WHITESPACE)[:1]
        if start == b"[":
            answer.stream = _lines(head, body, items)
            return answer
        if start != b"{":
            raise InvalidResponseError(_FORM)
        await self._partial.acquire()
        answer.holds_partial_lock = True
        if not await fill(head, body, MAX_PARTIAL_BYTES):
            raise InvalidResponseError(f"the answer has failures and is larger than {MAX_PARTIAL_BYTES} bytes")
        return await _parsed(answer, bytes(head), items)


async def _lines(head: bytearray, body: AsyncIterator[bytes], items: Sequence[int]) -> AsyncIterator[bytes]:
    made = ArrayLines(items)
    for at in range(0, len(head), _PIECE_BYTES):
        yield made.feed(bytes(head[at : at + _PIECE_BYTES]))
    head.clear()
    async for chunk in body:
        yield made.feed(chunk)
    made.close()


async def _parsed(answer: Answer, text: bytes, items: Sequence[int]) -> Answer:
    """Fill in the lines and the failures of a whole answer, which is JSON."""
    start = value_start(text, 0)
    results: Span = start, len(text)
    if text[start : start + 1] == b"{":
        found = dict(members(text, start))
        if not {"results"} <= found.keys() <= {"results", "failures"} or text[found["results"][0]] != ord("["):
            raise InvalidResponseError(_FORM)
        results = found["results"]
        if "failures" in found:
            answer.failures = await _failures(text, found["failures"], len(items))
    elif text[start : start + 1] != b"[":
        raise InvalidResponseError(_FORM)
    made, lines = ArrayLines(items, answer.failures), bytearray()
    for at in range(*results, _PIECE_BYTES):
        lines += made.feed(text[at : min(at + _PIECE_BYTES, results[1])])
        await asyncio.sleep(0)
    made.close()
    answer.lines = bytes(lines)
    return answer


async def _failures(text: bytes, span: Span, count: int) -> Mapping[int, ItemFailure]:
    if text[span[0]] != ord("["):
        raise InvalidResponseError(_FORM)
    failures: dict[int, ItemFailure] = {}
    for start, end in elements(text, span[0]):
        position, failure = _failure(text[start:end])
        if not 0 <= position < count or position in failures:
            raise InvalidResponseError("the answer names an item in failures that the batch does not have, or twice")
        failures[position] = failure
        if len(failures) % 1000 == 0:
            await asyncio.sleep(0)
    return failures


def _failure(text: bytes) -> tuple[int, ItemFailure]:
    """Return the position and the failure that one entry describes."""
    try:
        entry = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidResponseError("an entry of failures cannot be read") from error
    if isinstance(entry, dict):
        position, message, retry = entry.get("index"), entry.get("error"), entry.get("retry", False)
        if type(position) is int and isinstance(message, str) and isinstance(retry, bool):
            return position, ItemFailure(message[:MAX_ERROR_CHARS], retry)
    raise InvalidResponseError('an entry of failures is not {"index": number, "error": text, "retry": true or false}')
