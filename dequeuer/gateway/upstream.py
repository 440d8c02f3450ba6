"""The connection to a realtime API: one for each request.

A kept connection would be closed by the other side just when a request is sent on it, and Kubernetes chooses a pod for
a connection, not for a request.
"""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Final, Self

from dequeuer.http.errors import MalformedError
from dequeuer.http.response_head import MAX_HEAD_BYTES, ResponseHead, read_response_head

CONNECT_TIMEOUT_S: Final = 10.0
READ_BYTES: Final = 64 * 1024
CLOSE_TIMEOUT_S: Final = 5.0
"""How long what was written may still take after an orderly end."""
_MAX_INTERIM_RESPONSES: Final = 32


class UpstreamBrokenError(Exception):
    """The connection ended before the response was whole."""


class Upstream:
    """A connection. As a context manager it is cut off at the end of the context."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._interims = 0

    @classmethod
    async def connect(cls, host: str, port: int) -> Self:
        """Connect. Raises `OSError`, also when it takes too long."""
        async with asyncio.timeout(CONNECT_TIMEOUT_S):
            return cls(*await asyncio.open_connection(host, port, limit=MAX_HEAD_BYTES))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.abort()

    async def send(self, data: bytes) -> None:
        """Send bytes; return when there is room for more. Raises `OSError`."""
        self._writer.write(data)
        await self._writer.drain()

    async def read_head(self) -> ResponseHead:
        """Return the next head.

        Raises:
            MalformedError: it is not valid HTTP/1.
            UpstreamBrokenError: none came.
        """
        try:
            data = await self._reader.readuntil(b"\r\n\r\n")
        except asyncio.LimitOverrunError:
            raise MalformedError(f"a response whose head is larger than {MAX_HEAD_BYTES} bytes") from None
        except asyncio.IncompleteReadError as error:
            if error.partial:
                raise MalformedError("a response whose head is not whole") from None
            raise UpstreamBrokenError from None
        except OSError as error:
            raise UpstreamBrokenError from error
        head = read_response_head(data)
        self._interims += head.is_interim
        if self._interims > _MAX_INTERIM_RESPONSES:
            raise MalformedError(f"more than {_MAX_INTERIM_RESPONSES} responses of 1xx")
        return head

    async def read(self) -> bytes:
        """Return what has arrived after the head; b"": the other side has closed the connection. Raises `OSError`."""
        return await self._reader.read(READ_BYTES)

    async def close(self) -> None:
        """Close the connection once everything was sent."""
        self._writer.close()
        try:
            async with asyncio.timeout(CLOSE_TIMEOUT_S):
                await self._writer.wait_closed()
        except OSError:
            self.abort()

    def abort(self) -> None:
        """Cut the connection off. What was not sent is dropped."""
        self._writer.transport.abort()
