"""From the container's response to `result.json`: JSON is checked while it is streamed; sizes are limited."""

from __future__ import annotations

from collections.abc import AsyncIterator

from dequeuer.concurrency.byte_budget import ByteBudget
from dequeuer.core.errors import InvalidResponseError
from dequeuer.formats.json_text import JsonValidator, check_json
from dequeuer.formats.media_type import is_json
from dequeuer.handlers.async_api.request_store import RequestStore
from dequeuer.handlers.base import Response

MAX_SMALL_BYTES = 64 * 1024
"""Responses with a known size up to this one are read at once. They take no room in the buffers."""
MAX_BUFFERED_BYTES = 1024 * 1024
"""Responses up to this size are buffered while there is room, and written with one request, which can be repeated."""
TOTAL_BUFFER_BYTES = 6 * MAX_BUFFERED_BYTES
"""For the responses of all requests that are buffered at the same time."""
BUFFER_WAIT_TIMEOUT_S = 1.0
"""How long a response waits for room in the buffers, seconds: far below the write timeout of any web server."""


class ResultWriter:
    """Stores results. One for all requests: it limits the memory that they take together.

    A response that finds no room in the buffers is streamed to the store. There, only large responses of unknown size
    wait for each other: S3 needs the size of a part before the part, so their parts are buffered one at a time.

    Args:
        max_bytes: a larger (decoded) response is invalid.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._buffers = ByteBudget(TOTAL_BUFFER_BYTES)

    async def write(self, response: Response, request: RequestStore) -> bytes | None:
        """Check that the response is a result, and store its bytes unchanged.

        The bytes of a small one are returned; the caller stores them after it has left the response, because the
        container does not have to wait for that.

        Raises:
            InvalidResponseError: it is not a result; nothing is stored.
            ContainerUnavailableError, ContainerTimeoutError: it did not become complete; nothing is stored.
            StoreUnavailableError: a large one could not be stored. It is lost: the work has to be done again.
        """
        if not is_json(response.content_type):
            raise InvalidResponseError("the response's Content-Type is not application/json")
        if response.size is not None and response.size <= MAX_SMALL_BYTES:
            return await self._read_small(response, response.size)
        body = self._validated(response)
        head = bytearray()
        if response.size is None and await _fill(head, body, MAX_SMALL_BYTES):
            return bytes(head)
        share = MAX_BUFFERED_BYTES if response.size is None else response.size
        if share > MAX_BUFFERED_BYTES or not await self._buffers.take(share, BUFFER_WAIT_TIMEOUT_S):
            await request.put_large_result(_rest(head, body), response.size)
            return None
        try:
            if await _fill(head, body, share):
                await request.put_result(bytes(head))
            else:
                # The room stays taken: the upload takes over the buffered bytes gradually.
                await request.put_large_result(_rest(head, body), response.size)
        finally:
            self._buffers.release(share)
        return None

    async def _read_small(self, response: Response, size: int) -> bytes:
        self._check_size(size)
        body = b"".join([chunk async for chunk in response.chunks()])
        check_json(body)
        return body

    async def _validated(self, response: Response) -> AsyncIterator[bytes]:
        if response.size is not None:
            self._check_size(response.size)
        validator = JsonValidator()
        size = 0
        async for chunk in response.chunks():
            size += len(chunk)
            self._check_size(size)
            validator.feed(chunk)
            yield chunk
        validator.close()

    def _check_size(self, size: int) -> None:
        if size > self._max_bytes:
            raise InvalidResponseError(
                f"the response is larger than DEQUEUER_MAX_RESULT_BYTES ({self._max_bytes} bytes)"
            )


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
