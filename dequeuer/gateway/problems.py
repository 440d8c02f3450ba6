"""Errors of what Cortex does not have: RFC 9457 problem details, instead of Cortex's plain text."""

from __future__ import annotations

import json
from http import HTTPStatus

from aiohttp import web

from dequeuer.gateway.errors import GatewayError


class ProblemError(GatewayError):
    """An error of a header, a parameter or a route of ours.

    Args:
        status: of the response.
        code: for programs.
        text: for people: what was given, what is allowed, what to do.
        retry_after_s: when the same request may succeed; for a status that says so.
    """

    def __init__(self, status: int, code: str, text: str, *, retry_after_s: int = 1) -> None:
        super().__init__(text)
        self.status = status
        self.code = code
        self.retry_after_s = retry_after_s


def problem_response(error: ProblemError) -> web.Response:
    """Return the response for an error."""
    fields = {
        "type": "about:blank",
        "title": HTTPStatus(error.status).phrase,
        "status": error.status,
        "detail": str(error),
        "code": error.code,
    }
    response = web.Response(
        status=error.status,
        body=json.dumps(fields, separators=(",", ":")).encode(),
        headers={"Content-Type": "application/problem+json"},
    )
    if error.status in {409, 429, 503}:
        response.headers["Retry-After"] = str(error.retry_after_s)
    return response
