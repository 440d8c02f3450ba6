"""A sample container of a realtime API: `python -m dequeuer.dev.sample_realtime_container --port 8080`.

It has what realtime APIs have: JSON at any subpath, server-sent events at `/events`, a WebSocket at `/ws`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
from collections.abc import Sequence
from json import JSONDecodeError
from typing import Final

from aiohttp import WSMsgType, web

WORDS: Final = ("one", "two", "three")
"""The data of the events."""
PAUSE_S: Final = 0.2
"""Between two events, as a model that makes one word after the other."""
MAX_BODY_BYTES = 16 * 1024 * 1024


async def answer(request: web.Request) -> web.Response:
    """Any method at any path: what the container got, as JSON."""
    body = await request.read()
    try:
        payload = json.loads(body) if body else None
    except (JSONDecodeError, UnicodeDecodeError):
        return web.json_response({"error": "this container wants JSON"}, status=400)
    prefix = request.headers.get("X-Forwarded-Prefix", "")
    return web.json_response({"path": request.raw_path, "prefix": prefix, "echo": payload})


async def events(request: web.Request) -> web.StreamResponse:
    """`GET /events`: an event for each of `WORDS`."""
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-cache"})
    await response.prepare(request)
    for number, word in enumerate(WORDS):
        if number:
            await asyncio.sleep(PAUSE_S)
        await response.write(f"data: {word}\n\n".encode())
    return response


async def websocket(request: web.Request) -> web.StreamResponse:
    """`GET /ws`: returns each text."""
    socket = web.WebSocketResponse(max_msg_size=MAX_BODY_BYTES)
    await socket.prepare(request)
    async for message in socket:
        if message.type is WSMsgType.TEXT:
            await socket.send_str(f"echo: {message.data}")
    return socket


def make_app() -> web.Application:
    """Return the web application."""
    app = web.Application(client_max_size=MAX_BODY_BYTES)
    app.router.add_get("/events", events)
    app.router.add_get("/ws", websocket)
    app.router.add_route("*", "/{path:.*}", answer)
    return app


def main(argv: Sequence[str] | None = None) -> None:
    """Serve on loopback until SIGTERM."""
    parser = argparse.ArgumentParser(
        prog="python -m dequeuer.dev.sample_realtime_container", description="A sample container of a realtime API."
    )
    parser.add_argument("--port", type=int, default=8080)
    arguments = parser.parse_args(argv)
    web.run_app(make_app(), host="127.0.0.1", port=arguments.port, print=None, access_log=None)


if __name__ == "__main__":
    main()
