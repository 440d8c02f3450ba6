"""Serves the document: to each caller what it may see."""

from __future__ import annotations

import json
from collections.abc import Collection
from functools import lru_cache
from typing import Final

from aiohttp import web

from dequeuer.gateway.access.caller import may_see
from dequeuer.gateway.access.places import OPENAPI_PATHS
from dequeuer.gateway.cors import withhold_from_pages
from dequeuer.gateway.endpoints import Endpoints
from dequeuer.gateway.openapi.document import Descriptions, make_document
from dequeuer.gateway.priorities import Priorities

MAX_KEPT: Final = 16
"""Documents in memory: callers that see the same APIs share one."""


class DocumentRoutes:
    """The request handler.

    Args:
        app: with all of its routes.
        descriptions: of the routes.
        has_tokens: callers need a token.
    """

    def __init__(self, app: web.Application, descriptions: Descriptions, *, has_tokens: bool) -> None:
        self._described = descriptions.of(app.router.routes())
        self._api_names = {one.api_name for one in self._described if one.api_name is not None}
        self._has_tokens = has_tokens
        self._document_of = lru_cache(maxsize=MAX_KEPT)(self._make)

    async def respond(self, request: web.Request) -> web.StreamResponse:
        """`GET /openapi.json`."""
        withhold_from_pages(request)
        seen = frozenset(name for name in self._api_names if may_see(request, name))
        return web.Response(body=self._document_of(seen), content_type="application/json")

    def _make(self, seen: frozenset[str]) -> bytes:
        described = [one for one in self._described if one.api_name is None or one.api_name in seen]
        return json.dumps(make_document(described, has_tokens=self._has_tokens), separators=(",", ":")).encode()


def add_document_routes(
    app: web.Application,
    endpoints: Endpoints,
    queue_names: Collection[str],
    priorities: Priorities,
    *,
    has_tokens: bool,
) -> None:
    """Add the routes of the document, which describes those that `app` has already and these.

    `queue_names`: APIs that are served at their names; `priorities`: of the APIs.
    """
    taken = {one.path for one in endpoints} | {f"/{name}" for name in queue_names}
    respond: list[DocumentRoutes] = []

    async def handle(request: web.Request) -> web.StreamResponse:
        return await respond[0].respond(request)

    for path in OPENAPI_PATHS:
        if path not in taken:
            app.router.add_get(path, handle)
    respond.append(DocumentRoutes(app, Descriptions(endpoints, queue_names, priorities), has_tokens=has_tokens))
