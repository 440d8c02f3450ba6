"""Ends a connection so that nobody takes half a response for a whole one."""

from __future__ import annotations

import asyncio
import socket
import struct
from contextlib import suppress
from typing import Final

_NO_LINGER: Final = struct.pack("ii", 1, 0)


def reset(transport: asyncio.WriteTransport | None) -> None:
    """Cut a connection off with a reset: without a length, an orderly end would make a response whole."""
    if transport is None:
        return
    connection = transport.get_extra_info("socket")
    if connection is not None:
        with suppress(OSError):  # it is closed already
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
    transport.abort()
