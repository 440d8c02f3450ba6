"""Which protocol a server speaks that gave no valid HTTP/1 response: three kinds of requests are tried."""

from __future__ import annotations

import asyncio
import contextlib
import re
import ssl
from collections.abc import Sequence
from typing import Final

from dequeuer.http.protocols import HTTP1, guess_protocol
from dequeuer.probes.http_get import USER_AGENT

TIMEOUT_S: Final = 1.0
"""For a connection, and again for the first bytes of a response."""
MAX_RESPONSE_BYTES: Final = 32
"""Enough to recognize a protocol."""
_STATUS_LINE: Final = re.compile(rb"HTTP/1\.[01] [1-5][0-9][0-9][ \r\n]")
_HTTP2_PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\x04\0\0\0\0\0"
"""The preface, and an empty SETTINGS frame (RFC 9113, section 3.4)."""


async def identify(hosts: Sequence[str], port: int) -> str | None:
    """Return `HTTP1` or the name of another protocol; "" when the server sends nothing, None when nothing listens.

    The server gets an HTTP/1 request without effect (OPTIONS), a TLS ClientHello and an HTTP/2 preface, each on its own
    connection, until it responds. Many TLS servers close the connection on a plain request and send nothing.
    """
    for greeting in (_options(hosts[0], port), _client_hello(), _HTTP2_PREFACE):
        data = await _first_response(hosts, port, greeting)
        if data is None:
            return None
        if data:
            return HTTP1 if _STATUS_LINE.match(data) else guess_protocol(data)
    return ""


def _options(host: str, port: int) -> bytes:
    authority = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    lines = [f"Host: {authority}", f"User-Agent: {USER_AGENT}", "Connection: close"]
    return "\r\n".join(["OPTIONS / HTTP/1.1", *lines, "", ""]).encode()


def _client_hello() -> bytes:
    outgoing = ssl.MemoryBIO()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    with contextlib.suppress(ssl.SSLWantReadError):
        context.wrap_bio(ssl.MemoryBIO(), outgoing).do_handshake()
    return outgoing.read()


async def _first_response(hosts: Sequence[str], port: int, greeting: bytes) -> bytes | None:
    """Return the first bytes of the response; None when nothing listens."""
    for host in hosts:
        try:
            async with asyncio.timeout(TIMEOUT_S):
                reader, writer = await asyncio.open_connection(host, port)
        except ConnectionRefusedError:
            continue
        except (OSError, ValueError):
            return b""
        try:
            writer.write(greeting)
            return await _first_bytes(reader)
        finally:
            writer.transport.abort()
    return None


async def _first_bytes(reader: asyncio.StreamReader) -> bytes:
    data = b""
    with contextlib.suppress(OSError, TimeoutError):
        async with asyncio.timeout(TIMEOUT_S):
            while len(data) < MAX_RESPONSE_BYTES and (chunk := await reader.read(MAX_RESPONSE_BYTES)):
                data += chunk
    return data
