"""Cross-origin requests (CORS): as Cortex's gateway allows them (any origin, few headers), or as configured.

Hazard: an origin is allowed only if it is named. One that is reflected unseen would let every page act for its user.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler

from dequeuer.gateway.problems import ProblemError
from dequeuer.settings.access import ANY_ORIGIN

_METHODS = {"GET", "HEAD", "POST", "PUT", "OPTIONS"}
_SIMPLE_METHODS = {"GET", "HEAD", "POST"}
_SIMPLE_HEADERS = {"accept", "accept-language", "content-language", "origin"}
_HEADERS = {"content-type": "Content-Type", "x-requested-with": "X-Requested-With", "user-agent": "User-Agent"}

_MAX_ASKED_CHARS = 2048
_ASKED = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+(?:[ \t]*,[ \t]*[!#$%&'*+\-.^_`|~0-9A-Za-z]+)*")
_EXPOSED = "Content-Length,Content-Range,Link,Location,Retry-After"

_ORIGINS: web.AppKey[frozenset[str]] = web.AppKey("dequeuer_cors_origins", frozenset)
_WITHHELD = web.RequestKey("dequeuer_withheld_from_pages", bool)


def withhold_from_pages(request: web.Request) -> None:
    """Let no page read the response, unless its origin is configured.

    Hazard: any page may read what Cortex's gateway answers, which needs an id that cannot be guessed, or the name of an
    API. Lists have the ids, and the document of the gateway has the names.
    """
    request[_WITHHELD] = True


def refuse_pages(request: web.Request) -> None:
    """Let no page do this, unless its origin is configured: raise `ProblemError`.

    Hazard: the preflight requests of Cortex's gateway allow PUT to any page, so any page that somebody opens could
    change an API at a gateway without tokens that only this person can reach.
    """
    if hdrs.ORIGIN in request.headers and not _allowed_origin(request, request.app.get(_ORIGINS, frozenset())):
        text = "a web page may do this only if its origin is in DEQUEUER_CORS_ORIGINS of the gateway"
        raise ProblemError(403, "origin_not_allowed", text)


def enable_cors(
    app: web.Application,
    is_left_alone: Callable[[web.Request], bool] = lambda _: False,
    origins: Collection[str] | None = None,
) -> None:
    """Let web pages read the responses of `app`, and answer their preflight requests.

    Args:
        app: the application.
        is_left_alone: whether somebody else answers the preflight of a request; it does not block.
        origins: of the pages; `ANY_ORIGIN`: any; none: no page may. None: as Cortex's gateway.
    """
    app[_ORIGINS] = frozenset(origins or ())
    if origins is not None:
        _enable_configured(app, is_left_alone, frozenset(origins))
        return

    @web.middleware
    async def answer_preflight(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.method != "OPTIONS" or is_left_alone(request):
            return await handler(request)
        return _preflight_response(request)

    app.middlewares.append(answer_preflight)
    app.on_response_prepare.append(_add_cors_headers)


def _preflight_response(request: web.Request) -> web.Response:
    if hdrs.ORIGIN not in request.headers:
        return web.Response()
    if hdrs.ACCESS_CONTROL_REQUEST_METHOD not in request.headers:
        return web.Response(status=400)
    method = request.headers[hdrs.ACCESS_CONTROL_REQUEST_METHOD]
    if method not in _METHODS:
        return web.Response(status=405)
    asked = [name.strip().lower() for name in request.headers.get(hdrs.ACCESS_CONTROL_REQUEST_HEADERS, "").split(",")]
    wanted = [name for name in asked if name and name not in _SIMPLE_HEADERS]
    if not _HEADERS.keys() >= set(wanted):
        return web.Response(status=403)
    response = web.Response()
    if wanted:
        response.headers[hdrs.ACCESS_CONTROL_ALLOW_HEADERS] = ",".join(_HEADERS[name] for name in wanted)
    if method not in _SIMPLE_METHODS:
        response.headers[hdrs.ACCESS_CONTROL_ALLOW_METHODS] = method
    _allow(response)
    return response


async def _add_cors_headers(request: web.Request, response: web.StreamResponse) -> None:
    if request.method != "OPTIONS" and hdrs.ORIGIN in request.headers and not request.get(_WITHHELD):
        response.headers[hdrs.ACCESS_CONTROL_EXPOSE_HEADERS] = "Content-Length,Content-Range"
        _allow(response)


def _allow(response: web.StreamResponse) -> None:
    # With the origin "*" browsers use no credentials, whatever the second header says.
    response.headers[hdrs.ACCESS_CONTROL_ALLOW_ORIGIN] = "*"
    response.headers[hdrs.ACCESS_CONTROL_ALLOW_CREDENTIALS] = "true"


def _enable_configured(
    app: web.Application, is_left_alone: Callable[[web.Request], bool], origins: frozenset[str]
) -> None:
    @web.middleware
    async def answer_preflight(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.method != "OPTIONS" or is_left_alone(request):
            return await handler(request)
        method = request.headers.get(hdrs.ACCESS_CONTROL_REQUEST_METHOD, "")
        asked = request.headers.get(hdrs.ACCESS_CONTROL_REQUEST_HEADERS, "")
        response = web.Response(status=204)
        is_sound = len(asked) <= _MAX_ASKED_CHARS and (not asked or _ASKED.fullmatch(asked))
        if _allowed_origin(request, origins) and _ASKED.fullmatch(method) and is_sound:
            response.headers[hdrs.ACCESS_CONTROL_ALLOW_METHODS] = method
            if asked:
                response.headers[hdrs.ACCESS_CONTROL_ALLOW_HEADERS] = asked
        return response

    async def add_headers(request: web.Request, response: web.StreamResponse) -> None:
        if ANY_ORIGIN not in origins:
            response.headers.add(hdrs.VARY, hdrs.ORIGIN)  # a cache must not give one origin's response to another
        origin = _allowed_origin(request, origins)
        if origin:
            response.headers[hdrs.ACCESS_CONTROL_ALLOW_ORIGIN] = origin
            response.headers[hdrs.ACCESS_CONTROL_EXPOSE_HEADERS] = _EXPOSED
            if origin != ANY_ORIGIN:
                response.headers[hdrs.ACCESS_CONTROL_ALLOW_CREDENTIALS] = "true"

    app.middlewares.append(answer_preflight)
    app.on_response_prepare.append(add_headers)


def _allowed_origin(request: web.Request, origins: frozenset[str]) -> str:
    """Return what `Access-Control-Allow-Origin` says; "": the page may not."""
    given = request.headers.getall(hdrs.ORIGIN, [])
    if len(given) != 1:
        return ""
    return ANY_ORIGIN if ANY_ORIGIN in origins else given[0] if given[0] in origins else ""
