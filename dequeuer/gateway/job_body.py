"""Reads the body of a submission into memory, of which all submissions together take a bounded amount."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

from dequeuer.concurrency.turns import turn
from dequeuer.gateway.upload import read_body
from dequeuer.jobs.errors import FOREIGN, Fault, InvalidSubmissionError, JobsUnavailableError
from dequeuer.jobs.submission import MAX_BODY_BYTES

MAX_SMALL_BYTES = 256 * 1024
MAX_LARGE = 8
"""Larger bodies that are in memory at the same time; each takes a few times its size while it is parsed."""
TURN_TIMEOUT_S = 30.0
SLACK_S = 15.0
MIN_BYTES_PER_S = 64 * 1024
"""A client that sends a large body slower than this, for longer than the slack, keeps others waiting: it is refused."""
SMALL_TIMEOUT_S = 120.0
"""For the beginning of a body, up to `MAX_SMALL_BYTES`."""


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
        body, chunks = bytearray(), read_body(request)
        # A client gets a turn only for what it has sent: those that announce a large body and send none hold nothing.
        await _read(chunks, body, MAX_SMALL_BYTES, SMALL_TIMEOUT_S, math.inf)
        if len(body) <= MAX_SMALL_BYTES:
            yield bytes(body)
            return
        busy = JobsUnavailableError(f"{MAX_LARGE} large submissions are being read already: try again")
        async with turn(self._turns, TURN_TIMEOUT_S, busy):
            await _read(chunks, body, MAX_BODY_BYTES, SLACK_S, MIN_BYTES_PER_S)
            if len(body) > MAX_BODY_BYTES:
                raise InvalidSubmissionError([Fault(FOREIGN, "http: request body too large")])
            yield bytes(body)


async def _read(
    chunks: AsyncIterator[bytes], body: bytearray, limit: int, slack_s: float, min_bytes_per_s: float
) -> None:
    """Append until the body is larger than `limit`, or ends. Raises `JobsUnavailableError` when it is too slow."""
    try:
        async with asyncio.timeout(slack_s) as timeout:
            began = asyncio.get_running_loop().time()
            async for chunk in chunks:
                body += chunk
                if len(body) > limit:
                    return
                timeout.reschedule(began + slack_s + len(body) / min_bytes_per_s)
    except TimeoutError:
        raise JobsUnavailableError("the body arrives too slowly") from None
