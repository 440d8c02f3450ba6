"""Lets requests in, or not: who it is, whether it may, whether it comes too soon. Nothing of a body is read before."""

from __future__ import annotations

from dataclasses import dataclass

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler

from dequeuer.core.errors import clip
from dequeuer.gateway.access.audit import Audit
from dequeuer.gateway.access.body_limit import body_limit
from dequeuer.gateway.access.caller import Rate, set_caller
from dequeuer.gateway.access.places import Place, Places
from dequeuer.gateway.access.rate_limit import RateLimiter, address_key
from dequeuer.gateway.access.refusals import forbidden, too_large, too_many, unauthorized
from dequeuer.gateway.access.tokens import Tokens
from dequeuer.gateway.endpoints import Endpoints


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """Who may call.

    Attributes:
        tokens: that count; None: anyone may call.
        rate: of each caller, or, where callers are not told apart, of each address; None: no limit.
        is_audited: whether the audit log is written.
    """

    tokens: Tokens | None = None
    rate: Rate | None = None
    is_audited: bool = False


ANYONE = Access()


class Gate:
    """Decides about requests.

    Args:
        access: who may call.
        places: see `Places`.
        limiter: counts.
    """

    def __init__(self, access: Access, places: Places, limiter: RateLimiter) -> None:
        self._access = access
        self._places = places
        self._limiter = limiter

    async def admit(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Return the response of `handler`, or that of a refusal."""
        place = self._places.of(request)
        refusal = self._refusal(request, place) if place is not None else None
        return refusal if refusal is not None else await handler(request)

    def _refusal(self, request: web.Request, place: Place) -> web.Response | None:
        tokens = self._access.tokens
        caller = tokens.find(request.headers.getall(hdrs.AUTHORIZATION, ())) if tokens is not None else None
        if caller is None:
            # Whoever guesses is slowed down, too.
            too_soon = self._too_many(place, f"address {address_key(request.remote)}", self._access.rate)
            if too_soon is None and tokens is not None:
                return unauthorized(place.form)
            return too_soon
        set_caller(request, caller)
        too_soon = self._too_many(place, f"caller {caller.name}", caller.rate or self._access.rate)
        if too_soon is not None:
            return too_soon
        if place.api_name is None and not place.is_for_all:
            return forbidden(place.form, "no token allows this path")
        if place.api_name is not None and not caller.allows(place.api_name, place.permission):
            text = f"the token of {caller.name} does not allow {place.permission} for API {clip(place.api_name, 128)}"
            return forbidden(place.form, text)
        return _too_large(request, place)

    def _too_many(self, place: Place, key: str, rate: Rate | None) -> web.Response | None:
        wait_s = self._limiter.take(key, rate) if rate is not None else 0.0
        return too_many(place.form, wait_s) if wait_s else None


def _too_large(request: web.Request, place: Place) -> web.Response | None:
    """Return the refusal of a body that is announced as too large. What is not announced is counted as it is read."""
    limit = body_limit(request)
    return too_large(place.form, limit.text) if limit is not None and limit.is_passed_by(request) else None


def control_access(app: web.Application, access: Access, endpoints: Endpoints) -> None:
    """Put the gate before the routes of `app`, behind the middlewares that it has already."""
    places = Places(endpoints)
    gate, audit = Gate(access, places, RateLimiter()), Audit(places)

    @web.middleware
    async def admit(request: web.Request, handler: Handler) -> web.StreamResponse:
        return await gate.admit(request, handler)

    @web.middleware
    async def watch(request: web.Request, handler: Handler) -> web.StreamResponse:
        return await audit.watch(request, handler)

    if access.tokens is not None or access.rate is not None:
        app.middlewares.append(admit)
    if access.is_audited:
        app.middlewares.insert(0, watch)  # outermost: it sees the status that errors become
