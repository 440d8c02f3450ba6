"""The routes of Cortex's operator that its command and its Python package ask: which APIs there are, with their jobs.

What only the manifests can do is refused, with a text that says how it is done.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from contextlib import aclosing
from functools import partial
from typing import Any, Final

from aiohttp import web
from aiohttp.typedefs import Handler

from dequeuer.concurrency.in_order import each, in_order
from dequeuer.gateway.access.caller import may_see
from dequeuer.gateway.api_responses import api_fields, listed_api
from dequeuer.gateway.cors import withhold_from_pages
from dequeuer.gateway.endpoints import Endpoint, Endpoints
from dequeuer.gateway.job_responses import answer, cortex_error, json_text
from dequeuer.gateway.job_service import Jobs
from dequeuer.gateway.own_url import own_url
from dequeuer.gateway.upload import defer_continue
from dequeuer.jobs.errors import ApiNotDeployedError, Fault, JobRequestError, JobsUnavailableError
from dequeuer.jobs.status import JobStatus

MAX_JOBS: Final = 10
"""Of an API, in an answer; as in Cortex."""
MAX_APIS_AHEAD: Final = 4
"""APIs of a list whose jobs are read at the same time."""
LIST_TIMEOUT_S: Final = 60.0
"""For the jobs of all APIs."""
DONE_BY_MANIFESTS: Final = "operator.done_by_manifests"
"""The code of what is refused because the manifests do it."""
_ADVICE: Final[Mapping[str, str]] = {
    "deploy": "the gateway deploys no API: convert the file with `dequeuer manifests`, and apply it with Helm",
    "refresh": "the gateway restarts no API: run `kubectl rollout restart` for the Deployment of the API",
    "delete": "the gateway deletes no API: take it out of the values of the chart, and apply them with Helm",
}


class OperatorRoutes:
    """The request handlers.

    Args:
        jobs: of the APIs.
        endpoints: the APIs of cortex.yaml.
        queue_names: those that are served at their names, too.
    """

    def __init__(self, jobs: Jobs, endpoints: Endpoints, queue_names: Collection[str]) -> None:
        self._jobs = jobs
        self._apis = {one.api_name: one for one in endpoints.and_at_names(queue_names)}

    async def list_apis(self, request: web.Request) -> web.StreamResponse:
        """`GET /get`: the APIs that the caller may know of, each with the jobs that run, or with its latest one."""
        withhold_from_pages(request)
        seen = [api for api in self._apis.values() if may_see(request, api.api_name)]
        found: list[dict[str, Any]] = []
        try:
            async with (
                asyncio.timeout(LIST_TIMEOUT_S),
                aclosing(in_order(each(seen), self._current_jobs, max_ahead=MAX_APIS_AHEAD)) as listed,
            ):
                async for api, statuses in listed:
                    found.append(listed_api(api, statuses))
        except TimeoutError as error:
            raise JobsUnavailableError(f"the jobs of all APIs were not read within {LIST_TIMEOUT_S:g} s") from error
        return json_text(found)

    async def show_api(self, request: web.Request) -> web.StreamResponse:
        """`GET /get/<api>`: a list with the API alone: its specification and its newest jobs."""
        withhold_from_pages(request)
        name = request.match_info["api_name"]
        api = self._apis.get(name)
        if api is None:
            raise ApiNotDeployedError(name)
        statuses = (await self._jobs.newest(api.job_api, MAX_JOBS, ""))[0] if api.job_api is not None else []
        return json_text([api_fields(api, statuses, own_url(request, api.path), self._jobs.cluster)])

    async def _current_jobs(self, api: Endpoint) -> list[JobStatus]:
        if api.job_api is None:
            return []
        return await self._jobs.running(api.job_api, MAX_JOBS) or (await self._jobs.newest(api.job_api, 1, ""))[0]


def add_operator_routes(app: web.Application, jobs: Jobs, endpoints: Endpoints, queue_names: Collection[str]) -> None:
    """Add the routes, but for those whose paths begin as those of an API do: the API wins.

    `queue_names`: APIs that are served at their names.
    """
    routes = OperatorRoutes(jobs, endpoints, queue_names)
    taken = {*queue_names, *(one.path.split("/")[1] for one in endpoints)}
    handlers: Mapping[str, Handler] = {
        "GET /get": _handler(routes.list_apis),
        "GET /get/{api_name}": _handler(routes.show_api),
        "POST /deploy": _handler(partial(_refuse, "deploy")),
        "POST /refresh/{api_name}": _handler(partial(_refuse, "refresh")),
        "DELETE /delete/{api_name}": _handler(partial(_refuse, "delete")),
    }
    for name, handler in handlers.items():
        method, _, pattern = name.partition(" ")
        if pattern.split("/")[1] in taken:
            continue
        if method == "GET":
            app.router.add_get(pattern, handler)
        else:
            app.router.add_route(method, pattern, handler, expect_handler=defer_continue)


def _handler(respond: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> Handler:
    async def handle(request: web.Request) -> web.StreamResponse:
        return await answer(lambda: respond(request), cortex_error)

    return handle


async def _refuse(action: str, _request: web.Request) -> web.StreamResponse:
    raise JobRequestError([Fault(DONE_BY_MANIFESTS, _ADVICE[action])])
