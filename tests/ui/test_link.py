"""What the gateway answers to the page, in bounded time."""

from __future__ import annotations

import asyncio

import pytest
from aiohttp import web

from dequeuer.client.errors import GatewayLostError, InvalidAnswerError
from dequeuer.client.gateway import open_gateway
from dequeuer.ui import link
from dequeuer.ui.link import GatewayLink
from tests.client.stage import answer, canned
from tests.ui.stage import served


async def drip(request: web.Request) -> web.StreamResponse:
    """Answer byte by byte, without an end."""
    response = web.StreamResponse()
    await response.prepare(request)
    while True:
        await response.write(b" ")
        await asyncio.sleep(0.02)


async def test_an_answer_that_comes_byte_by_byte_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link, "TIMEOUT_S", 0.3)
    app = web.Application()
    app.router.add_get("/drip", drip)
    async with asyncio.timeout(30), served(app) as url, open_gateway(url) as gateway:
        with pytest.raises(GatewayLostError, match=r"no whole answer within 0\.3 s"):
            await GatewayLink(gateway).read("GET", "/drip")


@pytest.mark.parametrize("body", [b"<html>", b"[]", b'"text"', b"\xff", b""])
async def test_what_is_no_object_of_json_is_an_error(body: bytes) -> None:
    async def answer(_request: web.Request) -> web.Response:
        return web.Response(body=body)

    app = web.Application()
    app.router.add_get("/any", answer)
    async with served(app) as url, open_gateway(url) as gateway:
        with pytest.raises(InvalidAnswerError):
            await GatewayLink(gateway).fields("/any")


async def test_a_kept_connection_that_the_gateway_has_closed_is_no_error_of_the_page() -> None:
    for method in ("GET", "PUT", "DELETE"):
        async with canned(b"", answer({"message": "done"})) as server, open_gateway(server.url) as gateway:
            assert await GatewayLink(gateway).read(method, "/any") == b'{"message":"done"}'
