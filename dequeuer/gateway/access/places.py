"""What a request asks for: the API and the permission, of the route that will handle it.

Hazard: nothing here reads the path again. A second reading could find another API than the one that gets the request
(`..`, `%2F`, two slashes, an endpoint that is the name of another API).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from aiohttp import web

from dequeuer.gateway.access.caller import Permission
from dequeuer.gateway.endpoints import JOB_PREFIXES, Endpoint, Endpoints

Form = Literal["text", "operator", "problem"]
"""How the route writes its errors: as Cortex's async gateway, as its operator, or RFC 9457."""

API_NAME_HEADER: Final = "X-Cortex-API-Name"
OPEN: Final = frozenset({"/healthz", "/verifycortex"})
"""Paths that tell nothing about any API: probes of load balancers and Cortex's CLI send no token."""
OPENAPI_PATHS: Final = ("/openapi.json", "/~openapi.json")
"""Of the document. The first one may be that of an API, which wins; no endpoint, name or id has the tilde."""
APIS_PATH: Final = "/_apis"
"""Of the list of APIs. It may be the endpoint of an API, which wins; no name or id begins with an underscore."""
_FOR_ALL: Final = frozenset({*OPENAPI_PATHS, APIS_PATH})
_REALTIME: Final = frozenset({"RealtimeAPI", "TrafficSplitter"})
JOB_PATTERNS: Final[Mapping[str, str]] = {kind: f"/{prefix}/{{api_name}}" for kind, prefix in JOB_PREFIXES.items()}
"""Of the routes of jobs at the names of their APIs, by the kinds of the APIs."""
OPERATOR_PATTERNS: Final = frozenset(
    {"/get", "/get/{api_name}", "/deploy", "/refresh/{api_name}", "/delete/{api_name}"}
)
"""Of Cortex's operator. An API whose path begins like one of them wins; the application has no such route then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """What a request asks for.

    Attributes:
        api_name: None: the route belongs to no API, so no token allows it.
        permission: that it needs.
        form: of the errors.
        is_forwarded: it goes to a RealtimeAPI.
        is_for_all: any token that counts allows it; it tells each caller what that one may see.
    """

    api_name: str | None
    permission: Permission
    form: Form
    is_forwarded: bool = False
    is_for_all: bool = False


class Places:
    """The routes of the gateway. `endpoints`: the APIs of cortex.yaml."""

    def __init__(self, endpoints: Endpoints) -> None:
        # The longest first: of two that begin alike, it is the one that the router chose.
        self._endpoints = sorted(endpoints, key=lambda one: len(one.path), reverse=True)
        self._found: dict[str, Endpoint | None] = {}  # by the patterns of the routes, which are as many as there are

    def of(self, request: web.Request) -> Place | None:
        """Return what a request asks for; None: nothing that is protected, or no route matches."""
        resource = request.match_info.route.resource
        if resource is None or resource.canonical in OPEN:
            return None
        pattern = resource.canonical
        endpoint = self.endpoint_of(pattern)
        if endpoint is None and pattern in _FOR_ALL:
            return Place(api_name=None, permission="read", form="problem", is_for_all=True)
        if endpoint is not None:
            rest = pattern[len(endpoint.path) :]
            if endpoint.kind in _REALTIME:
                return Place(api_name=endpoint.api_name, permission="submit", form="text", is_forwarded=True)
            return _place(request, endpoint.api_name, rest, is_operator=endpoint.kind in JOB_PATTERNS)
        for prefix in JOB_PATTERNS.values():
            if _is_below(pattern, prefix):
                rest = pattern.removeprefix(prefix)
                return _place(request, request.match_info["api_name"], rest, is_operator=True)
        return _of_request(request, pattern)

    def pattern_of(self, pattern: str) -> str:
        """Return the pattern of a route with a word in the place of the API: the same for all APIs of a kind."""
        found = self.endpoint_of(pattern)
        if found is None:
            return pattern if pattern == "/" else pattern.removesuffix("/")
        if found.kind in _REALTIME:
            return "/{realtime}"
        name = JOB_PATTERNS.get(found.kind, "/{api_name}")
        return f"{name}{pattern[len(found.path) :]}".removesuffix("/")

    def endpoint_of(self, pattern: str) -> Endpoint | None:
        """Return the API whose endpoint the pattern of a route begins with."""
        if pattern not in self._found:
            self._found[pattern] = next((one for one in self._endpoints if _is_below(pattern, one.path)), None)
        return self._found[pattern]


def _of_request(request: web.Request, pattern: str) -> Place:
    if pattern in OPERATOR_PATTERNS:
        name = request.match_info.get("api_name")
        permission = _permission(request.method, pattern)
        return Place(api_name=name, permission=permission, form="operator", is_for_all=name is None)
    if _is_below(pattern, "/{api_name}"):
        return _place(request, request.match_info["api_name"], pattern.removeprefix("/{api_name}"))
    if (api_name := api_instead_of_id(request)) is not None:
        return _place(request, api_name, "")
    if pattern == "/" or _is_below(pattern, "/{request_id}"):
        return _place(request, request.headers.get(API_NAME_HEADER, ""), pattern.removesuffix("/"))
    return Place(api_name=None, permission="control", form="problem")


def api_instead_of_id(request: web.Request) -> str | None:
    """Return the API whose requests `GET /<api name>` lists; None for any other request.

    It has the form of `GET /<id>` in a cluster, whose requests have a header with the API.
    """
    is_in_cluster = bool(request.headers.get(API_NAME_HEADER))
    resource = request.match_info.route.resource
    if is_in_cluster or request.method not in {"GET", "HEAD"} or resource is None:
        return None
    return request.match_info["request_id"] if resource.canonical == "/{request_id}" else None


def _is_below(pattern: str, prefix: str) -> bool:
    return pattern == prefix or pattern.startswith(f"{prefix}/")


def _place(request: web.Request, api_name: str, rest: str, *, is_operator: bool = False) -> Place:
    """`rest`: of the pattern, behind the API."""
    permission, form = _permission(request.method, rest), _form(request, rest, is_operator=is_operator)
    return Place(api_name=api_name, permission=permission, form=form)


def _permission(method: str, rest: str) -> Permission:
    if method in {"GET", "HEAD"}:
        return "read"
    return "submit" if method == "POST" and rest in {"", "/"} else "control"


def _form(request: web.Request, rest: str, *, is_operator: bool) -> Form:
    """Return the form of the errors of a route: Cortex's where Cortex has the route."""
    if is_operator:
        is_cortex = request.method in {"POST", "DELETE"} or (request.method == "GET" and "jobID" in request.query)
        return "operator" if is_cortex and not rest else "problem"
    is_cortex = (request.method == "POST" and rest in {"", "/"}) or (
        request.method in {"GET", "HEAD"} and rest == "/{request_id}"
    )
    return "text" if is_cortex else "problem"
