"""The objects below `failures/`: one for each batch with items that failed for good.

The controller looks for them when it ends the job.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final

from dequeuer.core.errors import StoreDeniedError, StoreUnavailableError
from dequeuer.core.message import Fence
from dequeuer.core.retry import retry_until_available
from dequeuer.sinks.base import Store

_UNAVAILABLE: Final = (StoreUnavailableError, StoreDeniedError)


class FailureRecords:
    """Creates the records, one for each batch, once.

    Args:
        store: of the job.
        prefix: of the keys.
    """

    def __init__(self, store: Store, prefix: str) -> None:
        self._store = store
        self._prefix = prefix

    async def create(  # noqa: PLR0913 - one parameter for each field
        self,
        name: str,
        *,
        index: int | None,
        retry_number: int,
        items: int,
        error: Mapping[str, object],
        fence: Fence,
    ) -> bool:
        """Create a record. Return True when this call did, False when it exists already.

        Waits while the store is unavailable or refuses, until the lease is lost. When a response was lost, it returns
        False although this call created the record.

        Args:
            name: of the objects of the batch, or of its message.
            index: of the batch in the job; None when its message names none.
            retry_number: how often its items were tried before, as a batch of their own; stored as `part`.
            items: how many of them failed.
            error: `code`, `message` and `attempts`.
            fence: of the delivery.
        """
        fields = {"batch_index": index, "part": retry_number, "items": items, "error": error}
        text = json.dumps(fields, separators=(",", ":")).encode()
        key = f"{self._prefix}{name}.json"
        return await retry_until_available(_UNAVAILABLE, self._create_once, key, text, fence)

    async def _create_once(self, key: str, text: bytes, fence: Fence) -> bool:
        # The store can also refuse because two deliveries write at the same time and neither has won. A look for the
        # object would need a permission to list the bucket of the job, so it is written again.
        for _ in range(2):
            if await self._store.create(key, text, "application/json", check=fence.check):
                return True
        return False
