"""A request whose payload and headers are in its message."""

from __future__ import annotations

from collections.abc import AsyncIterator

from dequeuer.core.message import Fence
from dequeuer.formats.envelope import Envelope
from dequeuer.formats.failure import RequestFailure
from dequeuer.formats.headers import forwarded_headers
from dequeuer.handlers.async_api.request_store import RequestStore, Submitted
from dequeuer.sinks.base import Deletions, Payload, Store
from dequeuer.sinks.layout import RequestKeys

DEFAULT_CONTENT_TYPE = "application/octet-stream"


class InlineRequest(RequestStore):
    """`RequestStore` whose input is not in the store. Only a failure stores the payload, for people to look at."""

    def __init__(  # noqa: PLR0913 - as `RequestStore`
        self,
        store: Store,
        deletions: Deletions,
        keys: RequestKeys,
        fence: Fence,
        envelope: Envelope,
        *,
        may_be_duplicate: bool,
    ) -> None:
        # Elsewhere missing headers or a missing payload show that the request may have ended already. An inline message
        # always has both, so only a mark says that it may be a duplicate.
        super().__init__(store, deletions, keys, fence, may_be_duplicate=may_be_duplicate)
        self._envelope = envelope

    async def read(self) -> Submitted:
        """Return what the message holds. Raises `InvalidInputError` when the headers are malformed."""
        envelope = self._envelope
        payload = Payload(
            size=len(envelope.payload),
            content_type=envelope.content_type,
            chunks=_once(envelope.payload),
            modified_at=0.0,
        )
        return Submitted(payload=payload, headers=forwarded_headers(envelope.headers))

    async def mark_failed(self, failure: RequestFailure, attempts: int) -> None:
        """Store the payload, then write `status/failed`: the payload is lost when the message is deleted."""
        content_type = self._envelope.content_type or DEFAULT_CONTENT_TYPE
        await self.put(self._keys.payload, self._envelope.payload, content_type)
        await super().mark_failed(failure, attempts)

    async def delete_failed(self) -> None:
        """Delete what `mark_failed` has written."""
        await super().delete_failed()
        await self._delete_best_effort(self._keys.payload)

    async def delete_input(self) -> None:
        """Do nothing: the input is not in the store."""

    async def delete_headers(self) -> None:
        """Do nothing: the headers are not in the store."""


async def _once(body: bytes) -> AsyncIterator[bytes]:
    if body:
        yield body
