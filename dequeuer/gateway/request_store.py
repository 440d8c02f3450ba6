"""Reads and writes the objects of requests for the gateway, with limits of time because a client is waiting."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import ParamSpec, TypeVar

from dequeuer.core.errors import DequeuerError, StoreDeniedError, StoreMissingError, StoreUnavailableError
from dequeuer.formats.failure import MAX_FAILURE_BYTES, decode_failure
from dequeuer.gateway.errors import BusyError
from dequeuer.gateway.retry import retry_briefly
from dequeuer.sinks.base import Fetch, Payload, Sink
from dequeuer.sinks.layout import RequestKeys

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


class RequestStore:
    """The objects of requests. Calls without a stream are retried for a few seconds.

    All methods but `delete_input` raise `BusyError` when the store cannot be used.
    """

    def __init__(self, sink: Sink, fetch: Fetch) -> None:
        self._sink = sink
        self._fetch = fetch
        self._stream_slots = asyncio.Semaphore(MAX_STREAMED_UPLOADS)

    async def put(self, key: str, body: bytes, content_type: str) -> None:
        """Write an object whose content is in memory."""
        await _call(self._sink.put, key, body, content_type)

    async def put_stream(self, key: str, body: AsyncIterator[bytes], content_type: str) -> None:
        """Write an object of unknown size. Errors that `body` raises are passed on."""
        try:
            async with asyncio.timeout(STREAM_SLOT_TIMEOUT_S):
                await self._stream_slots.acquire()
        except TimeoutError:
            message = f"{MAX_STREAMED_UPLOADS} large payloads are being stored already: try again"
            raise BusyError(message) from None
        try:
            await self._sink.put_stream(key, body, content_type)
        except (StoreUnavailableError, StoreDeniedError) as error:
            raise store_busy_error(error) from error
        finally:
            self._stream_slots.release()

    async def delete_input(self, keys: RequestKeys) -> None:
        """Delete what a submission writes. Errors are ignored: the objects that remain expire."""
        with contextlib.suppress(DequeuerError, TimeoutError):
            async with asyncio.timeout(DELETE_TIMEOUT_S):
                await self._sink.delete([keys.status("in_queue"), keys.headers, keys.payload])

    async def find_status(self, keys: RequestKeys) -> str | None:
        """Return the status of a request; None when the request is unknown."""
        prefix = keys.status("")
        found = {key.removeprefix(prefix) for key in await _call(self._fetch.list, prefix)}
        return next((status for status in _PRECEDENCE if status in found), None)

    async def open_result(self, keys: RequestKeys) -> Payload | None:
        """Open the result; None when it no longer exists or is empty (empty text is not JSON)."""
        try:
            found = await _call(self._fetch.get, keys.result)
        except StoreMissingError:
            return None
        return found if found.size else None

    async def read_failure(self, keys: RequestKeys) -> str | None:
        """Return why a request failed; None when no reason is stored (status objects of Cortex are empty)."""
        try:
            return decode_failure(await _call(self._read_small, keys.failed)).error
        except StoreMissingError:
            return None

    async def _read_small(self, key: str) -> bytes:
        found = await self._fetch.get(key)
        return b"".join([chunk async for chunk in found.chunks]) if found.size <= MAX_FAILURE_BYTES else b""


async def _call(call: Callable[P, Awaitable[T]], /, *args: P.args, **kwargs: P.kwargs) -> T:
    try:
        async with asyncio.timeout(CALL_TIMEOUT_S):
            return await retry_briefly(StoreUnavailableError, call, *args, **kwargs)
    except (StoreUnavailableError, StoreDeniedError, TimeoutError) as error:
        raise store_busy_error(error) from error


def store_busy_error(error: Exception) -> BusyError:
    """Return the error for the client when the store fails. Hazard: the cause may only be logged, never sent."""
    if isinstance(error, StoreDeniedError):
        return BusyError("the store refuses the gateway: its bucket or permissions are wrong")
    return BusyError("the store is not available: try again")
