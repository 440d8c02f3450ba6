"""The stream of events of a page that looks."""

from __future__ import annotations

import asyncio
from typing import Final

from aiohttp import web

from dequeuer.ui.watch import Watch

WRITE_TIMEOUT_S: Final = 20.0
"""A page that reads nothing for this long is dropped; its browser connects again."""


class EventsRoute:
    """The request handler."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch

    def add(self, router: web.UrlDispatcher) -> None:
        """Add the route."""
        router.add_get("/api/events", self.follow, allow_head=False)

    async def follow(self, request: web.Request) -> web.StreamResponse:
        """`GET /api/events`."""
        async with self._watch.look() as feed:
            response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "X-Accel-Buffering": "no"})
            try:
                await response.prepare(request)
                while data := await feed.take():
                    async with asyncio.timeout(WRITE_TIMEOUT_S):
                        await response.write(data)
                await response.write_eof()
            except OSError:  # a timeout, too: the page has gone, or reads nothing
                if request.transport is not None:
                    request.transport.abort()
            return response
