"""The routes about an async API as a whole: the list of its requests, and its pauses.

Cortex has none of them, so their errors are RFC 9457 problem details.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Final, ParamSpec, TypeAlias, TypeVar

import structlog
from aiohttp import web

from dequeuer.core.errors import clip
from dequeuer.gateway import errors
from dequeuer.gateway.cors import refuse_pages, withhold_from_pages
from dequeuer.gateway.list_limit import ALLOWED_LIMITS, read_limit
from dequeuer.gateway.priorities import PRIORITY_PARAMETER, Priorities
from dequeuer.gateway.problems import ProblemError
from dequeuer.gateway.request_listing import ListedRequests, Position, read_token
from dequeuer.gateway.responses import json_response
from dequeuer.gateway.service import Gateway
from dequeuer.gateway.status_document import listed_document, rfc3339
from dequeuer.sinks.layout import STATUSES

FindApi: TypeAlias = Callable[[web.Request], str]
"""Returns the API that a request is about. Raises `GatewayError`."""

P = ParamSpec("P")
T = TypeVar("T")

_PROBLEMS: Final[Mapping[type[errors.GatewayError], tuple[int, str]]] = {
    errors.InvalidRequestError: (400, "invalid_request"),
    errors.UnknownApiError: (404, "unknown_api"),
    errors.UnknownRequestError: (404, "unknown_request"),
    errors.BusyError: (503, "unavailable"),
    errors.StoreRefusesError: (503, "store_refused"),
}


class ApiRoutes:
    """The request handlers. `gateway`: knows the requests."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._log = structlog.get_logger()

    async def list(self, find_api: FindApi, request: web.Request) -> web.StreamResponse:
        """`GET /<endpoint>[?limit=][&status=][&after=]`: the newest requests."""
        withhold_from_pages(request)
        return await with_problems(self._list, find_api, request)

    async def _list(self, find_api: FindApi, request: web.Request) -> web.StreamResponse:
        api_name = find_api(request)
        wanted = ListedRequests(limit=limit_of(request), status=_status(request), after=_after(request))
        page = await self._gateway.list_requests(api_name, wanted)
        fields: dict[str, object] = {
            "requests": [listed_document(request_id, report) for request_id, report in page.requests]
        }
        if page.following is not None:
            fields["next"] = page.following.token
        paused_at = await self._gateway.pauses.paused_at(api_name)
        if paused_at is not None:
            fields["paused"] = rfc3339(paused_at)
        return json_response(fields)

    async def change(self, find_api: FindApi, request: web.Request) -> web.StreamResponse:
        """`PUT /<endpoint>?action=pause|resume`."""
        return await with_problems(self._change, find_api, request)

    async def _change(self, find_api: FindApi, request: web.Request) -> web.StreamResponse:
        refuse_pages(request)
        api_name, action = find_api(request), parameter(request, "action")
        if action == "pause":
            paused_at = await self._gateway.pauses.pause(api_name)
            self._log.info("api_paused", api_name=api_name)
            return json_response({"message": f"paused API {api_name}", "paused": rfc3339(paused_at)})
        if action == "resume":
            await self._gateway.pauses.resume(api_name)
            self._log.info("api_resumed", api_name=api_name)
            return json_response({"message": f"resumed API {api_name}"})
        raise invalid("action", action or "", "pause, resume")


async def with_problems(call: Callable[P, Awaitable[T]], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """Call; errors whose form is that of Cortex elsewhere become problem details."""
    try:
        return await call(*args, **kwargs)
    except ProblemError:
        raise
    except errors.GatewayError as error:
        status, code = _PROBLEMS[type(error)]
        raise ProblemError(status, code, str(error)) from error.__cause__


def limit_of(request: web.Request) -> int:
    """Return how many entries a list may have. Raises `ProblemError`."""
    given = parameter(request, "limit")
    limit = read_limit(given)
    if limit is None:
        raise invalid("limit", given or "", ALLOWED_LIMITS)
    return limit


def _status(request: web.Request) -> str | None:
    text = parameter(request, "status")
    if text is not None and text not in STATUSES:
        raise invalid("status", text, ", ".join(STATUSES))
    return text


def _after(request: web.Request) -> Position | None:
    text = parameter(request, "after")
    position = None if text is None else read_token(text)
    if text is not None and position is None:
        raise invalid("after", text, 'what "next" of the page before it says')
    return position


def parameter(request: web.Request, name: str) -> str | None:
    """Return a parameter of the query; None when it is not there. Raises `ProblemError`."""
    given = request.query.getall(name, [])
    if len(given) > 1:
        raise invalid(name, ", ".join(given), "one value")
    return given[0] if given else None


def queue_by_priority(
    request: web.Request, api_name: str, queue_of: Callable[[str], str], priorities: Priorities
) -> str:
    """Return the queue of an API that a request asks about: that of a priority, or its own. Raises `GatewayError`."""
    priority = parameter(request, PRIORITY_PARAMETER)
    if priority is None:
        return queue_of(api_name)
    return priorities.queue_of(api_name, priority, PRIORITY_PARAMETER)


def invalid(name: str, given: str, allowed: str) -> ProblemError:
    """Return the error of a parameter."""
    return ProblemError(400, f"invalid_{name}", f'{name} is "{clip(given, 100)}"; allowed: {allowed}')
