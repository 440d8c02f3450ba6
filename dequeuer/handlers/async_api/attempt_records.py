"""Records of attempts that are tried again, so that a client can see why its request takes so long."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Final

from dequeuer.core import clock
from dequeuer.core.errors import StoreDeniedError, StoreUnavailableError
from dequeuer.core.message import Fence, Message, Retry
from dequeuer.formats.attempt import MAX_RECORDS, Attempt, encode_attempt
from dequeuer.sinks.base import Sink
from dequeuer.sinks.layout import ApiKeys

RECORD_TIMEOUT_S: Final = 2.0
"""How long a release may wait for its record."""


class AttemptRecords:
    """Writes the records of one API.

    Args:
        store: where they are written.
        keys: of the API.
        worker: the name of this process.
    """

    def __init__(self, store: Sink, keys: ApiKeys, worker: str) -> None:
        self._store = store
        self._keys = keys
        self._worker = worker

    async def write(self, message: Message, request_id: str, retry: Retry, began_s: float, fence: Fence) -> None:
        """Record an attempt before its message is released. Best effort: the request does not depend on it.

        `began_s`: when the attempt began, seconds since the epoch. Raises `LeaseLostError`.
        """
        attempt = Attempt(
            began_s=began_s,
            ended_s=clock.wall(),
            worker=self._worker,
            code="unreachable" if retry.status_code is None else "container_status",
            reason=retry.reason,
            status_code=retry.status_code,
        )
        key = self._keys.attempt(request_id, min(message.receive_count, MAX_RECORDS))
        with suppress(StoreUnavailableError, StoreDeniedError, TimeoutError):
            async with asyncio.timeout(RECORD_TIMEOUT_S):
                await self._store.put(key, encode_attempt(attempt), "application/json", check=fence.check)
