"""Objects that say of which batches items failed for good: whoever ends the job sees that something failed."""

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
        part: int,
        items: int,
        error: Mapping[str, object],
        fence: Fence,
    ) -> bool:
        """Create a record, and return whether it was not there. Waits while the store cannot be used, in the lease.

        Args:
            name: of the objects of the batch, or of its message.
            index: of the batch in the job; None when its message names none.
            part: how often its items were tried before, as a batch of their own.
            items: how many of them failed.
            error: `code`, `message` and `attempts`.
            fence: of the delivery.
        """
        fields = {"batch_index": index, "part": part, "items": items, "error": error}
        text = json.dumps(fields, separators=(",", ":")).encode()
        key = f"{self._prefix}{name}.json"
        create = self._store.create
        return await retry_until_available(_UNAVAILABLE, create, key, text, "application/json", check=fence.check)
