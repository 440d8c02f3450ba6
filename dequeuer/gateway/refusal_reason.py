"""Why the gateway itself refused a request, for its metrics. Each reason is a word of the code, never of a client."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from aiohttp import web

_REASON: Final = web.RequestKey("dequeuer_refusal_reason", str)
_BY_STATUS: Final[Mapping[int, str]] = {
    400: "invalid_request",
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    408: "too_slow",
    409: "conflict",
    413: "payload_too_large",
    422: "conflict",
    429: "too_many_requests",
    431: "headers_too_large",
    500: "bug",
    503: "unavailable",
}
PASSED_ON: Final = ""
"""The status is that of an API: the gateway refused nothing."""


def note_reason(request: web.Request, reason: str) -> None:
    """Note why a request is refused, where its status does not say it."""
    request[_REASON] = reason


def reason_of(request: web.Request, status: int | None) -> str:
    """Return why a request was refused; "" when it was not. `status`: None: there was no response."""
    noted: str | None = request.get(_REASON)
    if noted is not None:
        return noted
    return "" if status is None else _BY_STATUS.get(status, "other" if status >= 400 else "")
