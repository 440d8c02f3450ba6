"""Bodies of what is submitted with the page: a bounded number of bounded size is in memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from aiohttp import web

from dequeuer.concurrency.turns import turn
from dequeuer.ui.errors import UiError

MAX_BODY_BYTES: Final = 16 << 20
MAX_BODIES: Final = 4
READ_TIMEOUT_S: Final = 60.0
TURN_TIMEOUT_S: Final = 10.0


class Bodies:
    """Reads bodies, some at the same time."""

    def __init__(self) -> None:
        self._turns = asyncio.Semaphore(MAX_BODIES)

    @asynccontextmanager
    async def read(self, request: web.Request) -> AsyncIterator[bytes]:
        """Hold the body of a request in memory until the context ends. Raises `UiError`."""
        busy = UiError(503, f"{MAX_BODIES} requests are being sent already: try again")
        async with turn(self._turns, TURN_TIMEOUT_S, busy):
            try:
                async with asyncio.timeout(READ_TIMEOUT_S):
                    body = await request.read()
            except web.HTTPRequestEntityTooLarge:
                text = f"this is larger than {MAX_BODY_BYTES >> 20} MiB: send it to the gateway itself"
                raise UiError(413, text) from None
            except TimeoutError:
                raise UiError(408, "the request did not arrive in time") from None
            yield body
