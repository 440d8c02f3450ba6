"""The routes of the dead letters of an async API: a look at them, and their way back."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import aclosing
from functools import partial
from typing import Final

import structlog
from aiohttp import web

from dequeuer.concurrency.in_order import each, in_order
from dequeuer.gateway.api_routes import FindApi, invalid, limit_of, parameter, queue_by_priority, with_problems
from dequeuer.gateway.cors import refuse_pages, withhold_from_pages
from dequeuer.gateway.dead_letters import DeadLetter, DeadLetterQueues
from dequeuer.gateway.errors import UnknownRequestError
from dequeuer.gateway.priorities import Priorities
from dequeuer.gateway.responses import json_response
from dequeuer.gateway.service import Gateway
from dequeuer.gateway.status_document import rfc3339

SEGMENT: Final = "_dead-letters"
"""The last segment of the paths. No id begins with an underscore."""
MAX_AHEAD: Final = 8
"""Requests whose status is read at the same time."""


class DeadLetterRoutes:
    """The request handlers.

    Args:
        gateway: knows the requests.
        queues: their dead-letter queues.
        queue_of: returns the queue of an API that is served.
        priorities: its queues beside that.
    """

    def __init__(
        self, gateway: Gateway, queues: DeadLetterQueues, queue_of: Callable[[str], str], priorities: Priorities
    ) -> None:
        self._gateway = gateway
        self._queues = queues
        self._queue_of = queue_of
        self._priorities = priorities
        self._log = structlog.get_logger()

    def add(self, router: web.UrlDispatcher, path: str, find_api: FindApi) -> None:
        """Add the routes of an API. `path`: of the API."""
        router.add_get(f"{path}/{SEGMENT}", partial(self.look, find_api))
        router.add_put(f"{path}/{SEGMENT}", partial(self.redrive, find_api))

    async def look(self, find_api: FindApi, request: web.Request) -> web.StreamResponse:
        """`GET /<endpoint>/_dead-letters[?limit=][&priority=]`: some of them, and the status of their requests."""
        withhold_from_pages(request)
        return await with_problems(self._look, find_api, request)

    async def redrive(self, find_api: FindApi, request: web.Request) -> web.StreamResponse:
        """`PUT /<endpoint>/_dead-letters?action=redrive[&priority=]`."""
        return await with_problems(self._redrive, find_api, request)

    async def _look(self, find_api: FindApi, request: web.Request) -> web.StreamResponse:
        api_name, limit = find_api(request), limit_of(request)
        looked = await self._queues.look(self._queue_url(api_name, request), limit)
        letters: list[dict[str, object]] = []
        with_status = in_order(each(looked.found), partial(self._status, api_name), max_ahead=MAX_AHEAD)
        async with aclosing(with_status) as found:
            async for letter, status in found:
                letters.append(_fields(letter, status))
        return json_response({"queue": looked.queue, "messages": looked.total, "dead_letters": letters})

    async def _redrive(self, find_api: FindApi, request: web.Request) -> web.StreamResponse:
        refuse_pages(request)
        api_name, action = find_api(request), parameter(request, "action")
        if action != "redrive":
            raise invalid("action", action or "", "redrive")
        moved, left = await self._queues.redrive(self._queue_url(api_name, request))
        self._log.info("dead_letters_redriven", api_name=api_name, moved=moved, left=left)
        return json_response({"moved": moved, "left": left})

    def _queue_url(self, api_name: str, request: web.Request) -> str:
        return queue_by_priority(request, api_name, self._queue_of, self._priorities)

    async def _status(self, api_name: str, letter: DeadLetter) -> str | None:
        """Return the status of the request of a dead letter; None when there is none any more, or never was one."""
        if not letter.request_id:
            return None
        try:
            return (await self._gateway.find(api_name, letter.request_id)).status
        except UnknownRequestError:
            return None


def _fields(letter: DeadLetter, status: str | None) -> dict[str, object]:
    fields: dict[str, object] = {"message_id": letter.message_id, "receives": letter.receives}
    if letter.request_id:
        fields["id"] = letter.request_id
    if status is not None:
        fields["status"] = status
    if letter.sent_at is not None:
        fields["sent"] = rfc3339(letter.sent_at)
    return fields
