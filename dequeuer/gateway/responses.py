"""The gateway's HTTP responses: results are copied as they are stored, errors are plain text."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from types import MappingProxyType

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler

from dequeuer.core.errors import DequeuerError, clip
from dequeuer.gateway import errors
from dequeuer.gateway.model import Report
from dequeuer.gateway.problems import ProblemError, problem_response
from dequeuer.gateway.refusal_reason import note_reason
from dequeuer.gateway.request_store import store_busy_error
from dequeuer.gateway.status_document import cortex_fields, document, encode, more_fields, rfc3339
from dequeuer.sinks.base import Payload

IDLE_TIMEOUT_S = 60.0
"""For each chunk of a result: reading it from the store and writing it to the client."""

_STATUS: Mapping[type[errors.GatewayError], int] = {
    errors.InvalidRequestError: 400,
    errors.UploadBrokenError: 400,
    errors.UnknownApiError: 404,
    errors.UnknownRequestError: 404,
    errors.UploadStalledError: 408,
    errors.PayloadTooLargeError: 413,
    errors.HeadersTooLargeError: 431,
    errors.BusyError: 503,
    errors.StoreRefusesError: 503,
}


def json_response(fields: Mapping[str, object], status: int = 200) -> web.Response:
    """Return a JSON response with a newline at its end, as Go's encoder writes it."""
    return web.Response(status=status, body=encode(fields) + b"\n", headers={"Content-Type": "application/json"})


async def report_response(
    request: web.Request,
    request_id: str,
    report: Report,
    headers: Mapping[str, str] = MappingProxyType({}),
) -> web.StreamResponse:
    """Send the status of a request and its result. The result is not parsed, so its numbers do not change.

    Args:
        request: of the client.
        request_id: that it asks about.
        report: with the result opened.
        headers: more of them.
    """
    if report.result is None:
        response = json_response(document(request_id, report))
        response.headers.update(headers)
        return response
    begin = encode(cortex_fields(request_id, report))[:-1] + b',"result":'
    end = encode({"timestamp": rfc3339(report.result.modified_at), **more_fields(report)})
    return await _stream_result(request, begin, report.result, b",%b\n" % end[1:], headers)


async def payload_response(request: web.Request, payload: Payload) -> web.StreamResponse:
    """Send what a request was submitted with, as a file: a client chose its bytes and its type."""
    headers = {
        "Content-Type": "application/octet-stream",
        "Content-Disposition": "attachment",
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "no-store",
    }
    return await _stream_result(request, b"", payload, b"", headers)


async def _stream_result(
    request: web.Request, begin: bytes, payload: Payload, end: bytes, headers: Mapping[str, str]
) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "application/json", **headers})
    response.content_length = len(begin) + payload.size + len(end)
    try:
        if request.method != "HEAD":
            await _send(request, response, begin, payload, end)
    finally:
        await payload.close()
    return response


async def _send(request: web.Request, response: web.StreamResponse, begin: bytes, payload: Payload, end: bytes) -> None:
    try:
        # Read before the status line is sent: an error of the store can still become an error response.
        async with asyncio.timeout(IDLE_TIMEOUT_S):
            chunk = await anext(payload.chunks, b"")
    except (DequeuerError, TimeoutError) as error:
        raise store_busy_error(error) from error
    await response.prepare(request)
    try:
        await response.write(begin)
        while chunk:
            async with asyncio.timeout(IDLE_TIMEOUT_S):
                await response.write(chunk)
                chunk = await anext(payload.chunks, b"")
        await response.write_eof(end)
    except (DequeuerError, OSError) as error:
        # OSError includes a timeout and a client that has disconnected. The status line has been sent: the client can
        # only detect the missing part by the Content-Length, so the connection is aborted.
        structlog.get_logger().warning("result_cut_off", error=clip(f"{type(error).__name__}: {error}"))
        if request.transport is not None:
            request.transport.abort()


@web.middleware
async def errors_to_responses(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn exceptions into responses. The client gets their text; their cause is only logged."""
    log = structlog.get_logger()
    try:
        return await handler(request)
    except errors.GatewayError as error:
        status = error.status if isinstance(error, ProblemError) else _STATUS[type(error)]
        if isinstance(error, ProblemError):
            note_reason(request, error.code)
        elif isinstance(error, errors.StoreRefusesError):
            note_reason(request, "store_refused")
        cause = clip(f"{type(error.__cause__).__name__}: {error.__cause__}") if error.__cause__ else ""
        level = logging.ERROR if status >= 500 else logging.INFO
        log.log(level, "request_refused", status=status, error=clip(str(error)), cause=cause)
        return problem_response(error) if isinstance(error, ProblemError) else _text_response(status, str(error))
    except web.HTTPMethodNotAllowed as error:
        allowed = ", ".join(sorted(error.allowed_methods))
        response = _text_response(405, f"{clip(request.method)} is not allowed here: use {allowed}")
        response.headers["Allow"] = allowed
        return response
    except web.HTTPNotFound:
        return _text_response(
            404, "no such path: POST /<api name> submits a request, GET /<api name>/<id> returns its status"
        )
    except Exception:  # a bug fails one request, not the process
        log.exception("request_error")
        return _text_response(500, "internal error of the gateway: see its log")


def _text_response(status: int, message: str) -> web.Response:
    response = web.Response(status=status, body=f"error: {message}".encode(), headers={"Content-Type": "text/plain"})
    if status == 503:
        response.headers["Retry-After"] = "1"
    return response
