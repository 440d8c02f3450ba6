"""From the container's answer to `result.json`: judged as it streams by, never built, never whole in memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from dequeuer.errors import InvalidAnswerError
from dequeuer.formats.json_text import JsonValidator
from dequeuer.formats.media_type import is_json
from dequeuer.handlers.base import Answer
from dequeuer.handlers.request_store import RequestStore

SMALL_BYTES = 64 * 1024
WHOLE_BYTES = 1024 * 1024
"""Answers up to this size are written with one request."""
MIDDLING_AT_ONCE = 6
"""Answers above `SMALL_BYTES` that are read at a time, each up to `WHOLE_BYTES`."""
LARGE_AT_ONCE = 1
"""Answers above `WHOLE_BYTES` that are read at a time: an upload holds two parts, 10 MiB."""


class ResultWriter:
    """Stores answers. One for all requests: it bounds the memory they share.

    Args:
        max_bytes: a larger (decoded) answer is invalid.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._middling = asyncio.Semaphore(MIDDLING_AT_ONCE)
        self._large = asyncio.Semaphore(LARGE_AT_ONCE)

    async def write(self, answer: Answer, request: RequestStore) -> bytes | None:
        """Check that the answer is a result and store its bytes as they came.

        A small one is returned for the caller to store: the container need not wait for that.

        Raises:
            InvalidAnswerError: it is none; nothing is stored.
            ContainerUnavailableError, ContainerTimeoutError: it never became whole; nothing is stored.
            StoreUnavailableError: a large one could not be stored, and cannot be had again.
        """
        if not is_json(answer.content_type):
            raise InvalidAnswerError("the answer's Content-Type is not application/json")
        if answer.size is not None and answer.size <= SMALL_BYTES:
            return await self._small(answer, answer.size)
        body = self._validated(answer)
        head = bytearray()
        if await _fill(head, body, SMALL_BYTES):
            return bytes(head)
        if answer.size is not None and answer.size > WHOLE_BYTES:
            # Known to be large: it must not take a place from the middling ones while it waits for its turn.
            async with self._large:
                await request.put_large_result(_rest(head, body), answer.size)
            return None
        # Whoever waits here does not read, so the container is held back instead of our memory filling.
        async with self._middling:
            if await _fill(head, body, WHOLE_BYTES):
                await request.put_result(bytes(head))
                return None
            async with self._large:
                await request.put_large_result(_rest(head, body), answer.size)
        return None

    async def _small(self, answer: Answer, size: int) -> bytes:
        self._check_size(size)
        body = b"".join([chunk async for chunk in answer.chunks()])
        validator = JsonValidator()
        validator.feed(body)
        validator.close()
        return body

    async def _validated(self, answer: Answer) -> AsyncIterator[bytes]:
        if answer.size is not None:
            self._check_size(answer.size)
        validator = JsonValidator()
        size = 0
        async for chunk in answer.chunks():
            size += len(chunk)
            self._check_size(size)
            validator.feed(chunk)
            yield chunk
        validator.close()

    def _check_size(self, size: int) -> None:
        if size > self._max_bytes:
            raise InvalidAnswerError(f"the answer is larger than DEQUEUER_MAX_RESULT_BYTES ({self._max_bytes} bytes)")


async def _fill(buffer: bytearray, body: AsyncIterator[bytes], limit: int) -> bool:
    """Read up to about `limit` bytes; True when the body has ended."""
    while len(buffer) <= limit:
        try:
            buffer += await anext(body)
        except StopAsyncIteration:
            return True
    return False


async def _rest(head: bytearray, body: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield bytes(head)
    head.clear()
    async for chunk in body:
        yield chunk
