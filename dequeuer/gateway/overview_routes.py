"""The routes of those who watch: the APIs of a gateway, the counts of a queue, and the payload of a request.

Cortex has none of them, so their errors are RFC 9457 problem details.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from functools import partial
from typing import Final

from aiohttp import web

from dequeuer.core.errors import StoreMissingError
from dequeuer.gateway.access.caller import may_see
from dequeuer.gateway.access.places import APIS_PATH
from dequeuer.gateway.api_routes import FindApi, queue_by_priority, with_problems
from dequeuer.gateway.cors import withhold_from_pages
from dequeuer.gateway.endpoints import Endpoint, Endpoints
from dequeuer.gateway.priorities import Priorities
from dequeuer.gateway.problems import ProblemError
from dequeuer.gateway.queue_counts import QueueCounter
from dequeuer.gateway.responses import json_response, payload_response
from dequeuer.gateway.service import Gateway

QUEUE_SEGMENT: Final = "_queue"
"""The last segment of the paths. No id begins with an underscore."""


class OverviewRoutes:
    """The request handlers.

    Args:
        gateway: knows the requests.
        counter: counts the messages of queues.
        queue_of: returns the queue of an API that is served.
        priorities: its queues beside that.
    """

    def __init__(
        self, gateway: Gateway, counter: QueueCounter | None, queue_of: Callable[[str], str], priorities: Priorities
    ) -> None:
        self._gateway = gateway
        self._counter = counter
        self._queue_of = queue_of
        self._priorities = priorities

    def add(self, router: web.UrlDispatcher, path: str, find_api: FindApi) -> None:
        """Add the routes of an async API, before those of any id. `path`: of the API."""
        if self._counter is not None:
            router.add_get(f"{path}/{QUEUE_SEGMENT}", partial(self.count, self._counter, find_api))
        router.add_get(f"{path}/{{request_id}}/payload", partial(self.payload, find_api))

    async def count(self, counter: QueueCounter, find_api: FindApi, request: web.Request) -> web.StreamResponse:
        """`GET /<endpoint>/_queue[?priority=]`: about how many messages there are."""
        withhold_from_pages(request)
        return await with_problems(self._count, counter, find_api, request)

    async def payload(self, find_api: FindApi, request: web.Request) -> web.StreamResponse:
        """`GET /<endpoint>/<id>/payload`: the payload of a request, until it is deleted at its end."""
        withhold_from_pages(request)
        return await with_problems(self._payload, find_api, request)

    async def _count(self, counter: QueueCounter, find_api: FindApi, request: web.Request) -> web.StreamResponse:
        api_name = find_api(request)
        found = await counter.count(queue_by_priority(request, api_name, self._queue_of, self._priorities))
        depth = found.depth
        return json_response(
            {
                "queue": found.name,
                "messages": depth.visible,
                "in_flight": depth.in_flight,
                "delayed": depth.delayed,
                "dead_letters": found.dead,
            }
        )

    async def _payload(self, find_api: FindApi, request: web.Request) -> web.StreamResponse:
        api_name = find_api(request)
        try:
            payload = await self._gateway.open_payload(api_name, request.match_info["request_id"])
        except StoreMissingError:
            text = (
                "the payload of this request is not in the bucket: it is deleted when the request has completed, "
                "and a small one may be inside its queue message"
            )
            raise ProblemError(404, "no_payload", text) from None
        return await payload_response(request, payload)


def add_list_of_apis(app: web.Application, endpoints: Endpoints, queues: Mapping[str, str], *, has_jobs: bool) -> None:
    """Add `GET /_apis`, unless it is the endpoint of an API: the APIs that a gateway serves and its caller may see."""
    apis = [
        {"name": one.api_name, "kind": one.kind, "endpoint": one.path}
        for one in endpoints.and_at_names(queues)
        if _is_served(one, queues, has_jobs=has_jobs)
    ]

    async def respond(request: web.Request) -> web.StreamResponse:
        withhold_from_pages(request)
        return json_response({"apis": [one for one in apis if may_see(request, one["name"])]})

    if APIS_PATH not in {one.path for one in endpoints}:
        app.router.add_get(APIS_PATH, respond)


def _is_served(one: Endpoint, queues: Collection[str], *, has_jobs: bool) -> bool:
    if one.kind == "AsyncAPI":
        return one.api_name in queues
    return has_jobs if one.job_api is not None else one.address is not None or one.split is not None
