"""The response with the results of a job: JSON lines, streamed. One that is cut off never looks like a whole one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Final

import structlog
from aiohttp import HttpVersion11, web

from dequeuer.core.errors import DequeuerError, clip
from dequeuer.gateway.job_responses import problem
from dequeuer.gateway.job_service import Jobs
from dequeuer.jobs.deployed_api import DeployedApi
from dequeuer.jobs.errors import Fault, JobsUnavailableError, NoOutputError
from dequeuer.jobs.result_objects import Folder
from dequeuer.jobs.state import STATUS_HEADER

MAX_STREAMS: Final = 16
"""Of this process. Each reads up to 4 MiB ahead."""
WRITE_TIMEOUT_S: Final = 60.0
"""For each `PIECE_BYTES`. A client that takes less is cut off: others wait for its turn."""
PIECE_BYTES: Final = 256 * 1024
MEDIA_TYPE: Final = "application/jsonl"
_OLD_HTTP: Final = Fault("error", "results are sent in chunks, whose end tells that they are whole: use HTTP/1.1")


class ResultResponses:
    """Makes the responses, of which a bounded number is under way."""

    def __init__(self, jobs: Jobs) -> None:
        self._jobs = jobs
        self._streams = 0

    async def respond(
        self, request: web.Request, api: DeployedApi, job_id: str, only: Folder | None
    ) -> web.StreamResponse:
        """Send the results of a job; to HEAD only what is known without reading them.

        Raises:
            JobRequestError, JobsUnavailableError: before anything was sent.
        """
        status = await self._jobs.status(api, job_id)
        if status.spec.output_s3_path is None:
            raise NoOutputError(api.kind, api.name, job_id)
        if request.version < HttpVersion11:
            # The end of the connection would be the end of the results, also when they are cut off.
            return problem(505, [_OLD_HTTP], False)
        headers = {"Content-Type": MEDIA_TYPE, "Cache-Control": "no-store", STATUS_HEADER: status.state}
        response = web.StreamResponse(headers=headers)
        if request.method == "HEAD":
            return response
        if self._streams >= MAX_STREAMS:
            raise JobsUnavailableError(f"results are being sent to {MAX_STREAMS} clients already: try again")
        self._streams += 1
        try:
            async with aclosing(_pieces(self._jobs.results(api, status.spec, only))) as pieces:
                return await _send(request, response, pieces)
        finally:
            self._streams -= 1


async def _send(
    request: web.Request, response: web.StreamResponse, pieces: AsyncGenerator[bytes, None]
) -> web.StreamResponse:
    # Read before the status line is sent: an error of the store can still become an error response.
    piece = await anext(pieces, b"")
    response.enable_chunked_encoding()
    try:
        await response.prepare(request)
        while piece:
            async with asyncio.timeout(WRITE_TIMEOUT_S):
                await response.write(piece)
            piece = await anext(pieces, b"")
        async with asyncio.timeout(WRITE_TIMEOUT_S):
            await response.write_eof()
    except (DequeuerError, OSError) as error:
        # OSError includes a timeout and a client that has disconnected. Without the last chunk the client knows that
        # it has not got everything.
        structlog.get_logger().warning("result_cut_off", error=clip(f"{type(error).__name__}: {error}"))
        if request.transport is not None:
            request.transport.abort()
    return response


async def _pieces(chunks: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
    """Yield the same bytes, in pieces of a size that is worth a write, and that a slow client gets in time."""
    waiting = bytearray()
    async with aclosing(chunks):
        async for chunk in chunks:
            for start in range(0, len(chunk), PIECE_BYTES):
                waiting += chunk[start : start + PIECE_BYTES]
                if len(waiting) >= PIECE_BYTES:
                    yield bytes(waiting)
                    waiting.clear()
    if waiting:
        yield bytes(waiting)
