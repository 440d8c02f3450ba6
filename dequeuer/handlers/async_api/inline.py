"""A request that came whole in its message."""

from __future__ import annotations

from collections.abc import AsyncIterator

from dequeuer.core.message import Fence
from dequeuer.formats.envelope import Envelope
from dequeuer.formats.headers import forwardable, parse_headers
from dequeuer.handlers.async_api.request_store import RequestStore, Submitted
from dequeuer.sinks.base import Payload, Store
from dequeuer.sinks.layout import RequestKeys

UNTYPED = "application/octet-stream"


class InlineRequest(RequestStore):
    """The same, with an input that is in no store. Only a failure puts the payload there, to look at."""

    def __init__(self, store: Store, keys: RequestKeys, fence: Fence, envelope: Envelope) -> None:
        # A repeated message brings its input along: that it is missing cannot tell that the work is done.
        super().__init__(store, keys, fence, may_repeat=envelope.may_repeat)
        self._envelope = envelope

    async def read(self) -> Submitted:
        """Return what the message held. Raises `InvalidInputError` when the headers are malformed."""
        envelope = self._envelope
        payload = Payload(
            size=len(envelope.payload),
            content_type=envelope.content_type,
            chunks=_once(envelope.payload),
            modified_at=0.0,
        )
        return Submitted(payload=payload, headers=forwardable(parse_headers(envelope.headers)))

    async def mark_failed(self, error: str, status_code: int | None, attempts: int) -> None:
        """Keep the payload, then write `status/failed`: once the message is deleted it would be gone."""
        await self.put(self._keys.payload, self._envelope.payload, self._envelope.content_type or UNTYPED)
        await super().mark_failed(error, status_code, attempts)

    async def delete_failed(self) -> None:
        """Delete what `mark_failed` wrote."""
        await super().delete_failed()
        await self._drop(self._keys.payload)

    async def delete_input(self) -> None:
        """There is none."""

    async def delete_headers(self) -> None:
        """There are none."""


async def _once(body: bytes) -> AsyncIterator[bytes]:
    if body:
        yield body
