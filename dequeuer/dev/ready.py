"""Waiting until a part can be talked to."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import aiohttp

from dequeuer.dev.errors import DevError, with_tail
from dequeuer.dev.ports import HOST
from dequeuer.dev.process import Part

LOOK_EVERY_S = 0.05
PART_TIMEOUT_S = 60.0
"""For our own parts: they take a second, but the machine may be busy."""
SAY_AFTER_S = 5.0


async def listens(port: int) -> bool:
    """Tell whether something listens."""
    try:
        async with asyncio.timeout(1.0):
            _, writer = await asyncio.open_connection(HOST, port)
    except (OSError, TimeoutError):
        return False
    writer.close()
    try:
        await writer.wait_closed()
    except OSError:
        return True  # it hung up first, so it was there
    return True


async def answers(session: aiohttp.ClientSession, url: str) -> bool:
    """Tell whether a GET is answered with 200."""
    try:
        async with session.get(url, timeout=aiohttp.ClientTimeout(total=5.0)) as answer:
            return answer.status == 200
    except (aiohttp.ClientError, TimeoutError):
        return False


async def until(
    check: Callable[[], Awaitable[bool]],
    failure: str,
    *,
    part: Part | None = None,
    timeout_s: float = PART_TIMEOUT_S,
    say: Callable[[], None] = lambda: None,
) -> None:
    """Return when the check succeeds. `say` is called once if that takes long.

    Raises:
        DevError: it did not within the time; the text ends with `failure`, and with the last lines of `part`.
    """
    loop = asyncio.get_running_loop()
    began = loop.time()
    said = False
    while not await check():
        waited_s = loop.time() - began
        if waited_s > timeout_s:
            message = f"after {timeout_s:g} s {failure}"
            raise DevError(message if part is None else with_tail(message, tuple(part.output.tail)))
        if waited_s > SAY_AFTER_S and not said:
            said = True
            say()
        await asyncio.sleep(LOOK_EVERY_S)
