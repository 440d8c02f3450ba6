"""From the container's answer to `result.json`: judged as it streams by, never built, never whole in memory."""

from __future__ import annotations

from collections.abc import AsyncIterator

from dequeuer.concurrency.byte_budget import ByteBudget
from dequeuer.core.errors import InvalidResponseError
from dequeuer.formats.json_text import JsonValidator
from dequeuer.formats.media_type import is_json
from dequeuer.handlers.async_api.request_store import RequestStore
from dequeuer.handlers.base import Answer

SMALL_BYTES = 64 * 1024
"""Answers of a known size up to this one are read whole, without a place in the buffers."""
WHOLE_BYTES = 1024 * 1024
"""Answers up to this size are buffered, and written with one request that can be tried again, while there is room."""
BUFFER_BYTES = 6 * WHOLE_BYTES
"""For the answers of all requests that are buffered at the same time."""
PATIENCE_S = 1.0
"""How long an answer waits for room in the buffers: far below any server's write time-out."""


class ResultWriter:
    """Stores answers. One for all requests: it bounds the memory they share.

    One that finds no room in the buffers is streamed to the store. Only large answers of unknown size wait for each
    other there: the store has to be told the size of a part first, so their parts are buffered one at a time.

    Args:
        max_bytes: a larger (decoded) answer is invalid.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._buffers = ByteBudget(BUFFER_BYTES)

    async def write(self, answer: Answer, request: RequestStore) -> bytes | None:
        """Check that the answer is a result and store its bytes as they came.

        A small one is returned for the caller to store: the container need not wait for that.

        Raises:
            InvalidResponseError: it is none; nothing is stored.
            ContainerUnavailableError, ContainerTimeoutError: it never became whole; nothing is stored.
            StoreUnavailableError: a large one could not be stored, and cannot be had again.
        """
        if not is_json(answer.content_type):
            raise InvalidResponseError("the answer's Content-Type is not application/json")
        if answer.size is not None and answer.size <= SMALL_BYTES:
            return await self._small(answer, answer.size)
        body = self._validated(answer)
        head = bytearray()
        if answer.size is None and await _fill(head, body, SMALL_BYTES):
            return bytes(head)
        share = WHOLE_BYTES if answer.size is None else answer.size
        if share > WHOLE_BYTES or not await self._buffers.take(share, PATIENCE_S):
            await request.put_large_result(_rest(head, body), answer.size)
            return None
        try:
            if await _fill(head, body, share):
                await request.put_result(bytes(head))
            else:
                # The room is kept meanwhile: what was buffered is taken over piece by piece.
                await request.put_large_result(_rest(head, body), answer.size)
        finally:
            self._buffers.give_back(share)
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
            raise InvalidResponseError(f"the answer is larger than DEQUEUER_MAX_RESULT_BYTES ({self._max_bytes} bytes)")


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
