"""Asks a sidecar on this machine whether its container is ready."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from dequeuer.process.ports import HOST

TIMEOUT_S = 2.0


async def is_ready(port: int) -> bool:
    """Return whether `/healthz` of the admin server on this port says so. False when nothing answers."""
    try:
        async with asyncio.timeout(TIMEOUT_S):
            reader, writer = await asyncio.open_connection(HOST, port)
            try:
                writer.write(f"GET /healthz HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n".encode())
                return b" 200 " in await reader.readline()
            finally:
                writer.close()
                with suppress(OSError):
                    await writer.wait_closed()
    except (OSError, TimeoutError, ValueError):
        return False
