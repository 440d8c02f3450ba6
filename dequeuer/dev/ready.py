"""Waits until a process of the stack is ready."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import aiohttp

from dequeuer.core.errors import clip
from dequeuer.dev.errors import DevError
from dequeuer.http.own_response import REASON_HEADER
from dequeuer.process.child_process import ChildProcess
from dequeuer.process.exit_text import with_last_lines
from dequeuer.process.ports import HOST

POLL_INTERVAL_S = 0.05
START_TIMEOUT_S = 60.0
"""For gateway, sidecar and ministack. They start in a second, but the machine may be busy."""
SLOW_AFTER_S = 5.0


async def is_listening(port: int) -> bool:
    """Return whether a process listens on the port."""
    try:
        async with asyncio.timeout(1.0):
            _, writer = await asyncio.open_connection(HOST, port)
    except (OSError, TimeoutError):
        return False
    writer.close()
    try:
        await writer.wait_closed()
    except OSError:
        return True  # the server closed the connection first, so it is listening
    return True


async def responds_ok(session: aiohttp.ClientSession, url: str) -> bool:
    """Return whether a GET returns status 200."""
    try:
        async with session.get(url, timeout=aiohttp.ClientTimeout(total=5.0)) as answer:
            return answer.status == 200
    except (aiohttp.ClientError, TimeoutError):
        return False


async def reason_not_ready(session: aiohttp.ClientSession, url: str) -> str | None:
    """Return why the `/healthz` of a program does not say that it is ready; None: it is.

    "" when nothing answers, or without a reason.
    """
    try:
        async with session.get(url, timeout=aiohttp.ClientTimeout(total=5.0)) as answer:
            return None if answer.status == 200 else clip(answer.headers.get(REASON_HEADER, ""))
    except (aiohttp.ClientError, TimeoutError):
        return ""


async def wait_until(
    check: Callable[[], Awaitable[bool]],
    failure: str,
    *,
    child: ChildProcess | None = None,
    timeout_s: float = START_TIMEOUT_S,
    on_slow: Callable[[], None] = lambda: None,
) -> None:
    """Return when `check` succeeds. `on_slow` is called once after `SLOW_AFTER_S`.

    Raises:
        DevError: the check did not succeed in `timeout_s`. The text holds `failure` and the last lines of `child`.
    """
    loop = asyncio.get_running_loop()
    began = loop.time()
    is_reported = False
    while not await check():
        waited_s = loop.time() - began
        if waited_s > timeout_s:
            message = f"after {round(timeout_s, 1):g} s {failure}"
            raise DevError(message if child is None else with_last_lines(message, tuple(child.output.tail)))
        if waited_s > SLOW_AFTER_S and not is_reported:
            is_reported = True
            on_slow()
        await asyncio.sleep(POLL_INTERVAL_S)
