"""Deletions of many requests, gathered into one call of the store."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Sequence

from dequeuer.sinks.base import Check, Payload, Store, unchecked

LINGER_S = 0.2
"""How long a deletion waits for others: nobody waits for it."""
KEYS_LIMIT = 500
"""Keys in one call; S3 takes 1,000."""


class DeletionBatchingStore:
    """`Store`. Deletions wait for each other; everything else is passed on at once."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._keys: list[str] = []
        self._callers: list[asyncio.Future[None]] = []
        self._timer: asyncio.TimerHandle | None = None
        self._sending: set[asyncio.Task[None]] = set()

    async def get(self, key: str) -> Payload:
        """Open an object."""
        return await self._store.get(key)

    async def list(self, prefix: str) -> Sequence[str]:
        """Return the keys below `prefix`."""
        return await self._store.list(prefix)

    async def put(self, key: str, body: bytes, content_type: str) -> None:
        """Write an object whole."""
        await self._store.put(key, body, content_type)

    async def create(self, key: str, body: bytes, content_type: str, *, check: Check = unchecked) -> bool:
        """Write an object unless there is one already."""
        return await self._store.create(key, body, content_type, check=check)

    async def put_stream(
        self,
        key: str,
        body: AsyncIterator[bytes],
        content_type: str,
        *,
        size: int | None = None,
        check: Check = unchecked,
    ) -> bool:
        """Write an object in bounded memory unless there is one already."""
        return await self._store.put_stream(key, body, content_type, size=size, check=check)

    async def check_write(self, key: str) -> None:
        """Find out whether `key` may be written."""
        await self._store.check_write(key)

    async def delete(self, keys: Collection[str]) -> None:
        """Delete objects, together with those that others want to delete within a moment.

        Cancelling the caller does not take its keys back. What the call for all of them raises, each caller raises.
        """
        loop = asyncio.get_running_loop()
        done: asyncio.Future[None] = loop.create_future()
        self._keys += keys
        self._callers.append(done)
        if len(self._keys) >= KEYS_LIMIT:
            self._flush(loop)
        elif self._timer is None:
            self._timer = loop.call_later(LINGER_S, self._flush, loop)
        await done

    def _flush(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        keys, self._keys = self._keys, []
        callers, self._callers = self._callers, []
        task = loop.create_task(self._send(keys, callers), name="delete-objects")
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)

    async def _send(self, keys: Sequence[str], callers: Sequence[asyncio.Future[None]]) -> None:
        try:
            await self._store.delete(keys)
        except Exception as error:  # noqa: BLE001 - handed to every caller, none is left waiting
            for caller in callers:
                if not caller.done():
                    caller.set_exception(error)
            return
        except BaseException:
            for caller in callers:
                caller.cancel()
            raise
        for caller in callers:
            if not caller.done():
                caller.set_result(None)
