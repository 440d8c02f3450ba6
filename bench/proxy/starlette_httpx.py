"""Another usual way to write a proxy in Python: Starlette on uvicorn, and a client of httpx.

`python -m bench.proxy.starlette_httpx PORT CONTAINER_PORT` serves until it is killed.
"""

from __future__ import annotations

import sys
from typing import Final

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import StreamingResponse
from starlette.routing import Route

MAX_CONNECTIONS: Final = 2048


def make_app(container_port: int) -> Starlette:
    """Return the proxy."""
    client = httpx.AsyncClient(
        base_url=f"http://127.0.0.1:{container_port}",
        limits=httpx.Limits(max_connections=MAX_CONNECTIONS, max_keepalive_connections=MAX_CONNECTIONS),
        timeout=None,  # noqa: S113 - as the other programs
    )

    async def forward(request: Request) -> StreamingResponse:
        url = httpx.URL(path=request.url.path, query=request.url.query.encode())
        headers = request.headers.raw
        answer = await client.send(
            client.build_request(request.method, url, headers=headers, content=request.stream()), stream=True
        )
        return StreamingResponse(
            answer.aiter_raw(), answer.status_code, dict(answer.headers), background=BackgroundTask(answer.aclose)
        )

    return Starlette(routes=[Route("/{path:path}", forward, methods=["GET", "POST"])])


if __name__ == "__main__":
    uvicorn.run(
        make_app(int(sys.argv[2])),
        host="127.0.0.1",
        port=int(sys.argv[1]),
        loop="uvloop",
        http="httptools",
        log_level="warning",
        access_log=False,
    )
