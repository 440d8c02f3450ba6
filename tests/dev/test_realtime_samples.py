from __future__ import annotations

import io

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from dequeuer.dev import sample_realtime_container
from dequeuer.dev.display import PlainDisplay, SampleRow
from dequeuer.dev.options import parse
from dequeuer.dev.realtime_samples import RealtimeSamples
from dequeuer.dev.sample_realtime_container import make_app


async def rows_of(app: web.Application, *arguments: str) -> list[SampleRow]:
    options = parse(["--kind", "realtime", *arguments])
    async with TestServer(app, host="127.0.0.1") as server, aiohttp.ClientSession() as session:
        url = str(server.make_url("")).rstrip("/")
        return await RealtimeSamples(session, url, PlainDisplay(io.StringIO())).run(options)


async def test_requests_events_and_a_websocket_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sample_realtime_container, "PAUSE_S", 0.0)
    rows = await rows_of(make_app(), "--samples", "1")
    assert [(row.name, row.status) for row in rows] == [
        ("POST /predict/a%2Fb?n=1", "completed"),
        ("GET /events", "completed"),
        ("WebSocket /ws", "completed"),
    ]
    assert rows[0].result.startswith('{"path": "/predict/a%2Fb?n=1", ')
    assert rows[1].result.startswith("one (after ")
    assert rows[2].result == "echo: hello"


async def test_what_does_not_come_back_has_failed_with_the_reason() -> None:
    async def refuse(_request: web.Request) -> web.Response:
        return web.Response(status=503, text="queue full")

    async def end(request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        return socket

    async def nothing(_request: web.Request) -> web.Response:
        return web.Response()

    app = web.Application()
    app.router.add_post("/{path:.*}", refuse)
    app.router.add_get("/ws", end)
    app.router.add_get("/events", nothing)
    rows = await rows_of(app, "--samples", "1")
    assert [row.status for row in rows] == ["failed"] * 3
    assert [row.result for row in rows[:2]] == ["status 503: queue full", "no event came"]


async def test_a_container_of_the_users_own_gets_requests_alone() -> None:
    async def answer(request: web.Request) -> web.Response:
        return web.Response(text=await request.text())

    app = web.Application()
    app.router.add_post("/", answer)
    rows = await rows_of(app, "--samples", "2", "--payload", '{"a": 1}', "--", "serve")
    assert [(row.name, row.status, row.result) for row in rows] == [("POST /", "completed", '{"a": 1}')] * 2


async def test_the_sample_container_wants_json() -> None:
    async with TestServer(make_app(), host="127.0.0.1") as server, aiohttp.ClientSession() as session:
        async with session.post(server.make_url("/"), data=b"{") as answer:
            assert answer.status == 400
        async with session.delete(server.make_url("/any/path")) as answer:
            assert await answer.json() == {"path": "/any/path", "prefix": "", "echo": None}
