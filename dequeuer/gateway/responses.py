"""The gateway's HTTP responses: results are copied as they are stored, errors are plain text."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncGenerator, Mapping
from datetime import UTC, datetime

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler

from dequeuer.core.errors import DequeuerError, clip
from dequeuer.gateway import errors
from dequeuer.gateway.model import Report
from dequeuer.gateway.request_store import store_busy_error
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
}


def json_response(document: Mapping[str, object]) -> web.Response:
    """Return a JSON response with a newline at its end, as Go's encoder writes it."""
    return web.Response(body=_encode(document) + b"\n", headers={"Content-Type": "application/json"})


async def report_response(request: web.Request, request_id: str, report: Report) -> web.StreamResponse:
    """Send the status of a request and its result. The result is not parsed, so its numbers do not change."""
    document = {"id": request_id, "status": report.status}
    if report.error is not None:
        document["error"] = report.error
    if report.result is None:
        return json_response(document)
    begin = _encode(document)[:-1] + b',"result":'
    return await _stream_result(request, begin, report.result, b',"timestamp":%b}\n' % _encode(_rfc3339(report.result)))


async def _stream_result(request: web.Request, begin: bytes, payload: Payload, end: bytes) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    response.content_length = len(begin) + payload.size + len(end)
    if request.method == "HEAD":
        return response
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
    finally:
        if isinstance(payload.chunks, AsyncGenerator):
            await payload.chunks.aclose()
    return response


@web.middleware
async def errors_to_responses(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn exceptions into responses. The client gets their text; their cause is only logged."""
    log = structlog.get_logger()
    try:
        return await handler(request)
    except errors.GatewayError as error:
        status = _STATUS[type(error)]
        cause = clip(f"{type(error.__cause__).__name__}: {error.__cause__}") if error.__cause__ else ""
        level = logging.ERROR if status >= 500 else logging.INFO
        log.log(level, "request_refused", status=status, error=clip(str(error)), cause=cause)
        return _text_response(status, str(error))
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


def _encode(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _rfc3339(payload: Payload) -> str:
    # S3 stores whole seconds, and Go's encoder omits a fraction of zero.
    return datetime.fromtimestamp(int(payload.modified_at), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
