"""The gateway's HTTP answers: results spliced in as they are stored, errors as plain text."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Mapping
from datetime import UTC, datetime

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler

from dequeuer.core.errors import DequeuerError, clip
from dequeuer.gateway import errors
from dequeuer.gateway.model import Report
from dequeuer.gateway.shelf import busy
from dequeuer.sinks.base import Payload

IDLE_TIMEOUT_S = 60.0
"""For each piece of a result, from the store and to the client."""

_STATUS: Mapping[type[errors.RefusedError], int] = {
    errors.InvalidRequestError: 400,
    errors.UploadBrokenError: 400,
    errors.UnknownApiError: 404,
    errors.UnknownRequestError: 404,
    errors.UploadStalledError: 408,
    errors.PayloadTooLargeError: 413,
    errors.HeadersTooLargeError: 431,
    errors.BusyError: 503,
}


def json_answer(document: Mapping[str, object]) -> web.Response:
    """Return a JSON answer as Go's encoder writes it, which ends with a newline."""
    return web.Response(body=_encode(document) + b"\n", headers={"Content-Type": "application/json"})


async def report_answer(request: web.Request, request_id: str, report: Report) -> web.StreamResponse:
    """Answer with what is known of a request. The result is not parsed: its numbers stay as they are."""
    document = {"id": request_id, "status": report.status}
    if report.error is not None:
        document["error"] = report.error
    if report.result is None:
        return json_answer(document)
    begin = _encode(document)[:-1] + b',"result":'
    return await _splice(request, begin, report.result, b',"timestamp":%b}\n' % _encode(_rfc3339(report.result)))


async def _splice(request: web.Request, begin: bytes, payload: Payload, end: bytes) -> web.StreamResponse:
    answer = web.StreamResponse(headers={"Content-Type": "application/json"})
    answer.content_length = len(begin) + payload.size + len(end)
    if request.method == "HEAD":
        return answer
    try:
        # Before the status line, so that a store that fails right away is told as an error.
        async with asyncio.timeout(IDLE_TIMEOUT_S):
            chunk = await anext(payload.chunks, b"")
    except (DequeuerError, TimeoutError) as error:
        raise busy(error) from error
    await answer.prepare(request)
    try:
        await answer.write(begin)
        while chunk:
            async with asyncio.timeout(IDLE_TIMEOUT_S):
                await answer.write(chunk)
                chunk = await anext(payload.chunks, b"")
        await answer.write_eof(end)
    except (DequeuerError, OSError) as error:
        # OSError includes the time-out and a client that is gone. Too late for a status: a cut answer
        # (shorter than its Content-Length) is the one sign left that the result is not whole.
        structlog.get_logger().warning("result_cut_off", error=clip(f"{type(error).__name__}: {error}"))
        if request.transport is not None:
            request.transport.abort()
    finally:
        if isinstance(payload.chunks, AsyncGenerator):
            await payload.chunks.aclose()
    return answer


@web.middleware
async def answer_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn exceptions into answers. Their text is for the client; their cause goes to the log only."""
    log = structlog.get_logger()
    try:
        return await handler(request)
    except errors.RefusedError as error:
        status = _STATUS[type(error)]
        cause = clip(f"{type(error.__cause__).__name__}: {error.__cause__}") if error.__cause__ else ""
        log.log(40 if status >= 500 else 20, "request_refused", status=status, error=clip(str(error)), cause=cause)
        return _text(status, str(error))
    except web.HTTPMethodNotAllowed as error:
        allowed = ", ".join(sorted(error.allowed_methods))
        answer = _text(405, f"{clip(request.method)} is not allowed here: use {allowed}")
        answer.headers["Allow"] = allowed
        return answer
    except web.HTTPNotFound:
        return _text(404, "no such path: POST /<api name> submits a request, GET /<api name>/<id> tells its status")
    except Exception:  # a bug costs one request, not the process
        log.exception("request_error")
        return _text(500, "internal error of the gateway: see its log")


def _text(status: int, message: str) -> web.Response:
    answer = web.Response(status=status, body=f"error: {message}".encode(), headers={"Content-Type": "text/plain"})
    if status == 503:
        answer.headers["Retry-After"] = "1"
    return answer


def _encode(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _rfc3339(payload: Payload) -> str:
    # S3 knows whole seconds only, and Go's encoder leaves out an empty fraction.
    return datetime.fromtimestamp(int(payload.modified_at), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
