"""Counts the requests of the gateway, by the route and the API that they are for, and how they end."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Final

from aiohttp import web
from aiohttp.typedefs import Handler

from dequeuer.core import clock
from dequeuer.core.events import GatewayMeasured, GatewayRequestEnded, Observer, StatusClass
from dequeuer.gateway.access.places import Places
from dequeuer.gateway.endpoints import Endpoints
from dequeuer.gateway.refusal_reason import reason_of
from dequeuer.gateway.service import Gateway

WAITING: Final[web.AppKey[Callable[[], int]]] = web.AppKey("dequeuer_waiting")
"""How many clients wait for requests now."""
JOB_STREAMS: Final[web.AppKey[Callable[[], int]]] = web.AppKey("dequeuer_job_streams")
"""How many clients follow jobs now."""
_NO_ROUTE: Final = "none"
_OTHER_API: Final = "other"
_CLIENT_LEFT: Final = 499
"""What the forwarder notes when the client of a realtime API has left."""
_CLASSES: Final[tuple[StatusClass, ...]] = ("1xx", "2xx", "3xx", "4xx", "5xx")


class RequestMeter:
    """Counts requests.

    Hazard: clients choose paths and names of APIs. A label is a route of the application, or an API that it serves.

    Args:
        places: see `Places`.
        api_names: of the APIs that are served.
        observer: gets a `GatewayRequestEnded` for each request.
    """

    def __init__(self, places: Places, api_names: Collection[str], observer: Observer) -> None:
        self._places = places
        self._api_names = frozenset(api_names)
        self._observer = observer
        self._names: dict[web.AbstractRoute, str] = {}
        self.in_flight = 0
        """Requests without a whole response."""

    def route_name(self, route: web.AbstractRoute) -> str:
        """Return method and pattern of a route: the same for all APIs; "none" for one that the application lacks."""
        name = self._names.get(route)
        if name is not None:
            return name
        if route.resource is None:  # made for one request, which no route takes
            return _NO_ROUTE
        name = self._names[route] = f"{route.method} {self._places.pattern_of(route.resource.canonical)}"
        return name

    def route_names(self, app: web.Application) -> frozenset[str]:
        """Return the names of all routes of an application."""
        return frozenset(self.route_name(route) for route in app.router.routes())

    def measured(self, app: web.Application, gateway: Gateway) -> GatewayMeasured:
        """Return what the gateway does now."""
        return GatewayMeasured(
            in_flight=self.in_flight,
            submissions=gateway.submitting,
            waiting=app[WAITING](),
            job_streams=app[JOB_STREAMS]() if JOB_STREAMS in app else 0,
        )

    async def watch(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Return the response of `handler`, which turns errors into responses."""
        began = clock.monotonic()
        status: int | None = None  # the client left, or the gateway stopped, first
        self.in_flight += 1
        try:
            response = await handler(request)
            status = response.status
        finally:
            self.in_flight -= 1
            self._observer(
                GatewayRequestEnded(
                    route=self.route_name(request.match_info.route),
                    api_name=self._api_of(request),
                    status=status_class(status),
                    duration_s=clock.monotonic() - began,
                    reason=reason_of(request, status),
                )
            )
        return response

    def _api_of(self, request: web.Request) -> str:
        place = self._places.of(request)
        if place is None or place.api_name is None:
            return ""
        return place.api_name if place.api_name in self._api_names else _OTHER_API


def status_class(status: int | None) -> StatusClass:
    """Return the class of a status; None: there was no response."""
    if status is None or status == _CLIENT_LEFT:
        return "none"
    return _CLASSES[status // 100 - 1] if 100 <= status <= 599 else "other"


def measure_requests(
    app: web.Application, endpoints: Endpoints, api_names: Collection[str], observer: Observer
) -> RequestMeter:
    """Count the requests of `app`, which has its routes and all other middlewares already."""
    meter = RequestMeter(Places(endpoints), api_names, observer)

    @web.middleware
    async def watch(request: web.Request, handler: Handler) -> web.StreamResponse:
        return await meter.watch(request, handler)

    app.middlewares.insert(0, watch)  # outermost: it sees the status that errors become
    return meter
