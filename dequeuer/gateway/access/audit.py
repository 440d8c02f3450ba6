"""The audit log: one line for each change that somebody asked for, and for each request that was not let in.

Hazard: a line holds no token, no value of a header and nothing of a payload.
"""

from __future__ import annotations

from typing import Final

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler

from dequeuer.core.errors import clip
from dequeuer.gateway.access.caller import caller_name
from dequeuer.gateway.access.places import Place, Places

MAX_ID_CHARS: Final = 128
_REFUSED: Final = frozenset({401, 403, 429})
_ID: Final = web.RequestKey("dequeuer_audited_id", str)


def note_id(request: web.Request, made_id: str) -> None:
    """Note the id of what a request made, for its line."""
    request[_ID] = made_id


class Audit:
    """Writes the lines. `places`: see `Places`."""

    def __init__(self, places: Places) -> None:
        self._places = places
        self._log = structlog.get_logger()

    async def watch(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Return the response of `handler`, which turns errors into responses."""
        status: int | None = None  # the client left, or the gateway stopped, first
        try:
            response = await handler(request)
            status = response.status
        finally:
            place = self._places.of(request)
            if place is not None and request.method != "OPTIONS" and _is_written(place, status):
                self._write(request, place, status)
        return response

    def _write(self, request: web.Request, place: Place, status: int | None) -> None:
        named = request.match_info.get("request_id") or request.query.get("jobID") or ""
        self._log.info(
            "audit",
            caller=caller_name(request),
            address=request.remote or "",
            action=place.permission,
            method=clip(request.method, 16),
            api_name=clip(place.api_name or "", MAX_ID_CHARS),
            id=clip(request.get(_ID, named), MAX_ID_CHARS),
            outcome=_outcome(status),
            status=status,
        )


def _is_written(place: Place, status: int | None) -> bool:
    return status in _REFUSED or (place.permission != "read" and not place.is_forwarded)


def _outcome(status: int | None) -> str:
    if status is None:
        return "abandoned"
    if status in _REFUSED:
        return "refused"
    return "done" if status < 400 else "failed"
