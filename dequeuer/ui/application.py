"""The application of the page: which path leads to which handler, and what stands before all of them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from dequeuer.client.errors import ClientError
from dequeuer.http.server import server_log
from dequeuer.ui.bodies import MAX_BODY_BYTES, Bodies
from dequeuer.ui.directory import Directory
from dequeuer.ui.errors import UiError, error_response, ui_error
from dequeuer.ui.events_route import EventsRoute
from dequeuer.ui.guard import MAX_TOKEN_CHARS, Hosts, Login, check_source
from dequeuer.ui.headers import add_headers
from dequeuer.ui.job_routes import JobRoutes
from dequeuer.ui.link import GatewayLink
from dequeuer.ui.realtime_call import CallRoute
from dequeuer.ui.request_routes import RequestRoutes
from dequeuer.ui.static_files import INDEX, LOGIN, StaticFile
from dequeuer.ui.watch import Watch

MAX_REQUESTS: Final = 100
"""That are under way at the same time, streams among them."""
MAX_HEADER_BYTES: Final = 16 * 1024
CANCEL_TIMEOUT_S: Final = 2.0
LOGIN_TIMEOUT_S: Final = 10.0
"""For a token to arrive: whoever sends none could hold the turns of all."""

_REFUSALS: Final[Mapping[int, str]] = {404: "the page has no such path", 405: "this is not allowed here"}
_LOGIN_PATH: Final = "/api/login"
_HEALTH_PATH: Final = "/healthz"


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """What the application is made of.

    Attributes:
        link: to the gateway.
        directory: of its APIs.
        watch: tells pages what changes.
        hosts: of the page.
        login: who may see it.
        files: of the page, by name.
    """

    link: GatewayLink
    directory: Directory
    watch: Watch
    hosts: Hosts
    login: Login
    files: Mapping[str, StaticFile]


def make_app(page: Page) -> web.Application:
    """Return the application with all routes."""
    app = web.Application(middlewares=[_answer_errors, _bound(), _guard(page)], client_max_size=MAX_BODY_BYTES)
    app.on_response_prepare.append(add_headers)
    bodies = Bodies()
    app.router.add_get(_HEALTH_PATH, _healthz)
    app.router.add_get("/", _index(page))
    app.router.add_get("/static/{name}", _static(page))
    app.router.add_post(_LOGIN_PATH, _login(page))
    app.router.add_get("/api/apis", _apis(page), allow_head=False)
    for routes in (
        RequestRoutes(page.link, page.directory, bodies),
        JobRoutes(page.link, page.directory, bodies),
        CallRoute(page.link, page.directory, bodies),
        EventsRoute(page.watch),
    ):
        routes.add(app.router)
    return app


def make_runner(app: web.Application) -> web.AppRunner:
    """Return a runner whose clean-up waits for requests in progress."""
    return web.AppRunner(
        app,
        access_log=None,
        logger=server_log("dequeuer.ui.http"),
        auto_decompress=False,  # a small body could become a large one
        max_field_size=MAX_HEADER_BYTES,
        max_line_size=MAX_HEADER_BYTES,
        shutdown_timeout=CANCEL_TIMEOUT_S,
    )


async def _healthz(_request: web.Request) -> web.StreamResponse:
    return web.Response(text="ok")


def _index(page: Page) -> Handler:
    async def index(request: web.Request) -> web.StreamResponse:
        if page.login.admits(request):
            return page.files[INDEX].response()
        return page.files[LOGIN].response(401)

    return index


def _static(page: Page) -> Handler:
    async def static(request: web.Request) -> web.StreamResponse:
        found = page.files.get(request.match_info["name"])
        if found is None:
            raise UiError(404, "the page has no such file")
        return found.response()

    return static


def _login(page: Page) -> Handler:
    async def login(request: web.Request) -> web.StreamResponse:
        try:
            async with asyncio.timeout(LOGIN_TIMEOUT_S):
                given = (await request.content.read(MAX_TOKEN_CHARS + 1)).decode(errors="replace")
        except TimeoutError:
            raise UiError(408, "the token did not arrive in time") from None
        # The proxy that ends TLS says so. Whoever claims it gets a cookie that is of less use.
        return page.login.open(given, is_https=request.headers.get("X-Forwarded-Proto") == "https")

    return login


def _apis(page: Page) -> Handler:
    async def apis(_request: web.Request) -> web.StreamResponse:
        listed = [{"name": one.name, "kind": one.kind, "endpoint": one.endpoint} for one in await page.directory.list()]
        return web.json_response({"apis": listed})

    return apis


@web.middleware
async def _answer_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except UiError as error:
        return error_response(error)
    except ClientError as error:
        return error_response(ui_error(error))
    except web.HTTPException as error:
        return error_response(UiError(error.status, _REFUSALS.get(error.status, error.reason)))
    except Exception:  # noqa: BLE001 - a bug fails one request, not the process
        structlog.get_logger().exception("ui_request_error")
        return error_response(UiError(500, "internal error of `dequeuer ui`: see its log"))


def _bound() -> Middleware:
    turns = asyncio.Semaphore(MAX_REQUESTS)

    @web.middleware
    async def bound(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path == _HEALTH_PATH:  # a kubelet that gets no answer would end the process
            return await handler(request)
        if turns.locked():
            raise UiError(503, f"{MAX_REQUESTS} requests are under way already: try again")
        async with turns:
            return await handler(request)

    return bound


def _guard(page: Page) -> Middleware:
    @web.middleware
    async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path == _HEALTH_PATH:  # probes send the address of a pod, which may change
            return await handler(request)
        check_source(request, page.hosts)
        if request.path.startswith("/api/") and request.path != _LOGIN_PATH and not page.login.admits(request):
            raise UiError(401, "the page needs its token: load it again")
        return await handler(request)

    return guard
