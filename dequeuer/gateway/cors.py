"""Cross-origin requests (CORS), as Cortex's gateway allows them: any origin, a fixed list of headers."""

from __future__ import annotations

from collections.abc import Callable

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler

_METHODS = {"GET", "HEAD", "POST", "PUT", "OPTIONS"}
_SIMPLE_METHODS = {"GET", "HEAD", "POST"}
_SIMPLE_HEADERS = {"accept", "accept-language", "content-language", "origin"}
_HEADERS = {"content-type": "Content-Type", "x-requested-with": "X-Requested-With", "user-agent": "User-Agent"}


def enable_cors(app: web.Application, is_left_alone: Callable[[web.Request], bool] = lambda _: False) -> None:
    """Let web pages of any origin read every response of `app`, and answer their preflight requests.

    `is_left_alone`: whether somebody else answers the preflight of a request; it does not block.
    """

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
    if request.method != "OPTIONS" and hdrs.ORIGIN in request.headers:
        response.headers[hdrs.ACCESS_CONTROL_EXPOSE_HEADERS] = "Content-Length,Content-Range"
        _allow(response)


def _allow(response: web.StreamResponse) -> None:
    # With the origin "*" browsers use no credentials, whatever the second header says.
    response.headers[hdrs.ACCESS_CONTROL_ALLOW_ORIGIN] = "*"
    response.headers[hdrs.ACCESS_CONTROL_ALLOW_CREDENTIALS] = "true"
