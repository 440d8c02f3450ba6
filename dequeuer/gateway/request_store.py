"""Reads and writes the objects of requests for the gateway, with limits of time because a client is waiting."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import ParamSpec, Protocol, TypeVar

from dequeuer.concurrency.turns import turn
from dequeuer.core.errors import DequeuerError, StoreDeniedError, StoreMissingError, StoreUnavailableError
from dequeuer.formats.attempt import MAX_ATTEMPT_BYTES, MAX_RECORDS, decode_attempt
from dequeuer.formats.failure import MAX_FAILURE_BYTES, StoredFailure, decode_failure
from dequeuer.formats.progress import MAX_PROGRESS_BYTES, decode_progress
from dequeuer.gateway.errors import BusyError, StoreRefusesError
from dequeuer.gateway.model import FoundRequest
from dequeuer.gateway.retry import retry_briefly
from dequeuer.sinks.base import Fetch, ListedObject, ListedPage, Listing, Payload, Sink
from dequeuer.sinks.layout import ApiKeys, RequestKeys

P = ParamSpec("P")
T = TypeVar("T")

MAX_STREAMED_UPLOADS = 16
"""Payloads of unknown size that are stored at the same time. Each holds about 10 MiB; further ones wait, unread."""
STREAM_SLOT_TIMEOUT_S = 30.0
CALL_TIMEOUT_S = 20.0
"""For a call without a stream, its retries included."""
DELETE_TIMEOUT_S = 5.0

# As in Cortex: the final status of a request counts, even if earlier ones are also stored.
_PRECEDENCE = ("completed", "failed", "in_progress", "in_queue")


class Reads(Fetch, Listing, Protocol):
    """What is read."""


class RequestStore:
    """The objects of requests. Calls without a stream are retried for a few seconds.

    All methods but `delete`, which is for what expires anyway, raise `BusyError` when the store cannot be used.
    """

    def __init__(self, sink: Sink, reads: Reads) -> None:
        self._sink = sink
        self._reads = reads
        self._stream_slots = asyncio.Semaphore(MAX_STREAMED_UPLOADS)

    async def put(self, key: str, body: bytes, content_type: str) -> None:
        """Write an object whose content is in memory."""
        await _call(self._sink.put, key, body, content_type)

    async def create(self, key: str, body: bytes, content_type: str) -> bool:
        """Write an object unless the key exists; return whether it was written."""
        return await _call(self._sink.create, key, body, content_type)

    async def list(self, prefix: str) -> Sequence[str]:
        """Return the first keys below `prefix`, up to 1,000, in their order."""
        return [listed.key for listed in (await self.list_page(prefix)).objects]

    async def list_page(self, prefix: str, *, after: str = "", token: str = "") -> ListedPage:
        """Return a page of the objects below `prefix`; see `Listing`."""
        return await _call(self._reads.list_page, prefix, after=after, token=token)

    async def open(self, key: str) -> Payload:
        """Open an object. Raises `StoreMissingError`."""
        return await _call(self._reads.get, key)

    async def chunks(self, payload: Payload) -> AsyncIterator[bytes]:
        """Yield the content of an object."""
        try:
            while True:
                async with asyncio.timeout(CALL_TIMEOUT_S):
                    chunk = await anext(payload.chunks, b"")
                if not chunk:
                    return
                yield chunk
        except (StoreUnavailableError, StoreDeniedError, TimeoutError) as error:
            raise store_busy_error(error) from error

    async def read_small(self, key: str, max_bytes: int) -> bytes:
        """Return the content of an object; b"" when it is missing, or larger than `max_bytes`."""
        return await _call(self._read_small, key, max_bytes)

    async def put_stream(self, key: str, body: AsyncIterator[bytes], content_type: str) -> bool:
        """Write an object of unknown size unless the key exists; return whether it was written.

        Errors that `body` raises are passed on.
        """
        busy = BusyError(f"{MAX_STREAMED_UPLOADS} large payloads are being stored already: try again")
        async with turn(self._stream_slots, STREAM_SLOT_TIMEOUT_S, busy):
            try:
                return await self._sink.put_stream(key, body, content_type)
            except (StoreUnavailableError, StoreDeniedError) as error:
                raise store_busy_error(error) from error

    async def delete(self, *keys: str) -> None:
        """Delete objects. Errors are ignored: those that remain expire."""
        with contextlib.suppress(DequeuerError, TimeoutError):
            async with asyncio.timeout(DELETE_TIMEOUT_S):
                await self._sink.delete(keys)

    async def remove(self, key: str) -> None:
        """Delete an object. When this returns, it is gone."""
        await _call(self._sink.delete, (key,))

    async def find(self, keys: RequestKeys) -> FoundRequest | None:
        """Return what there is of a request; None when it is unknown."""
        page = await self.list_page(keys.prefix)
        return found_request({listed.key.removeprefix(keys.prefix): listed for listed in page.objects})

    async def open_result(self, keys: RequestKeys) -> Payload | None:
        """Open the result; None when it no longer exists or is empty (empty text is not JSON)."""
        try:
            found = await _call(self._reads.get, keys.result)
        except StoreMissingError:
            return None
        return found if found.size else None

    async def read_failure(self, keys: RequestKeys) -> StoredFailure:
        """Return why a request failed; status objects of Cortex are empty, and say nothing."""
        return decode_failure(await _call(self._read_small, keys.failed, MAX_FAILURE_BYTES))

    async def read_progress(self, keys: RequestKeys) -> Mapping[str, object]:
        """Return how far the container says it is."""
        return decode_progress(await _call(self._read_small, keys.progress, MAX_PROGRESS_BYTES))

    async def read_attempts(self, api: ApiKeys, request_id: str) -> Sequence[Mapping[str, object]]:
        """Return the attempts that were tried again, oldest first; none when the store cannot be asked.

        They are not worth an error: the status is known.
        """
        try:
            page = await _call(self._reads.list_page, api.attempts(request_id))
            keys = sorted(listed.key for listed in page.objects)[:MAX_RECORDS]
            contents = [await _call(self._read_small, key, MAX_ATTEMPT_BYTES) for key in keys]
        except BusyError:
            return ()
        return [decode_attempt(content) for content in contents]

    async def _read_small(self, key: str, limit: int) -> bytes:
        """Return an object; b"" when it is missing, or larger than `limit`."""
        try:
            found = await self._reads.get(key)
        except StoreMissingError:
            return b""
        return await found.read(limit) or b""


def found_request(objects: Mapping[str, ListedObject]) -> FoundRequest | None:
    """Return a request with these objects, by their names below it; None when it was never submitted whole."""
    status = next((status for status in _PRECEDENCE if f"status/{status}" in objects), None)
    if status is None:
        return None
    result = objects.get("result.json")
    return FoundRequest(
        status=status,
        times={name: listed.modified_at for name, listed in objects.items()},
        result_bytes=None if result is None else result.size,
    )


async def _call(call: Callable[P, Awaitable[T]], /, *args: P.args, **kwargs: P.kwargs) -> T:
    try:
        async with asyncio.timeout(CALL_TIMEOUT_S):
            return await retry_briefly(StoreUnavailableError, call, *args, **kwargs)
    except (StoreUnavailableError, StoreDeniedError, TimeoutError) as error:
        raise store_busy_error(error) from error


def store_busy_error(error: Exception) -> BusyError:
    """Return the error for the client when the store fails. Hazard: the cause may only be logged, never sent."""
    if isinstance(error, StoreDeniedError):
        return StoreRefusesError("the store refuses the gateway: its bucket or permissions are wrong")
    return BusyError("the store is not available: try again")
