"""Stores responses as `<prefix><message id>`, in bounded memory. A result that exists is never replaced."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

from dequeuer.concurrency.byte_budget import ByteBudget
from dequeuer.core.errors import InvalidInputError, StoreDeniedError, StoreUnavailableError
from dequeuer.core.message import Fence, Message
from dequeuer.core.retry import retry_until_available
from dequeuer.handlers.base import Response
from dequeuer.handlers.response_body import (
    MAX_SMALL_BYTES,
    TOTAL_BUFFER_BYTES,
    check_size,
    fill,
    store_large,
)
from dequeuer.sinks.base import Store

UNTYPED = "application/octet-stream"
"""The type of a result whose response has none."""
MAX_TYPE_CHARS = 256

# The id becomes a part of a key. Those of SQS are UUIDs; other servers have other ids.
_MESSAGE_ID = re.compile("[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_NOT_CREATED = "the store refused the result because one exists, but there is none"


class QueueResults:
    """Results below one prefix of a bucket. One object for all messages: it limits the memory that they take together.

    Args:
        store: of the bucket.
        prefix: the keys begin with it, as it is.
        max_bytes: a larger (decoded) response is invalid.
    """

    def __init__(self, store: Store, prefix: str, max_bytes: int) -> None:
        self._store = store
        self._prefix = prefix
        self._max_bytes = max_bytes
        self._buffers = ByteBudget(TOTAL_BUFFER_BYTES)

    def of(self, message: Message, fence: Fence) -> QueueResult:
        """Return the result of a message. Raises `InvalidInputError` when its id cannot be part of a key."""
        if _MESSAGE_ID.fullmatch(message.id) is None:
            raise InvalidInputError("the id of the message cannot be part of the key of its result")
        return QueueResult(self._store, f"{self._prefix}{message.id}", fence, self._buffers, self._max_bytes)


class QueueResult:
    """The result of one message."""

    def __init__(self, store: Store, key: str, fence: Fence, buffers: ByteBudget, max_bytes: int) -> None:
        self._store = store
        self._key = key
        self._fence = fence
        self._buffers = buffers
        self._max_bytes = max_bytes
        self._type = UNTYPED
        self._small: bytes | None = None

    async def exists(self) -> bool:
        """Tell whether an earlier delivery has stored it. Raises `StoreDeniedError`."""
        return self._key in await retry_until_available(StoreUnavailableError, self._store.list, self._key)

    async def read(self, response: Response) -> None:
        """Read a response. A large one is stored already when this returns; the others are stored by `finish`.

        Raises:
            InvalidResponseError: it is too large, or cannot be decoded. Nothing is stored.
            ContainerUnavailableError, ContainerTimeoutError: it did not become complete. Nothing is stored.
            StoreUnavailableError, StoreDeniedError: a large one could not be stored. It is lost.
        """
        self._type = (response.content_type or UNTYPED)[:MAX_TYPE_CHARS]
        body, head = self._limited(response), bytearray()
        if await fill(head, body, MAX_SMALL_BYTES):
            self._small = bytes(head)
            return
        await store_large(head, body, response.size, self._buffers, self._put, self._put_stream)

    async def finish(self) -> None:
        """Store what `read` has kept. Waits while the store is unavailable or refuses it, as the lease allows."""
        if self._small is not None:
            await self._put(self._small)

    async def _limited(self, response: Response) -> AsyncIterator[bytes]:
        check_size(response.size or 0, self._max_bytes)
        size = 0
        async for chunk in response.chunks():
            size += len(chunk)
            check_size(size, self._max_bytes)
            yield chunk

    async def _put(self, body: bytes) -> None:
        await retry_until_available((StoreUnavailableError, StoreDeniedError), self._create, body)

    async def _create(self, body: bytes) -> None:
        is_written = await self._store.create(self._key, body, self._type, check=self._fence.check)
        # The store can also refuse because two deliveries write at the same time and neither has won: then try again.
        if not is_written and self._key not in await self._store.list(self._key):
            raise StoreUnavailableError(_NOT_CREATED)

    async def _put_stream(self, body: AsyncIterator[bytes], size: int | None) -> None:
        is_written = await self._store.put_stream(self._key, body, self._type, size=size, check=self._fence.check)
        if not is_written and not await self.exists():
            raise StoreUnavailableError(_NOT_CREATED)
