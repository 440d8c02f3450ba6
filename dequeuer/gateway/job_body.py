"""Reads the body of a submission into memory, of which all submissions together take a bounded amount."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

from dequeuer.gateway.upload import read_body
from dequeuer.jobs.errors import FOREIGN, Fault, InvalidSubmissionError, JobsUnavailableError
from dequeuer.jobs.submission import MAX_BODY_BYTES

MAX_SMALL_BYTES = 256 * 1024
MAX_LARGE = 8
"""Larger bodies that are in memory at the same time; each takes a few times its size while it is parsed."""
TURN_TIMEOUT_S = 30.0
BODY_TIMEOUT_S = 120.0
"""For the whole of a body. A client that sends slowly keeps others waiting."""


class SubmissionBodies:
    """The bodies that are being read and parsed."""

    def __init__(self) -> None:
        self._turns = asyncio.Semaphore(MAX_LARGE)

    @asynccontextmanager
    async def read(self, request: web.Request) -> AsyncIterator[bytes]:
        """Yield the body; the memory counts as taken until the context ends.

        Raises:
            InvalidSubmissionError: it is too large; it was not read to its end.
            JobsUnavailableError: too many large ones are being read, or the client is too slow.
            GatewayError: the client has gone, or its framing is malformed.
        """
        size = request.content_length
        if size is not None and size <= MAX_SMALL_BYTES:
            yield await _read(request)
            return
        try:
            async with asyncio.timeout(TURN_TIMEOUT_S):
                await self._turns.acquire()
        except TimeoutError:
            raise JobsUnavailableError(f"{MAX_LARGE} large submissions are being read already: try again") from None
        try:
            yield await _read(request)
        finally:
            self._turns.release()


async def _read(request: web.Request) -> bytes:
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_TIMEOUT_S):
            async for chunk in read_body(request):
                body += chunk
                if len(body) > MAX_BODY_BYTES:
                    raise InvalidSubmissionError([Fault(FOREIGN, "http: request body too large")])
    except TimeoutError:
        raise JobsUnavailableError(f"the body did not arrive within {BODY_TIMEOUT_S:g} s") from None
    return bytes(body)
