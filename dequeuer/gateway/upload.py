"""What is taken from an incoming HTTP request: the payload, its type, the headers to store."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection

from aiohttp import HttpVersion11, hdrs, web

from dequeuer.gateway.errors import UploadBrokenError, UploadStalledError

IDLE_TIMEOUT_S = 60.0
"""A client that sends nothing for so long in the middle of its payload is given up."""
UNKNOWN_TYPE = "binary/octet-stream"
"""What S3 itself puts down for an object without a type, as under Cortex."""

# They belong to the client's connection with this server; Go keeps them from Cortex likewise. A stored
# Expect would make the sidecar's request wait for a "100 Continue" that containers do not send.
_NOT_STORED = frozenset({"host", "transfer-encoding", "trailer", "expect"})
_TYPE_CHARS = 256


def stored_headers(request: web.Request, *, without: Collection[str]) -> list[tuple[str, str]]:
    """Return the headers for headers.json, in order, repeated ones repeated, but those `without`."""
    dropped = _NOT_STORED | {name.lower() for name in without}
    pairs = ((_text(name), _text(value)) for name, value in request.raw_headers)
    return [(name, value) for name, value in pairs if name.lower() not in dropped]


def content_type_of(request: web.Request) -> str:
    """Return the Content-Type that the payload's object gets."""
    given = request.headers.get(hdrs.CONTENT_TYPE, "")
    return given if given and len(given) <= _TYPE_CHARS and given.isascii() and given.isprintable() else UNKNOWN_TYPE


async def no_early_continue(_request: web.Request) -> None:
    """Do not ask for the payload yet: `body_of` does, once the request is known to be welcome."""


async def body_of(request: web.Request) -> AsyncIterator[bytes]:
    """Yield the payload as it comes.

    Raises `UploadBrokenError` when the client is gone or its framing is wrong, `UploadStalledError` when
    nothing comes any more.
    """
    if request.version >= HttpVersion11 and request.headers.get(hdrs.EXPECT, "").lower() == "100-continue":
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0  # the server must not take it for the beginning of the answer
    while True:
        try:
            async with asyncio.timeout(IDLE_TIMEOUT_S):
                chunk = await request.content.readany()
        except TimeoutError:
            message = f"nothing of the payload has come for {IDLE_TIMEOUT_S:g} s: nothing was enqueued, send it again"
            raise UploadStalledError(message) from None
        except (OSError, web.RequestPayloadError) as error:
            message = "the payload broke off or is malformed: nothing was enqueued"
            raise UploadBrokenError(message) from error
        if not chunk:
            return
        yield chunk


def _text(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")
