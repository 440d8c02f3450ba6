"""Finds out which requests are to be cancelled, and cuts off the container's work on them.

A client asks for a cancellation at the gateway, which writes an object for it. Sidecars see it by listing: one listing
for all requests of the process, while there is work. So a cancellation costs a request that nobody cancels nothing, and
an idle process nothing at all.

Only the sidecar that holds the message ends a request. So a cancellation is one more reason for a failure, and what
decides between a success and a failure at the same time (`ending.py`) decides here, too.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from contextvars import Context
from typing import Final, Protocol, TypeAlias

from dequeuer.core import clock
from dequeuer.core.errors import StoreDeniedError, StoreUnavailableError
from dequeuer.formats.request_id import is_request_id
from dequeuer.sinks.base import Deletions, Fetch, Listing
from dequeuer.sinks.layout import ApiKeys, RequestKeys

MAX_FRESH_S: Final = 1.0
"""A message that waited in the queue for longer is not begun before the cancellations were listed, seconds. A listing
that is younger than this is used again."""
LOOK_TIMEOUT_S: Final = 2.0
"""How long the begin of work waits for a listing. Then it begins: the next listing finds what it should have known."""
MAX_PAGES: Final = 10
"""Of 1,000 cancellations each that a listing reads."""
LEFTOVER_S: Final = 60.0
"""A cancellation of this age may be one whose request ended before any sidecar saw it, seconds."""
MAX_TIDIED: Final = 5
"""Such cancellations that are looked into after each listing."""
TIDY_TIMEOUT_S: Final = 10.0

Found: TypeAlias = Callable[[Collection[str]], None]
"""Takes the ids of the requests that are to be cancelled."""


class CancellationStore(Listing, Fetch, Deletions, Protocol):
    """Where the cancellations are."""


class CancellationWatch:
    """The cancellations of one API.

    Args:
        store: is listed, and tidied.
        keys: of the API.
        interval_s: between two listings while work is running, seconds.
    """

    def __init__(self, store: CancellationStore, keys: ApiKeys, interval_s: float) -> None:
        self._store = store
        self._keys = keys
        self._prefix = keys.cancellations
        self._interval_s = interval_s
        self.cancelled: frozenset[str] = frozenset()
        """The ids of the last listing."""
        self._running: Collection[str] = ()
        self._found: Found = lambda _ids: None
        self._looked_at: float | None = None
        """Loop time at which the last listing that succeeded began."""
        self._looking: asyncio.Task[None] | None = None
        self._looking_since = 0.0
        self._tidying: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._loop = asyncio.get_running_loop()

    def begin(self, running: Collection[str], found: Found) -> None:
        """Look from now on while there are ids in `running`; tell `found` the ids of each listing."""
        self._running, self._found = running, found
        self._timer = self._loop.call_later(self._interval_s, self._due)

    def close(self) -> None:
        """Look no more."""
        for pending in (self._timer, self._looking, self._tidying):
            if pending is not None:
                pending.cancel()

    def _due(self) -> None:
        self._timer = self._loop.call_later(self._interval_s, self._due)
        if self._running:
            self._look()

    async def look_if_stale(self) -> None:
        """Wait for a listing that is not older than `MAX_FRESH_S`, but not for long."""
        now = self._loop.time()
        if self._looked_at is not None and now - self._looked_at <= MAX_FRESH_S:
            return
        try:
            async with asyncio.timeout(LOOK_TIMEOUT_S):
                # One that has begun long ago may have missed what has been asked for since.
                if self._looking is not None and now - self._looking_since > MAX_FRESH_S:
                    await asyncio.wait({self._looking})
                await asyncio.wait({self._look()})
        except TimeoutError:
            return

    def _look(self) -> asyncio.Task[None]:
        """Return the listing that is under way; begin one when there is none."""
        if self._looking is None:
            self._looking_since = self._loop.time()
            # It belongs to no message, also when the begin of one waits for it.
            self._looking = self._loop.create_task(
                self._list(self._looking_since), name="cancellations", context=Context()
            )
            self._looking.add_done_callback(self._looked)
        return self._looking

    def _looked(self, task: asyncio.Task[None]) -> None:
        self._looking = None
        if not task.cancelled():
            task.exception()

    async def _list(self, began_at: float) -> None:
        found: dict[str, float] = {}
        token = ""
        with suppress(StoreUnavailableError, StoreDeniedError):  # the store has reported it; the work goes on
            for _ in range(MAX_PAGES):
                page = await self._store.list_page(self._prefix, token=token)
                found.update((listed.key.removeprefix(self._prefix), listed.modified_at) for listed in page.objects)
                if not (token := page.next_token):
                    break
            self.cancelled = frozenset(found)
            self._looked_at = began_at
            self._found(self.cancelled)
            self._start_tidying(found)

    def _start_tidying(self, found: Mapping[str, float]) -> None:
        """Begin to take requests that have ended out of the index. `found`: when each was put into it.

        In a task of its own: neither looks nor the begin of work wait for it.
        """
        before = clock.wall() - LEFTOVER_S
        old = [request_id for request_id, at in found.items() if at < before and is_request_id(request_id)]
        if old and (self._tidying is None or self._tidying.done()):
            few = random.sample(old, min(len(old), MAX_TIDIED))
            self._tidying = self._loop.create_task(self._tidy(few), name="old-cancellations", context=Context())

    async def _tidy(self, request_ids: Collection[str]) -> None:
        with suppress(StoreUnavailableError, StoreDeniedError, TimeoutError):
            async with asyncio.timeout(TIDY_TIMEOUT_S):
                for request_id in request_ids:
                    keys = RequestKeys(self._keys.cluster_uid, self._keys.api_name, request_id)
                    if {keys.completed, keys.failed}.intersection(await self._store.list(keys.prefix)):
                        await self._store.delete([self._keys.cancellation(request_id)])
