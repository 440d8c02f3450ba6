"""The response to `?dryRun=true`: plain text, because people read it."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import structlog
from aiohttp import web

from dequeuer.core.errors import DequeuerError, clip
from dequeuer.gateway.job_service import Jobs
from dequeuer.jobs.errors import InvalidSubmissionError, JobsUnavailableError
from dequeuer.jobs.submission_parsing import Parsed

MAX_BUFFERED_BYTES = 64 * 1024
"""A longer list of files is sent while they are listed; an error can then only cut the response off."""
WRITE_TIMEOUT_S = 60.0
TIMEOUT_S = 900.0
"""For the whole list. It also ends what a client that has gone has begun, when there is no file to write for long."""
_END = b"validations passed"
_HEADERS = {"Content-Type": "text/plain"}


async def dry_run_response(request: web.Request, jobs: Jobs, parsed: Parsed) -> web.StreamResponse:
    """Send the paths of all files, one a line, or the first fault.

    Raises:
        JobsUnavailableError: before anything was sent.
    """
    try:
        await jobs.check(parsed)
    except InvalidSubmissionError as error:
        return web.Response(status=400, body=f"\n{error}\n".encode(), headers=_HEADERS)
    text = bytearray()
    response: web.StreamResponse | None = None
    async with aclosing(jobs.files(parsed)) as files:
        try:
            async with asyncio.timeout(TIMEOUT_S):
                async for path in files:
                    text += f"{path}\n".encode()
                    if len(text) >= MAX_BUFFERED_BYTES:
                        if response is None:
                            response = web.StreamResponse(headers=_HEADERS)
                            await response.prepare(request)
                        await _write(response, text)
        except (DequeuerError, OSError) as error:
            if response is None and isinstance(error, TimeoutError):
                message = f"the files could not be listed in {TIMEOUT_S:g} s: name longer prefixes in s3_paths"
                raise JobsUnavailableError(message) from error
            if response is None:
                raise
            structlog.get_logger().warning("result_cut_off", error=clip(f"{type(error).__name__}: {error}"))
            if request.transport is not None:
                request.transport.abort()
            return response
    text += _END
    if response is None:
        return web.Response(body=bytes(text), headers=_HEADERS)
    await response.write_eof(bytes(text))
    return response


async def _write(response: web.StreamResponse, text: bytearray) -> None:
    async with asyncio.timeout(WRITE_TIMEOUT_S):
        await response.write(bytes(text))
    text.clear()
