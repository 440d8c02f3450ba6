"""Containers as their authors write them: realtime, server-sent events, WebSocket, streaming. They know no proxy."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from typing import Any

from fastapi import FastAPI, Request, Response, WebSocket, WebSocketDisconnect
from fastapi.responses import JSONResponse, StreamingResponse

PIECE = bytes(range(256)) * 256
"""64 KiB of every byte."""

app = FastAPI(openapi_url=None, redirect_slashes=False)


@app.get("/events")
async def events(count: int = 3) -> StreamingResponse:
    """Send an event, and the next one only after `/next` was asked for."""
    gate: asyncio.Queue[None] = asyncio.Queue()
    waiting[count] = gate

    async def produce() -> AsyncIterator[bytes]:
        for number in range(count):
            yield b"id: %d\ndata: {}\n\n" % number
            await gate.get()

    return StreamingResponse(produce(), media_type="text/event-stream")


waiting: dict[int, asyncio.Queue[None]] = {}


@app.post("/next")
async def go_on(count: int = 3) -> dict[str, int]:
    """Let `/events` of this count go on."""
    waiting[count].put_nowait(None)
    return {"count": count}


@app.get("/never")
async def never() -> StreamingResponse:
    """Begin a response that does not end."""

    async def produce() -> AsyncIterator[bytes]:
        yield b"data: begun\n\n"
        await asyncio.Event().wait()

    return StreamingResponse(produce(), media_type="text/event-stream")


@app.get("/large")
async def large(pieces: int, *, sized: bool = False) -> StreamingResponse:
    """Send as many pieces."""

    async def produce() -> AsyncIterator[bytes]:
        for _ in range(pieces):
            yield PIECE

    return StreamingResponse(produce(), headers={"Content-Length": str(pieces * len(PIECE))} if sized else {})


@app.post("/digest")
async def digest(request: Request) -> dict[str, Any]:
    """Read the body, and say what it was."""
    size, found = 0, hashlib.sha256()
    async for piece in request.stream():
        size += len(piece)
        found.update(piece)
    return {"size": size, "sha256": found.hexdigest()}


@app.get("/slow")
async def slow(seconds: float) -> dict[str, float]:
    """Take a while."""
    await asyncio.sleep(seconds)
    return {"seconds": seconds}


@app.api_route("/status/{code}", methods=["GET", "HEAD", "POST"])
async def status(code: int) -> Response:
    """Answer with a status, and no body."""
    return Response(status_code=code, headers={"X-Status": str(code)})


@app.websocket("/ws")
async def websocket(socket: WebSocket) -> None:
    """Send every message back; the text `close CODE` closes."""
    await socket.accept(subprotocol=next(iter(socket.scope["subprotocols"]), None))
    try:
        while True:
            message = await socket.receive()
            if message["type"] == "websocket.disconnect":
                return
            if (text := message.get("text")) is not None and text.startswith("close "):
                await socket.close(int(text[6:]), "as you wish")
                return
            await socket.send({**message, "type": "websocket.send"})
    except WebSocketDisconnect:
        return


async def echo(receive: Any, send: Any) -> None:
    """Send each piece of the body back as it arrives, before the request ends. A response of Starlette cannot do that."""
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/x-echo")]})
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        more = message.get("more_body", False)
        await send({"type": "http.response.body", "body": message.get("body", b""), "more_body": more})


class EveryMethod:
    """Before FastAPI, which knows the usual methods only: says what arrived, of any method; and `echo`."""

    def __init__(self, inner: FastAPI) -> None:
        self.inner = inner

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http" and scope["path"].startswith("/seen"):
            request = Request(scope, receive)
            body = await request.body()
            seen = {
                "method": scope["method"],
                "raw_path": scope["raw_path"].decode("latin-1"),
                "query": scope["query_string"].decode("latin-1"),
                "version": scope["http_version"],
                "headers": [[name.decode("latin-1"), value.decode("latin-1")] for name, value in scope["headers"]],
                "size": len(body),
                "sha256": hashlib.sha256(body).hexdigest(),
            }
            response = JSONResponse(seen)
            for number in range(3):
                response.headers.append("X-Repeated", str(number))
            response.set_cookie("first", "1")
            response.set_cookie("second", "2")
            await response(scope, receive, send)
        elif scope["type"] == "http" and scope["path"] == "/echo":
            await echo(receive, send)
        else:
            await self.inner(scope, receive, send)


every_method = EveryMethod(app)
