"""A store that joins the deletions of many requests in one call."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence

from dequeuer.sinks.base import Deletions

LINGER_S = 0.2
"""How long a deletion waits for others. Nothing depends on when it happens."""
MAX_KEYS_PER_CALL = 500
"""Keys in one call. S3 allows 1,000."""


class DeletionBatcher:
    """`Deletions` whose calls wait for each other and share a request.

    Args:
        store: deletes the objects.
    """

    def __init__(self, store: Deletions) -> None:
        self._store = store
        self._keys: list[str] = []
        self._callers: list[asyncio.Future[None]] = []
        self._timer: asyncio.TimerHandle | None = None
        self._sending: set[asyncio.Task[None]] = set()

    async def delete(self, keys: Collection[str]) -> None:
        """Delete objects, together with those of other callers within `LINGER_S`.

        Cancelling a caller does not remove its keys. An error of the common call is raised to every caller.
        """
        loop = asyncio.get_running_loop()
        done: asyncio.Future[None] = loop.create_future()
        self._keys += keys
        self._callers.append(done)
        if len(self._keys) >= MAX_KEYS_PER_CALL:
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
        except Exception as error:  # noqa: BLE001 - raised to every caller, so that none waits for ever
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
