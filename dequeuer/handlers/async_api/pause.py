"""Finds out whether an async API is paused: nothing is received then. The work that was received goes on.

A client asks for it at the gateway, which writes an object for the API. Each look costs a read of S3, also while there
is nothing to do, so they are made only where the settings want them.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Final

from dequeuer.core.errors import StoreDeniedError, StoreMissingError, StoreUnavailableError
from dequeuer.core.events import ConsumptionPaused, Observer
from dequeuer.core.readiness import Condition
from dequeuer.sinks.base import Fetch
from dequeuer.sinks.layout import ApiKeys

LOOK_TIMEOUT_S: Final = 5.0
FIRST_LOOKS_S: Final = 1.0
"""Between two looks while none has had an answer."""


class PauseWatch:
    """Whether one API is paused, as of the last look that had an answer. Until then it may be: nothing is received.

    Args:
        store: has the object that says it.
        keys: of the API.
        interval_s: between two looks, seconds.
        observer: gets each change.
    """

    def __init__(self, store: Fetch, keys: ApiKeys, interval_s: float, observer: Observer) -> None:
        self._store = store
        self._key = keys.pause
        self._interval_s = interval_s
        self._observer = observer
        self._is_paused: bool | None = None
        """None: no look has had an answer."""
        self.may_receive = Condition(is_open=False)
        """Closed while the API is paused, and until a look has had an answer."""

    @property
    def reason(self) -> str:
        """Why nothing is received, and what to do; "" while it is."""
        if self.may_receive.is_open:
            return ""
        if self._is_paused:
            return "the API is paused: resume it at the gateway"
        return "S3 has not answered yet whether the API is paused: look for store_unavailable in the log"

    async def run(self) -> None:
        """Look again and again, until cancelled."""
        while True:
            await asyncio.sleep(min(self._interval_s, FIRST_LOOKS_S) if self._is_paused is None else self._interval_s)
            await self.look()

    async def look(self) -> None:
        """Look once. Without an answer in time it stays as it was: an outage pauses nothing, and resumes nothing."""
        # The store has reported the error.
        with suppress(StoreUnavailableError, TimeoutError):
            async with asyncio.timeout(LOOK_TIMEOUT_S):
                self._note(is_paused=await self._has_object())

    def _note(self, *, is_paused: bool) -> None:
        self.may_receive.set(is_open=not is_paused)
        was_paused, self._is_paused = bool(self._is_paused), is_paused
        if is_paused is not was_paused:
            self._observer(ConsumptionPaused(is_paused=is_paused))

    async def _has_object(self) -> bool:
        try:
            found = await self._store.get(self._key)
            async for _ in found.chunks:  # a body that is not read would cost the connection
                pass
        except StoreMissingError:
            return False
        except StoreDeniedError:
            # A store that refuses may do so for long: also the first look pauses nothing then.
            return bool(self._is_paused)
        return True
