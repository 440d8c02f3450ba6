"""Makes the document from the routes of the application: what has no route is not in it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Final

from aiohttp import web

from dequeuer import __version__
from dequeuer.gateway.access.places import JOB_PATTERNS, OPERATOR_PATTERNS, Places
from dequeuer.gateway.endpoints import Endpoint, Endpoints
from dequeuer.gateway.openapi.operations import ANY_BODY, OPERATIONS, REALTIME, Operation
from dequeuer.gateway.openapi.parameters import priority_parameter
from dequeuer.gateway.openapi.schemas import SCHEMAS, Json
from dequeuer.gateway.priorities import NO_PRIORITIES, Priorities

_NAME: Final = "{api_name}"
_REALTIME_METHODS: Final = ("get", "put", "post", "delete", "options", "head", "patch")
_WITHOUT_BODY: Final = frozenset({"get", "head", "delete", "options"})
_REST: Final[Json] = {
    "name": "rest",
    "in": "path",
    "required": True,
    "description": "Any path: it may have slashes.",
    "schema": {"type": "string"},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """An operation at a path of the application.

    Attributes:
        api_name: whose it is; None: of no API.
        path: as a template of the document.
        method: in lower case.
        operation: what it does.
    """

    api_name: str | None
    path: str
    method: str
    operation: Operation


class Descriptions:
    """The operations of an application.

    Args:
        endpoints: the APIs of cortex.yaml.
        queue_names: the APIs that are served at their names.
        priorities: of the APIs.
    """

    def __init__(
        self, endpoints: Endpoints, queue_names: Collection[str], priorities: Priorities = NO_PRIORITIES
    ) -> None:
        self._priorities = priorities
        self._places = Places(endpoints)
        self._names = {
            "AsyncAPI": sorted(queue_names),
            **{kind: [one.api_name for one in endpoints if one.kind == kind] for kind in JOB_PATTERNS},
        }
        self._all_names = sorted({*queue_names, *(one.api_name for one in endpoints)})

    def name_of(self, route: web.AbstractRoute) -> str | None:
        """Return the name of the operation of a route; None: it has none, because it repeats or refuses another."""
        if route.resource is None:
            return None
        pattern = route.resource.canonical
        if pattern != "/" and pattern.endswith("/"):
            return None
        return f"{route.method} {self._places.pattern_of(pattern)}"

    def of(self, routes: Iterable[web.AbstractRoute]) -> list[Described]:
        """Return all operations. At the same path an endpoint wins over a name, as in the router."""
        found: dict[tuple[str, str], Described] = {}
        for route in sorted(routes, key=_is_at_endpoint):
            found |= {(one.path, one.method): one for one in self._of_route(route)}
        return [self._with_priorities(one) for one in found.values()]

    def _with_priorities(self, one: Described) -> Described:
        place = one.operation.takes_priority
        # Where a header names the API, the document does not know which priorities it has.
        names = () if one.api_name is None else self._priorities.names_of(one.api_name)
        has_some = bool(self._priorities) if one.api_name is None else bool(names)
        if place is None or not has_some:
            return one
        parameters = (*one.operation.parameters, priority_parameter(place, names))
        return replace(one, operation=replace(one.operation, parameters=parameters))

    def _of_route(self, route: web.AbstractRoute) -> Iterator[Described]:
        name, resource = self.name_of(route), route.resource
        if name is None or resource is None:
            return
        pattern = resource.canonical
        endpoint = self._places.endpoint_of(pattern)
        if endpoint is not None and route.method == "*":
            yield from _realtime(endpoint, pattern)
            return
        method = route.method.lower()
        operation = OPERATIONS.get(name.replace("HEAD ", "GET ", 1))
        if operation is None:
            return
        if _NAME not in pattern:
            owner = endpoint.api_name if endpoint is not None else None
            yield Described(api_name=owner, path=pattern, method=method, operation=operation)
            if pattern == "/{request_id}" and method != "delete":
                # The same route lists the requests of an API, at its name, where no header names one.
                for api_name in self._names["AsyncAPI"]:
                    list_it = OPERATIONS["GET /{api_name}"]
                    yield Described(api_name=api_name, path=f"/{api_name}", method=method, operation=list_it)
            return
        for api_name in self._names_at(pattern):
            path = pattern.replace(_NAME, api_name)
            yield Described(api_name=api_name, path=path, method=method, operation=operation)

    def _names_at(self, pattern: str) -> list[str]:
        """Return the names that a pattern takes."""
        if pattern in OPERATOR_PATTERNS:
            return self._all_names
        return self._names[next((kind for kind, of in JOB_PATTERNS.items() if pattern.startswith(of)), "AsyncAPI")]


def _is_at_endpoint(route: web.AbstractRoute) -> bool:
    return route.resource is None or _NAME not in route.resource.canonical


def _realtime(endpoint: Endpoint, pattern: str) -> Iterator[Described]:
    is_served = endpoint.address is not None or (endpoint.split is not None and pattern == endpoint.path)
    for method in _REALTIME_METHODS if is_served else ():
        yield Described(api_name=endpoint.api_name, path=pattern, method=method, operation=REALTIME)


def make_document(described: Iterable[Described], *, has_tokens: bool) -> dict[str, object]:
    """Return the document. `has_tokens`: callers need a token."""
    paths: dict[str, dict[str, object]] = {}
    for one in described:
        paths.setdefault(one.path, {})[one.method] = _operation(one, has_tokens=has_tokens)
    components: dict[str, object] = {"schemas": SCHEMAS}
    if has_tokens:
        components["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
    return {
        "openapi": "3.1.0",
        "info": {"title": "dequeuer gateway", "version": __version__},
        "paths": paths,
        "components": components,
    }


def _operation(one: Described, *, has_tokens: bool) -> dict[str, object]:
    operation = one.operation
    body = (
        {}
        if operation.body is None or one.method in _WITHOUT_BODY
        else {"requestBody": {"content": _content(operation.body), "required": operation.body is not ANY_BODY}}
    )
    rest = (_REST,) if one.path.endswith("/{rest}") else ()
    parameters = [*operation.parameters, *rest]
    return {
        "operationId": f"{one.method} {one.path}",
        "summary": operation.summary,
        "tags": [operation.tag],
        **({"parameters": parameters} if parameters else {}),
        **body,
        "responses": dict(_responses(one)),
        **({"security": [{"token": []}]} if has_tokens and not operation.is_open else {}),
    }


def _responses(one: Described) -> Iterator[tuple[str, Json]]:
    for status, content in {**one.operation.answers, **one.operation.errors}.items():
        described = {"description": HTTPStatus(status).phrase}
        yield str(status), described if one.method == "head" else {**described, "content": _content(content)}
    if one.operation is REALTIME:
        yield "default", {"description": "What the container answers"}


def _content(by_type: Mapping[str, Json]) -> Mapping[str, Json]:
    return {media_type: {"schema": schema} for media_type, schema in by_type.items()}
