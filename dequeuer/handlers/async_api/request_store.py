"""The objects of one async request: what is known of it, and writing what became of it in a safe order."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Sequence
from dataclasses import dataclass
from typing import Literal

from dequeuer.core.errors import InvalidInputError, StoreDeniedError, StoreMissingError, StoreUnavailableError
from dequeuer.core.message import Fence
from dequeuer.core.retry import retry_until_available
from dequeuer.formats.headers import forwardable, parse_headers
from dequeuer.handlers.async_api.failure import failure_body
from dequeuer.sinks.base import Payload, Store
from dequeuer.sinks.layout import RequestKeys

JSON_TYPE = "application/json"
HEADERS_LIMIT_BYTES = 256 * 1024
CLEANUP_TIMEOUT_S = 30.0

Known = Literal["completed", "failed", "result"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Submitted:
    """A request as it was submitted. `headers` None: there is no headers object."""

    payload: Payload
    headers: Sequence[tuple[str, str]] | None


class RequestStore:
    """Reads and writes one request. Waits for a store that is away; other errors are the caller's.

    After `keep` it waits for a store that refuses, too: what the container has answered exists only here.

    Every write and deletion asks the fence first.
    """

    def __init__(self, store: Store, keys: RequestKeys, fence: Fence, *, may_repeat: bool = False) -> None:
        self._store = store
        self._keys = keys
        self._fence = fence
        self._may_repeat = may_repeat
        self._waits_for: tuple[type[Exception], ...] = (StoreUnavailableError,)
        self.has_response = False
        """Whether the container has answered, so that another attempt would have it work again."""

    @property
    def request_id(self) -> str:
        """The id of the request."""
        return self._keys.request_id

    @property
    def may_be_duplicate(self) -> bool:
        """Whether the request may have ended before, although its message was never received."""
        return self._may_repeat

    def keep(self) -> None:
        """Wait from now on until a refusal is over, too: the container has answered and is not to be called again."""
        self.has_response = True
        self._waits_for = (StoreUnavailableError, StoreDeniedError)

    def raise_denied(self) -> None:
        """Do not wait for the end of a refusal: the answer cannot be kept."""
        self._waits_for = (StoreUnavailableError,)

    async def read(self) -> Submitted:
        """Read payload and headers side by side.

        Raises:
            StoreMissingError: there is no payload.
            InvalidInputError: the headers are malformed.
            StoreDeniedError: access is denied.
        """
        headers = asyncio.create_task(self._headers(), name="headers")
        try:
            payload = await retry_until_available(StoreUnavailableError, self._store.get, self._keys.payload)
            return Submitted(payload=payload, headers=await headers)
        finally:
            if not headers.done():
                headers.cancel()
            elif not headers.cancelled():
                headers.exception()

    async def _headers(self) -> Sequence[tuple[str, str]] | None:
        try:
            raw = await retry_until_available(StoreUnavailableError, self._read_small, self._keys.headers)
        except StoreMissingError:
            return None
        return forwardable(parse_headers(raw))

    async def _read_small(self, key: str) -> bytes:
        found = await self._store.get(key)
        if found.size > HEADERS_LIMIT_BYTES:
            raise InvalidInputError(f"headers.json has {found.size} bytes; {HEADERS_LIMIT_BYTES} are allowed")
        return b"".join([chunk async for chunk in found.chunks])

    async def known(self) -> Known | None:
        """Look up what became of the request before, if anything did."""
        names = set(await retry_until_available(self._waits_for, self._store.list, self._keys.prefix))
        if self._keys.status("completed") in names:
            return "completed"
        if self._keys.status("failed") in names:
            return "failed"
        return "result" if self._keys.result in names else None

    async def has_result(self) -> bool:
        """Tell whether the request has succeeded, even if it was also marked as failed."""
        return self._keys.result in await retry_until_available(self._waits_for, self._store.list, self._keys.prefix)

    async def mark_in_progress(self) -> None:
        """Write `status/in_progress`; one attempt, as it only informs."""
        self._fence.check()
        await self._store.put(self._keys.status("in_progress"), b"", "text/plain")

    async def put_result(self, body: bytes) -> None:
        """Write the result, whole. An existing one is kept: a client may have read it."""
        await retry_until_available(self._waits_for, self._create_result, body)

    async def _create_result(self, body: bytes) -> None:
        self._fence.check()
        is_written = await self._store.create(self._keys.result, body, JSON_TYPE, check=self._fence.check)
        # A refusal can also mean that two writers met and neither has won yet: then it is tried again.
        if not is_written and await self.known() is None:
            raise StoreUnavailableError("the result was refused, yet there is none")

    async def put_large_result(self, body: AsyncIterator[bytes], size: int | None) -> None:
        """Write a result that is not in memory whole. One attempt: `body` can be read only once.

        An existing one is kept. `size`: bytes of the body, None when not known.

        Raises:
            StoreDeniedError: at once, as the container cannot be held back for as long as a refusal lasts.
        """
        self.raise_denied()
        # Looked up first: an upload of gigabytes would be wasted when the result exists.
        if await self.known() not in ("completed", "result"):
            self._fence.check()
            check = self._fence.check
            is_written = await self._store.put_stream(self._keys.result, body, JSON_TYPE, size=size, check=check)
            if not is_written and await self.known() is None:
                raise StoreUnavailableError("the result was refused, yet there is none")
        self.keep()

    async def mark_completed(self) -> None:
        """Write `status/completed`. The result must be durable already."""
        await self.put(self._keys.status("completed"), b"", "text/plain")

    async def mark_failed(self, error: str, status_code: int | None, attempts: int) -> None:
        """Write `status/failed` with what is known of the failure."""
        await self.put(self._keys.status("failed"), failure_body(error, status_code, attempts), JSON_TYPE)

    async def delete_failed(self) -> None:
        """Delete `status/failed`: the request has succeeded at the same moment."""
        await retry_until_available(self._waits_for, self._delete, (self._keys.status("failed"),))

    async def put(self, key: str, body: bytes, content_type: str) -> None:
        """Write one of its objects, waiting for a store that is away."""
        await retry_until_available(self._waits_for, self._put, key, body, content_type)

    async def _put(self, key: str, body: bytes, content_type: str) -> None:
        self._fence.check()
        await self._store.put(key, body, content_type)

    async def _delete(self, keys: Collection[str]) -> None:
        self._fence.check()
        await self._store.delete(keys)

    async def delete_input(self) -> None:
        """After a success: delete payload and headers. Best effort: the lifecycle rule does it in the end."""
        await self._drop(self._keys.payload, self._keys.headers)

    async def delete_headers(self) -> None:
        """After a failure: delete the headers, which may hold credentials; the payload is kept to look at."""
        await self._drop(self._keys.headers)

    async def _drop(self, *keys: str) -> None:
        try:
            async with asyncio.timeout(CLEANUP_TIMEOUT_S):
                await retry_until_available((StoreUnavailableError, StoreDeniedError), self._store.delete, keys)
        except TimeoutError:
            # Counted and logged where the store is called; the outcome stands without it.
            return
