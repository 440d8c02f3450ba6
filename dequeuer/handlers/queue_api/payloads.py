"""Reads the bodies that pointers name, from the allowed buckets alone.

The sidecar has permissions that the sender of a message may not have. Without the list of buckets, anybody who may send
to the queue could make it read any object for the container.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from dequeuer.core.errors import InvalidInputError, StoreDeniedError, StoreUnavailableError
from dequeuer.core.retry import retry_until_available
from dequeuer.handlers.queue_api.pointer import Pointer
from dequeuer.sinks.base import Payload, Store

CLEANUP_TIMEOUT_S = 30.0
"""How long the deletion of a payload may take after the acknowledgement, with its retries, seconds."""


class Payloads:
    """Reads and deletes payloads.

    Args:
        stores: by the name of the bucket.
        deletes: whether the payload of a message is deleted after the message.
    """

    def __init__(self, stores: Mapping[str, Store], *, deletes: bool) -> None:
        self._stores = stores
        self.deletes = deletes

    def check(self, pointer: Pointer) -> None:
        """Raise `InvalidInputError` for a bucket that is not allowed."""
        if pointer.bucket not in self._stores:
            raise InvalidInputError("the message points to a bucket that DEQUEUER_QUEUE_PAYLOAD_BUCKETS does not allow")

    async def open(self, pointer: Pointer) -> Payload:
        """Open a payload. Waits while the store is unavailable.

        Raises:
            InvalidInputError: its bucket is not allowed.
            StoreMissingError, StoreDeniedError.
        """
        self.check(pointer)
        return await retry_until_available(StoreUnavailableError, self._stores[pointer.bucket].get, pointer.key)

    async def delete(self, pointer: Pointer) -> None:
        """After the acknowledgement: delete a payload. What cannot be deleted stays."""
        store = self._stores[pointer.bucket]
        try:
            async with asyncio.timeout(CLEANUP_TIMEOUT_S):
                await retry_until_available(StoreUnavailableError, store.delete, (pointer.key,))
        except (TimeoutError, StoreDeniedError):
            # The store has reported its failed calls. The outcome does not depend on the deletion.
            return
