"""The objects of requests, as the gateway reads and writes them while a client waits."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import ParamSpec, TypeVar

from dequeuer.core.errors import DequeuerError, StoreDeniedError, StoreMissingError, StoreUnavailableError
from dequeuer.gateway.errors import BusyError
from dequeuer.gateway.retry import retry_briefly
from dequeuer.sinks.base import Fetch, Payload, Sink
from dequeuer.sinks.layout import RequestKeys

P = ParamSpec("P")
T = TypeVar("T")

BIG_UPLOADS = 16
"""Payloads of unknown size that are stored at a time: each holds about 10 MiB. The others wait, unread."""
SLOT_TIMEOUT_S = 30.0
CALL_TIMEOUT_S = 20.0
"""For a call that bears no stream, its retries included."""
DELETE_TIMEOUT_S = 5.0
ERROR_BYTES = 16 * 1024

# As in Cortex, the end of a request counts, whatever else is there.
_PRECEDENCE = ("completed", "failed", "in_progress", "in_queue")


class Shelf:
    """Keeps the objects. Short calls bridge hiccups; all raise `BusyError` when the store cannot be used."""

    def __init__(self, sink: Sink, fetch: Fetch) -> None:
        self._sink = sink
        self._fetch = fetch
        self._big = asyncio.Semaphore(BIG_UPLOADS)

    async def put(self, key: str, body: bytes, content_type: str) -> None:
        """Write an object whole."""
        await _in_time(self._sink.put, key, body, content_type)

    async def put_stream(self, key: str, body: AsyncIterator[bytes], content_type: str) -> None:
        """Write an object of unknown size. What `body` raises comes through."""
        try:
            async with asyncio.timeout(SLOT_TIMEOUT_S):
                await self._big.acquire()
        except TimeoutError:
            message = f"{BIG_UPLOADS} big payloads are being stored already: try again"
            raise BusyError(message) from None
        try:
            await self._sink.put_stream(key, body, content_type)
        except (StoreUnavailableError, StoreDeniedError) as error:
            raise busy(error) from error
        finally:
            self._big.release()

    async def clear(self, keys: RequestKeys) -> None:
        """Delete what a submission writes, if that works; what remains expires by itself."""
        with contextlib.suppress(DequeuerError, TimeoutError):
            async with asyncio.timeout(DELETE_TIMEOUT_S):
                await self._sink.delete([keys.status("in_queue"), keys.headers, keys.payload])

    async def status(self, keys: RequestKeys) -> str | None:
        """Return the status of a request; None when it is not known."""
        prefix = keys.status("")
        found = {key.removeprefix(prefix) for key in await _in_time(self._fetch.list, prefix)}
        return next((status for status in _PRECEDENCE if status in found), None)

    async def result(self, keys: RequestKeys) -> Payload | None:
        """Open the result; None when it is gone, or empty (which is no JSON)."""
        try:
            found = await _in_time(self._fetch.get, keys.result)
        except StoreMissingError:
            return None
        return found if found.size else None

    async def failure(self, keys: RequestKeys) -> str | None:
        """Return why a request failed; None when nobody wrote it down (status objects of Cortex are empty)."""
        try:
            document = json.loads(await _in_time(self._read_small, keys.status("failed")))
        except (StoreMissingError, ValueError, RecursionError):
            return None
        error = document.get("error") if isinstance(document, dict) else None
        return error if isinstance(error, str) else None

    async def _read_small(self, key: str) -> bytes:
        found = await self._fetch.get(key)
        return b"".join([chunk async for chunk in found.chunks]) if found.size <= ERROR_BYTES else b""


async def _in_time(call: Callable[P, Awaitable[T]], /, *args: P.args, **kwargs: P.kwargs) -> T:
    try:
        async with asyncio.timeout(CALL_TIMEOUT_S):
            return await retry_briefly(StoreUnavailableError, call, *args, **kwargs)
    except (StoreUnavailableError, StoreDeniedError, TimeoutError) as error:
        raise busy(error) from error


def busy(error: Exception) -> BusyError:
    """Return what a client is told of a store that fails; the cause is for the log."""
    if isinstance(error, StoreDeniedError):
        return BusyError("the store refuses the gateway: its bucket or permissions are wrong")
    return BusyError("the store is not available: try again")
