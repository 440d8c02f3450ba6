from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from dequeuer.dev.demo_traffic import post, send_traffic


@pytest.mark.looptime
async def test_an_hour_of_a_request_each_4_s_and_a_call_each_second(looptime: float) -> None:
    sent: Counter[str] = Counter()
    retried: list[int] = []

    async def send(path: str, payload: dict[str, Any]) -> None:
        sent[path] += 1
        if path == "/text" and payload.get("fails") == "once":
            retried.append(payload["number"])

    await send_traffic(send)
    assert sent == {"/text": 900, "/hello/live": 3600}
    assert retried == list(range(5, 901, 5))
    assert looptime == pytest.approx(3600)


@pytest.mark.looptime
async def test_it_ends_when_the_demo_does() -> None:
    async def send(_path: str, _payload: dict[str, Any]) -> None:
        await asyncio.sleep(0)

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(10):
            await send_traffic(send)


async def test_a_gateway_that_refuses_or_is_gone_does_not_end_it() -> None:
    bodies = []

    async def refuse(request: web.Request) -> web.Response:
        bodies.append(await request.json())
        return web.Response(status=503)

    app = web.Application()
    app.router.add_post("/text", refuse)
    async with TestServer(app, host="127.0.0.1") as server, aiohttp.ClientSession() as session:
        await post(session, str(server.make_url("")).rstrip("/"), "/text", {"a": 1})
        await post(session, "http://127.0.0.1:1", "/text", {"a": 1})
    assert bodies == [{"a": 1}]
