"""Where the container reports how far its request is: an HTTP server on the loopback address of the pod."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Final

from aiohttp import web

from dequeuer.core.errors import FatalError, InvalidInputError, clip
from dequeuer.formats.progress import MAX_REPORT_BYTES
from dequeuer.http.origin import LOCALHOST
from dequeuer.http.small_server import start_small_server

READ_TIMEOUT_S: Final = 5.0
"""For the body of a report."""

Report = Callable[[str, bytes], bool]
"""Takes the secret of an attempt and the body of its report; returns whether that attempt is running.

Raises `InvalidInputError`. It must not block."""


class ProgressServer:
    """Serves `POST /progress/<secret>`: 204, or an error in plain text.

    A report that is refused or lost changes nothing about the request: containers need not look at the response.
    """

    def __init__(self) -> None:
        self._runner: web.AppRunner | None = None
        self._port = 0

    def address(self, secret: str) -> str:
        """Return the URL for the reports of an attempt."""
        return f"http://{LOCALHOST}:{self._port}/progress/{secret}"

    async def start(self, report: Report) -> None:
        """Listen on a free port of the loopback address. Raises `FatalError`."""
        app = web.Application(client_max_size=MAX_REPORT_BYTES)
        app.router.add_post("/progress/{secret}", partial(_receive, report))
        try:
            self._runner = await start_small_server(app, (LOCALHOST,), 0, log="dequeuer.container.progress.http")
        except OSError as error:
            message = f"Progress cannot be received on {LOCALHOST} ({clip(str(error))}): unset DEQUEUER_PROGRESS."
            raise FatalError(message) from error
        self._port = int(self._runner.addresses[0][1])

    async def stop(self) -> None:
        """Stop listening and close every connection. Does nothing when the server is not running."""
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()


async def _receive(report: Report, request: web.Request) -> web.Response:
    try:
        async with asyncio.timeout(READ_TIMEOUT_S):
            body = await request.read()
    except TimeoutError:
        return _refused(408, f"the report did not arrive within {READ_TIMEOUT_S:g} s")
    except web.HTTPRequestEntityTooLarge:
        return _refused(413, f"the report is larger than {MAX_REPORT_BYTES} bytes")
    try:
        is_running = report(request.match_info["secret"], body)
    except InvalidInputError as error:
        return _refused(400, str(error))
    if not is_running:
        return _refused(404, "no request with this address is running: its attempt is over")
    return web.Response(status=204)


def _refused(status: int, text: str) -> web.Response:
    return web.Response(status=status, text=f"error: {text}\n")
