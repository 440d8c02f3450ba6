"""The usual way to write a proxy in Python, to compare with: an aiohttp server and a `ClientSession`, on uvloop.

`python -m bench.proxy.usual PORT CONTAINER_PORT` serves until it is killed.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterable
from typing import Final

import uvloop
from aiohttp import ClientSession, ClientTimeout, DummyCookieJar, TCPConnector, web
from multidict import CIMultiDict
from yarl import URL

from dequeuer.process.open_files import raise_open_files_limit

_HOP_BY_HOP: Final = frozenset(
    {"connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"}
)


async def _main(port: int, container_port: int) -> None:
    raise_open_files_limit()
    base = f"http://127.0.0.1:{container_port}"
    session = ClientSession(
        connector=TCPConnector(limit=0),
        auto_decompress=False,
        cookie_jar=DummyCookieJar(),
        timeout=ClientTimeout(total=None),
    )

    async def forward(request: web.BaseRequest) -> web.StreamResponse:
        async with session.request(
            request.method,
            URL(base + request.raw_path, encoded=True),
            headers=_end_to_end(request.headers.items()),
            data=request.content if request.body_exists else None,
            allow_redirects=False,
        ) as answer:
            response = web.StreamResponse(status=answer.status, headers=_end_to_end(answer.headers.items()))
            await response.prepare(request)
            async for piece in answer.content.iter_any():
                await response.write(piece)
            await response.write_eof()
            return response

    runner = web.ServerRunner(web.Server(forward, access_log=None))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port, backlog=4096).start()
    await asyncio.Event().wait()


def _end_to_end(fields: Iterable[tuple[str, str]]) -> CIMultiDict[str]:
    return CIMultiDict((name, value) for name, value in fields if name.lower() not in _HOP_BY_HOP)


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as loop_runner:
        loop_runner.run(_main(int(sys.argv[1]), int(sys.argv[2])))
