"""From the container's response to `result.json`: JSON is checked while it is streamed; sizes are limited."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

from dequeuer.concurrency.byte_budget import ByteBudget
from dequeuer.core.errors import InvalidResponseError
from dequeuer.formats.json_text import check_json
from dequeuer.formats.media_type import is_json
from dequeuer.handlers.async_api.request_store import RequestStore
from dequeuer.handlers.base import Response
from dequeuer.handlers.response_body import (
    MAX_SMALL_BYTES,
    TOTAL_BUFFER_BYTES,
    check_size,
    fill,
    json_chunks,
    store_large,
)


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

    async def write(
        self, response: Response, request: RequestStore, complete: Callable[[], None] = lambda: None
    ) -> bytes | None:
        """Check that the response is a result, and store its bytes unchanged.

        The bytes of a small one are returned; the caller stores them after it has left the response, because the
        container does not have to wait for that. None: the result is stored already.

        Args:
            response: of the container.
            request: where the result is stored.
            complete: is called when the response has arrived, before it is stored. Not for a small one: that is
                complete when this returns.

        Raises:
            InvalidResponseError: it is not a result; nothing is stored.
            ContainerUnavailableError, ContainerTimeoutError: it did not become complete; nothing is stored.
            StoreUnavailableError: a large one could not be stored. It is lost: the work has to be done again.
        """
        if not is_json(response.content_type):
            raise InvalidResponseError("the response's Content-Type is not application/json")
        if response.size is not None and response.size <= MAX_SMALL_BYTES:
            return await self._read_small(response, response.size)
        body = _telling(json_chunks(response, self._max_bytes), complete)
        head = bytearray()
        if response.size is None and await fill(head, body, MAX_SMALL_BYTES):
            return bytes(head)
        await store_large(head, body, response.size, self._buffers, request.put_result, request.put_large_result)
        return None

    async def _read_small(self, response: Response, size: int) -> bytes:
        check_size(size, self._max_bytes)
        body = b"".join([chunk async for chunk in response.chunks()])
        check_json(body)
        return body


async def _telling(body: AsyncIterator[bytes], complete: Callable[[], None]) -> AsyncIterator[bytes]:
    async for chunk in body:
        yield chunk
    complete()
