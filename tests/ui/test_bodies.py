"""Bodies of what is submitted with the page, in bounded memory."""

from __future__ import annotations

import asyncio

import pytest
from aiohttp import StreamReader, web
from aiohttp.base_protocol import BaseProtocol
from aiohttp.test_utils import make_mocked_request

from dequeuer.ui.bodies import MAX_BODIES, READ_TIMEOUT_S, TURN_TIMEOUT_S, Bodies
from dequeuer.ui.errors import UiError

pytestmark = pytest.mark.looptime


def request(body: bytes | None = b"x") -> web.Request:
    """Return a request; None: its body never comes."""
    loop = asyncio.get_running_loop()
    protocol = BaseProtocol(loop)
    protocol.connection_made(asyncio.Transport())
    content = StreamReader(protocol, limit=1 << 16, loop=loop)
    if body is not None:
        content.feed_data(body)
        content.feed_eof()
    return make_mocked_request("POST", "/", payload=content)


async def test_only_so_many_bodies_are_in_memory(looptime: float) -> None:
    bodies = Bodies()

    async def hold() -> None:
        async with bodies.read(request()):
            await asyncio.Event().wait()

    held = [asyncio.create_task(hold()) for _ in range(MAX_BODIES)]
    await asyncio.sleep(1)
    with pytest.raises(UiError) as caught:
        async with bodies.read(request()):
            pass
    assert (caught.value.status, looptime) == (503, 1 + TURN_TIMEOUT_S)
    held.pop().cancel()
    async with bodies.read(request(b"next")) as body:
        assert body == b"next"
    for one in held:
        one.cancel()


async def test_a_body_that_does_not_come_gives_its_turn_back(looptime: float) -> None:
    bodies = Bodies()
    for _ in range(MAX_BODIES + 1):
        with pytest.raises(UiError) as caught:
            async with asyncio.timeout(10 * READ_TIMEOUT_S), bodies.read(request(None)):
                pass
        assert caught.value.status == 408
    assert looptime == (MAX_BODIES + 1) * READ_TIMEOUT_S
