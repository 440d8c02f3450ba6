"""The objects of one async request in the store: its input, its result and its statuses."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Literal, ParamSpec, TypeVar

from dequeuer.core.errors import InvalidInputError, StoreDeniedError, StoreMissingError, StoreUnavailableError
from dequeuer.core.message import Fence
from dequeuer.core.retry import retry_until_available
from dequeuer.formats.failure import RequestFailure, encode_failure
from dequeuer.formats.headers import forwarded_headers
from dequeuer.sinks.base import Deletions, Payload, Store
from dequeuer.sinks.layout import RequestKeys

P = ParamSpec("P")
T = TypeVar("T")

JSON_TYPE = "application/json"
MAX_HEADERS_BYTES = 256 * 1024
"""The largest `headers.json`."""
CLEANUP_TIMEOUT_S = 30.0
"""How long the deletion of the input may take after the acknowledgement, with its retries, seconds."""

PriorOutcome = Literal["completed", "failed", "result"]
"""What another delivery, earlier or at the same time, has written: a final status, or a result without one."""

_NOT_CREATED = "the store refused the result because one exists, but there is none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Submitted:
    """A request as it was submitted. `headers` None: there is no headers object."""

    payload: Payload
    headers: Sequence[tuple[str, str]] | None


class RequestStore:
    """Reads and writes one request. Waits while the store is unavailable; other errors are raised.

    After `response_received` it waits while the store refuses a call, too: the response exists only in this process,
    and without it the container would have to do the work again.

    The fence is checked before every write and every deletion that belongs to the outcome. For a write the store does
    it, directly before it sends a request.

    Args:
        store: where the objects are read and written.
        deletions: deletes input from the same store, after the acknowledgement.
        keys: of the request.
        fence: of the attempt.
        may_be_duplicate: the client may have sent several messages for this request.
    """

    def __init__(
        self,
        store: Store,
        deletions: Deletions,
        keys: RequestKeys,
        fence: Fence,
        *,
        may_be_duplicate: bool = False,
    ) -> None:
        self._store = store
        self._deletions = deletions
        self._keys = keys
        self._fence = fence
        self.request_id = keys.request_id
        self.may_be_duplicate = may_be_duplicate
        """Whether the request may have ended already, although its message was never received before."""
        self._retry_on: tuple[type[Exception], ...] = (StoreUnavailableError,)
        self.is_cancelled = False
        """Whether the last look at the prior outcome found that a client asked for the cancellation."""
        self.has_response = False
        """Whether the container has responded, so that another attempt would make it work again."""

    def response_received(self) -> None:
        """From now on also wait until a refusal of the store is over, instead of raising `StoreDeniedError`."""
        self.has_response = True
        self._retry_on = (StoreUnavailableError, StoreDeniedError)

    async def _call(self, call: Callable[P, Awaitable[T]], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Call the store until it is available, and after a response also until it does not refuse the call."""
        return await retry_until_available(self._retry_on, call, *args, **kwargs)

    async def read(self) -> Submitted:
        """Read payload and headers at the same time.

        Raises:
            StoreMissingError: there is no payload.
            InvalidInputError: the headers are malformed.
            StoreDeniedError: the store refuses to return them.
            StoreUnavailableError: the content of the headers did not arrive whole.
        """
        headers = asyncio.create_task(self._headers(), name="headers")
        try:
            payload = await self._call(self._store.get, self._keys.payload)
            try:
                return Submitted(payload=payload, headers=await headers)
            except BaseException:
                await payload.close()
                raise
        finally:
            if not headers.done():
                headers.cancel()
            elif not headers.cancelled():
                headers.exception()

    async def _headers(self) -> Sequence[tuple[str, str]] | None:
        try:
            found = await self._call(self._store.get, self._keys.headers)
        except StoreMissingError:
            return None
        content = await found.read(MAX_HEADERS_BYTES)
        if content is None:
            raise InvalidInputError(f"headers.json has {found.size} bytes; at most {MAX_HEADERS_BYTES} are allowed")
        return forwarded_headers(content)

    async def prior_outcome(self) -> PriorOutcome | None:
        """Look up what another delivery has written; None when there is nothing."""
        names = set(await self._call(self._store.list, self._keys.prefix))
        self.is_cancelled = self._keys.cancel in names
        if self._keys.completed in names:
            return "completed"
        if self._keys.failed in names:
            return "failed"
        return "result" if self._keys.result in names else None

    async def has_result(self) -> bool:
        """Tell whether there is a result, even if there is also `status/failed`."""
        return self._keys.result in await self._call(self._store.list, self._keys.prefix)

    async def mark_in_progress(self) -> None:
        """Write `status/in_progress`. One attempt: the status is only information for clients."""
        await self._store.put(self._keys.status("in_progress"), b"", "text/plain", check=self._fence.check)

    async def put_progress(self, content: bytes) -> None:
        """Write `progress.json`. One attempt: it is only information for clients."""
        await self._store.put(self._keys.progress, content, JSON_TYPE, check=self._fence.check)

    async def put_result(self, body: bytes) -> None:
        """Write a result that is in memory. An existing result is kept: a client may have read it."""
        await self._call(self._create_result, body)

    async def _create_result(self, body: bytes) -> None:
        is_written = await self._store.create(self._keys.result, body, JSON_TYPE, check=self._fence.check)
        # The store can also refuse because two deliveries write at the same time and neither has won: then try again.
        if not is_written and await self.prior_outcome() is None:
            raise StoreUnavailableError(_NOT_CREATED)

    async def put_large_result(self, body: AsyncIterator[bytes], size: int | None) -> None:
        """Write a result that is not completely in memory. One attempt: `body` can be read only once.

        An existing result is kept. `size`: bytes of the body; None when it is not known.

        Raises:
            StoreDeniedError: at once. The container cannot be made to wait for as long as a refusal lasts.
            StoreUnavailableError: in the upload, which is not repeated. The result is lost.
        """
        self._retry_on = (StoreUnavailableError,)
        # Look first: when the result exists, an upload of gigabytes would be wasted.
        if await self.prior_outcome() not in ("completed", "result"):
            self._fence.check()
            check = self._fence.check
            is_written = await self._store.put_stream(self._keys.result, body, JSON_TYPE, size=size, check=check)
            if not is_written and await self.prior_outcome() is None:
                raise StoreUnavailableError(_NOT_CREATED)
        self.response_received()

    async def mark_completed(self) -> None:
        """Write `status/completed`. The result must be durable already."""
        await self.put(self._keys.completed, b"", "text/plain")

    async def mark_failed(self, failure: RequestFailure, attempts: int) -> None:
        """Write `status/failed` with the reason. `attempts`: receives so far."""
        await self.put(self._keys.failed, encode_failure(failure, attempts), JSON_TYPE)

    async def delete_failed(self) -> None:
        """Delete `status/failed`: another delivery has written a result at the same time."""
        await self._call(self._delete_now, (self._keys.failed,))

    async def put(self, key: str, body: bytes, content_type: str) -> None:
        """Write one object of the request; wait while the store is unavailable."""
        await self._call(self._store.put, key, body, content_type, check=self._fence.check)

    async def _delete_now(self, keys: Collection[str]) -> None:
        # Not with `_deletions`, which wait for others: the lease can be lost meanwhile.
        self._fence.check()
        await self._store.delete(keys)

    async def delete_input(self) -> None:
        """After a success: delete payload and headers. Best effort: the lifecycle rule deletes what is left."""
        await self._delete_best_effort(self._keys.payload, self._keys.headers)

    async def delete_headers(self) -> None:
        """After a failure: delete the headers, which may hold credentials. The payload stays, for people to look at."""
        await self._delete_best_effort(self._keys.headers)

    async def _delete_best_effort(self, *keys: str) -> None:
        await delete_best_effort(self._deletions, keys)


async def delete_best_effort(deletions: Deletions, keys: Collection[str]) -> None:
    """After the acknowledgement: delete objects. The lifecycle rule of the bucket deletes what is left."""
    try:
        async with asyncio.timeout(CLEANUP_TIMEOUT_S):
            await retry_until_available((StoreUnavailableError, StoreDeniedError), deletions.delete, keys)
    except TimeoutError:
        # Failed calls are counted and logged by the store's events. The outcome does not depend on the deletion.
        return
