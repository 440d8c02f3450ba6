"""The responses to requests that are not let in, in the form of the route that they asked for."""

from __future__ import annotations

import math

import structlog
from aiohttp import hdrs, web

from dequeuer.formats.go_json import encode
from dequeuer.gateway.access.places import Form
from dequeuer.gateway.problems import ProblemError, problem_response

_CODES = {401: "unauthorized", 403: "forbidden", 413: "payload_too_large", 429: "too_many_requests"}


def unauthorized(form: Form) -> web.Response:
    """Return the response to a request without a token that counts."""
    text = "this gateway wants a token: send the header `Authorization: Bearer <token>` with a token that is valid"
    response = _refusal(form, 401, text)
    response.headers[hdrs.WWW_AUTHENTICATE] = "Bearer"
    return response


def forbidden(form: Form, text: str) -> web.Response:
    """Return the response to a request that the token does not allow."""
    return _refusal(form, 403, text)


def too_large(form: Form, text: str) -> web.Response:
    """Return the response to a request that announces a larger body than its caller may send."""
    return _refusal(form, 413, text)


def too_many(form: Form, wait_s: float) -> web.Response:
    """Return the response to a request that comes too soon. `wait_s`: until one may come."""
    seconds = max(1, math.ceil(wait_s))
    response = _refusal(form, 429, f"too many requests: send the next one in {seconds} s")
    response.headers[hdrs.RETRY_AFTER] = str(seconds)
    return response


def _refusal(form: Form, status: int, text: str) -> web.Response:
    structlog.get_logger().info("request_refused", status=status, error=text, cause="")
    if form == "text":
        return web.Response(status=status, body=f"error: {text}".encode(), headers={"Content-Type": "text/plain"})
    if form == "operator":
        body = f"{encode({'kind': _CODES[status], 'message': text})}\n"
        return web.Response(status=status, body=body.encode(), headers={"Content-Type": "application/json"})
    return problem_response(ProblemError(status, _CODES[status], text))
