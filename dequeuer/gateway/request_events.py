"""Server-sent events of one request: its status document, each time it changes, until it has ended."""

from __future__ import annotations

import asyncio
from typing import Final

from aiohttp import web

from dequeuer.core.errors import DequeuerError
from dequeuer.gateway.model import Report
from dequeuer.gateway.service import Gateway
from dequeuer.gateway.status_document import cortex_fields, encode, more_fields, rfc3339
from dequeuer.gateway.waiting import Waiting

MAX_RESULT_BYTES: Final = 64 * 1024
"""A larger result is not in the event: its client gets it with the status."""
WRITE_TIMEOUT_S: Final = 60.0
"""A client that reads nothing for this long has gone."""
_HEADERS: Final = {"Content-Type": "text/event-stream", "Cache-Control": "no-store", "X-Accel-Buffering": "no"}
_COMMENT: Final = b":\n\n"


async def send_events(
    request: web.Request, gateway: Gateway, waiting: Waiting, api_name: str, request_id: str
) -> web.StreamResponse:
    """Send the events. Errors before the first one are raised: they still become responses."""
    async with waiting.changes(api_name, request_id) as changes:
        data = await _data(gateway, api_name, request_id, await anext(changes))
        response = web.StreamResponse(headers=_HEADERS)
        try:
            await response.prepare(request)
            await _write(response, data)
            async for report in changes:
                await _write(response, await _data(gateway, api_name, request_id, report))
            await response.write_eof()
        except (OSError, DequeuerError):
            # The client has gone, or reads nothing; or the store is away: the client connects again, and asks again.
            if request.transport is not None:
                request.transport.abort()
    return response


async def _write(response: web.StreamResponse, data: bytes) -> None:
    async with asyncio.timeout(WRITE_TIMEOUT_S):
        await response.write(data)


async def _data(gateway: Gateway, api_name: str, request_id: str, known: Report | None) -> bytes:
    """Return the bytes of an event; None: of a comment that keeps the connection open."""
    if known is None:
        return _COMMENT
    report = await gateway.open_result(api_name, request_id, known, MAX_RESULT_BYTES)
    fields = encode(cortex_fields(request_id, report))[:-1]
    more = more_fields(report)
    if report.result is not None:
        fields += b',"result":' + _line(await gateway.read_result(report.result))
        more = {"timestamp": rfc3339(report.result.modified_at), **more}
    return b"event: status\ndata: " + (fields + b"," + encode(more)[1:] if more else fields + b"}") + b"\n\n"


def _line(body: bytes) -> bytes:
    """Return a result as one line: JSON has line breaks between its tokens only."""
    return body.replace(b"\r", b" ").replace(b"\n", b" ")
