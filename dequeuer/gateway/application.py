"""The application of the gateway: which path leads to which handler, and how it is served."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from functools import partial
from random import Random

from aiohttp import web
from aiohttp.typedefs import Handler

from dequeuer.core.events import Observer, ignore
from dequeuer.gateway.access.gate import ANYONE, Access, control_access
from dequeuer.gateway.access.redaction import NOTHING_REDACTED, Redaction
from dequeuer.gateway.copies import Copies
from dequeuer.gateway.cors import enable_cors
from dequeuer.gateway.dead_letter_routes import DeadLetterRoutes
from dequeuer.gateway.dead_letters import DeadLetterQueues
from dequeuer.gateway.deadlines import ANY_DEADLINE, Deadlines
from dequeuer.gateway.endpoints import NO_ENDPOINTS, Endpoint, Endpoints
from dequeuer.gateway.job_routes import add_job_routes
from dequeuer.gateway.job_service import Jobs
from dequeuer.gateway.metering import WAITING
from dequeuer.gateway.openapi.serving import add_document_routes
from dequeuer.gateway.operator_routes import add_operator_routes
from dequeuer.gateway.overview_routes import OverviewRoutes, add_list_of_apis
from dequeuer.gateway.priorities import NO_PRIORITIES, Priorities
from dequeuer.gateway.queue_counts import QueueCounter
from dequeuer.gateway.realtime import Forwarder
from dequeuer.gateway.responses import errors_to_responses
from dequeuer.gateway.routes import Routes
from dequeuer.gateway.service import Gateway
from dequeuer.gateway.splitter import Splitter
from dequeuer.gateway.upload import defer_continue
from dequeuer.gateway.webhooks import NO_WEBHOOKS, Webhooks
from dequeuer.http.request_head import MAX_FIELDS as MAX_HEAD_FIELDS
from dequeuer.http.server import server_log

SHUTDOWN_TIMEOUT_S = 30.0
"""How long requests in progress may continue after the shutdown delay."""
CANCEL_TIMEOUT_S = 2.5
"""How long a cancelled request may take to delete what it wrote."""
MAX_HEADER_BYTES = 32 * 1024
"""For one header, and for the target. AWS load balancers forward 16 KiB; the default limit of aiohttp is 8 KiB."""


def make_app(  # noqa: PLR0913, PLR0917 - what the paths lead to
    gateway: Gateway,
    queues: Mapping[str, str],
    is_draining: Callable[[], bool] = lambda: False,
    endpoints: Endpoints = NO_ENDPOINTS,
    jobs: Jobs | None = None,
    forwarder: Forwarder | None = None,
    webhooks: Webhooks = NO_WEBHOOKS,
    *,
    dead_letters: DeadLetterQueues | None = None,
    queue_counter: QueueCounter | None = None,
    access: Access = ANYONE,
    redaction: Redaction = NOTHING_REDACTED,
    cors_origins: Collection[str] | None = None,
    deadlines: Deadlines = ANY_DEADLINE,
    priorities: Priorities = NO_PRIORITIES,
    fair_queues: bool = False,
    observe: Observer = ignore,
) -> web.Application:
    """Return the application with all routes. `forwarder`: None: requests to RealtimeAPIs are refused."""
    routes = Routes(
        gateway,
        queues,
        is_draining,
        endpoints,
        webhooks,
        redaction,
        deadlines,
        priorities=priorities,
        fair_queues=fair_queues,
    )
    app = web.Application(middlewares=[errors_to_responses])
    forwarded: set[web.AbstractRoute] = set()
    enable_cors(app, lambda request: request.match_info.route in forwarded, cors_origins)
    control_access(app, access, endpoints)
    app[WAITING] = lambda: routes.waiting_clients
    app.router.add_get("/healthz", routes.healthz)
    app.router.add_post("/", routes.submit_in_cluster, expect_handler=defer_continue)
    app.router.add_get("/", routes.list_in_cluster)
    app.router.add_put("/", routes.change_api_in_cluster)
    app.router.add_get("/{request_id}", routes.report_in_cluster)
    app.router.add_delete("/{request_id}", routes.cancel_in_cluster)
    app.router.add_put("/{api_name}", routes.change_api)
    app.router.add_post("/{api_name}", routes.submit, expect_handler=defer_continue)
    app.router.add_post("/{api_name}/", routes.submit, expect_handler=defer_continue)
    letters = None if dead_letters is None else DeadLetterRoutes(gateway, dead_letters, routes.queue_of, priorities)
    if letters is not None:  # before those of any id
        letters.add(app.router, "/{api_name}", routes.served_at)
    overview = OverviewRoutes(gateway, queue_counter, routes.queue_of, priorities)
    overview.add(app.router, "/{api_name}", routes.served_at)
    app.router.add_get("/{api_name}/{request_id}", routes.report)
    app.router.add_delete("/{api_name}/{request_id}", routes.cancel)
    app.router.add_get("/{api_name}/{request_id}/events", routes.events, allow_head=False)
    copies = Copies(observe)
    app.on_shutdown.append(lambda _: copies.close())
    for endpoint in endpoints:
        if forwarder is not None and endpoint.split is not None:
            splitter = Splitter(endpoint.api_name, endpoint.split, forwarder, copies, observe, Random())  # noqa: S311 - no secret
            forwarded.add(app.router.add_route("*", endpoint.path, splitter.forward, expect_handler=defer_continue))
            _add_refused(app.router, routes, endpoint, f"{endpoint.path}/{{rest:.*}}")
        elif forwarder is not None and endpoint.address is not None:
            forwarded |= _add_forwarded(
                app.router, partial(forwarder.forward, endpoint, endpoint.address), endpoint.path
            )
        elif jobs is None or endpoint.job_api is None:
            _add_endpoint(app.router, routes, endpoint)
        if endpoint.kind == "AsyncAPI":
            find_api = partial(routes.served, endpoint.api_name)
            overview.add(app.router, endpoint.path, find_api)
            if letters is not None:
                letters.add(app.router, endpoint.path, find_api)
    if jobs is not None:
        add_job_routes(app, jobs, is_draining, taken=queues)
        add_operator_routes(app, jobs, endpoints, queues)
    add_list_of_apis(app, endpoints, queues, has_jobs=jobs is not None)
    add_document_routes(app, endpoints, queues, priorities, has_tokens=access.tokens is not None)
    return app


def _add_endpoint(router: web.UrlDispatcher, routes: Routes, endpoint: Endpoint) -> None:
    """Add the routes of an API. Of two paths that match, the router takes that with more fixed segments."""
    if endpoint.kind == "AsyncAPI":
        submit = partial(routes.submit_to, endpoint.api_name)
        find_api = partial(routes.served, endpoint.api_name)
        router.add_get(endpoint.path, partial(routes.apis.list, find_api))
        router.add_put(endpoint.path, partial(routes.apis.change, find_api))
        router.add_post(endpoint.path, submit, expect_handler=defer_continue)
        router.add_post(f"{endpoint.path}/", submit, expect_handler=defer_continue)
        router.add_get(f"{endpoint.path}/{{request_id}}", partial(routes.report_of, endpoint.api_name))
        router.add_delete(f"{endpoint.path}/{{request_id}}", partial(routes.cancel_of, endpoint.api_name))
        events = partial(routes.events_of, endpoint.api_name)
        router.add_get(f"{endpoint.path}/{{request_id}}/events", events, allow_head=False)
    else:
        _add_refused(router, routes, endpoint, endpoint.path, f"{endpoint.path}/{{rest:.*}}")


def _add_refused(router: web.UrlDispatcher, routes: Routes, endpoint: Endpoint, *paths: str) -> None:
    """Add the routes of an API at which nothing of it is served."""
    for path in paths:
        router.add_route("*", path, partial(routes.refuse, endpoint.api_name), expect_handler=defer_continue)


def _add_forwarded(router: web.UrlDispatcher, forward: Handler, endpoint: str) -> set[web.AbstractRoute]:
    """Add the routes of a RealtimeAPI: every method, and every path behind its endpoint, with line ends in it, too."""
    return {
        router.add_route("*", path, forward, expect_handler=defer_continue)
        for path in (endpoint, f"{endpoint}/{{rest:[\\s\\S]*}}")
    }


def make_runner(app: web.Application) -> web.AppRunner:
    """Return a runner that does not change bodies, and whose clean-up waits for requests in progress."""
    return web.AppRunner(
        app,
        access_log=None,
        logger=server_log("dequeuer.gateway.http"),
        auto_decompress=False,  # the container must receive the payload unchanged
        max_field_size=MAX_HEADER_BYTES,
        # The defaults refuse targets and fields that realtime APIs get from their proxies. More than these is 400.
        max_line_size=MAX_HEADER_BYTES,
        max_headers=MAX_HEAD_FIELDS,
        shutdown_timeout=CANCEL_TIMEOUT_S,
    )
