"""Reads an incoming HTTP request: the payload, its Content-Type, the headers to store."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Collection

from aiohttp import HttpVersion11, hdrs, web

from dequeuer.gateway.access.body_limit import body_limit
from dequeuer.gateway.errors import PayloadTooLargeError, UploadBrokenError, UploadStalledError

IDLE_TIMEOUT_S = 60.0
"""A client that sends nothing for this long in the middle of its payload gets an error."""
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
DEFAULT_CONTENT_TYPE = "binary/octet-stream"
"""The type that S3 itself gives to an object without one, as with Cortex."""

# These headers concern the client's connection to this server only; Go removes them for Cortex as well. A stored
# Expect would make the sidecar wait for a "100 Continue" that containers do not send.
_NOT_STORED = frozenset({"host", "transfer-encoding", "trailer", "expect"})
MAX_CONTENT_TYPE_CHARS = 256


def stored_headers(request: web.Request, *, without: Collection[str]) -> list[tuple[str, str]]:
    """Return the headers for headers.json in their order, with repetitions, except those named in `without`."""
    dropped = _NOT_STORED | {name.lower() for name in without}
    pairs = ((_decode(name), _decode(value)) for name, value in request.raw_headers)
    return [(name, value) for name, value in pairs if name.lower() not in dropped]


def stored_content_type(request: web.Request) -> str:
    """Return the Content-Type for the object that holds the payload."""
    given = request.headers.get(hdrs.CONTENT_TYPE, "")
    return (
        given
        if given and len(given) <= MAX_CONTENT_TYPE_CHARS and given.isascii() and given.isprintable()
        else DEFAULT_CONTENT_TYPE
    )


async def defer_continue(_request: web.Request) -> None:
    """Do not send "100 Continue" yet: `read_body` sends it after the request has been validated."""


async def read_body(request: web.Request, *, is_asked_for: bool = False) -> AsyncGenerator[bytes, None]:
    """Yield the payload in chunks as they arrive.

    Args:
        request: of the client.
        is_asked_for: a client that waits for "100 Continue" has got it already.

    Raises:
        UploadBrokenError: the client disconnected, or its framing is malformed.
        UploadStalledError: nothing arrived for `IDLE_TIMEOUT_S`.
        PayloadTooLargeError: the caller may not send as much.
    """
    limit, size = body_limit(request), 0
    expects = request.version >= HttpVersion11 and request.headers.get(hdrs.EXPECT, "").lower() == "100-continue"
    if expects and not is_asked_for:
        await request.writer.write(CONTINUE)
        request.writer.output_size = 0  # otherwise the server assumes that the response has been started
    while True:
        try:
            async with asyncio.timeout(IDLE_TIMEOUT_S):
                chunk = await request.content.readany()
        except TimeoutError:
            message = f"no data of the payload arrived for {IDLE_TIMEOUT_S:g} s: nothing was enqueued, send it again"
            raise UploadStalledError(message) from None
        except (OSError, web.RequestPayloadError) as error:
            message = "the payload is incomplete or malformed: nothing was enqueued"
            raise UploadBrokenError(message) from error
        if not chunk:
            return
        size += len(chunk)
        if limit is not None and size > limit.max_bytes:
            raise PayloadTooLargeError(limit.text)
        yield chunk


def _decode(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")
