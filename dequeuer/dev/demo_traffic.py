"""A little traffic, so that the page of a demo moves."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Final, TypeAlias

import aiohttp

from dequeuer.dev.sample_container import FAILS, ONCE
from dequeuer.dev.sample_project import DEMO_ASYNC, DEMO_REALTIME

REQUEST_INTERVAL_S: Final = 4.0
CALL_INTERVAL_S: Final = 1.0
DURATION_S: Final = 3600.0
"""Requests stay in the memory of the local S3."""
RETRIED_EACH: Final = 5
"""One request of so many needs a second attempt."""
DESCRIPTION: Final = (
    f"from now on, for {DURATION_S / 3600:g} hour: a request to {DEMO_ASYNC} each {REQUEST_INTERVAL_S:g} s, "
    f"a call of {DEMO_REALTIME} each {CALL_INTERVAL_S:g} s"
)
"""What is sent, for people."""
_TIMEOUT: Final = aiohttp.ClientTimeout(total=30.0)

Send: TypeAlias = Callable[[str, dict[str, Any]], Awaitable[None]]
"""Sends a payload to a path of the gateway."""


async def send_traffic(send: Send) -> None:
    """Send for `DURATION_S`."""
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(_repeat(partial(send, f"/{DEMO_ASYNC}"), REQUEST_INTERVAL_S), name="demo-requests")
        tasks.create_task(_repeat(partial(send, f"/{DEMO_REALTIME}/live"), CALL_INTERVAL_S), name="demo-calls")


async def post(session: aiohttp.ClientSession, gateway_url: str, path: str, payload: dict[str, Any]) -> None:
    """`Send`. What the gateway does not accept is left out: the page shows that, and why."""
    headers = {"Content-Type": "application/json"}
    data = json.dumps(payload).encode()
    try:
        async with session.post(f"{gateway_url}{path}", data=data, headers=headers, timeout=_TIMEOUT) as answer:
            await answer.read()
    except (aiohttp.ClientError, TimeoutError):
        pass


async def _repeat(send: Callable[[dict[str, Any]], Awaitable[None]], interval_s: float) -> None:
    for number in range(1, round(DURATION_S / interval_s) + 1):
        payload: dict[str, Any] = {"text": "hello", "number": number}
        if number % RETRIED_EACH == 0:
            payload[FAILS] = ONCE
        await send(payload)
        await asyncio.sleep(interval_s)
