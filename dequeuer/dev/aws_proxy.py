"""Between all programs and the local SQS and S3: passes requests on, some of them late or not at all."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import Final

import aiohttp
from aiohttp import web
from yarl import URL

from dequeuer.dev.aws_faults import AwsFaults
from dequeuer.dev.chaos_plan import Service
from dequeuer.formats.headers import HOP_BY_HOP
from dequeuer.http.resetting import reset
from dequeuer.process.ports import HOST

MAX_CONNECTIONS: Final = 1000
"""To the server. More requests wait."""
STOP_GRACE_S: Final = 0.5
_CHUNK_BYTES: Final = 64 * 1024
_OF_A_CONNECTION: Final = HOP_BY_HOP | {"trailer", "expect"}
_SCOPE: Final = re.compile(r"/sqs/aws4_request|%2fsqs%2faws4_request", re.IGNORECASE)
"""Of a signature, in the header or in the query."""


class AwsProxy:
    """`Stoppable`.

    Args:
        upstream_port: of SQS and S3.
        faults: what is wrong with them.
    """

    def __init__(self, upstream_port: int, faults: AwsFaults) -> None:
        self._upstream = f"http://{HOST}:{upstream_port}"
        self._faults = faults
        self._runner: web.AppRunner | None = None
        self._sessions: list[aiohttp.ClientSession] = []

    async def open(self, port: int) -> None:
        """Listen on a port of loopback. Raises `OSError`."""
        # A connection for each request: one that the server closes at that moment would make a fault that nobody chose.
        session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=MAX_CONNECTIONS, force_close=True),
            timeout=aiohttp.ClientTimeout(total=None),
            auto_decompress=False,
            skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
            trust_env=False,
        )
        self._sessions.append(session)
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", partial(self._serve, session))
        # A client that has gone must not receive messages: its call to the server ends with it.
        self._runner = web.AppRunner(
            app, access_log=None, handler_cancellation=True, shutdown_timeout=STOP_GRACE_S, auto_decompress=False
        )
        await self._runner.setup()
        await web.TCPSite(self._runner, HOST, port).start()

    async def stop(self, stop_now: asyncio.Event) -> None:  # noqa: ARG002 - nothing here has a grace period
        """End all connections."""
        if self._runner is not None:
            await self._runner.cleanup()
        for session in self._sessions:
            await session.close()

    async def _serve(self, session: aiohttp.ClientSession, request: web.Request) -> web.StreamResponse:
        service = service_of(request.headers, request.query_string)
        if delay_s := self._faults.delay_s(service):
            await asyncio.sleep(delay_s)
        refusal = self._faults.refuse(service, request.headers.get("Content-Type", ""))
        if refusal is not None:
            return web.Response(status=refusal.status, text=refusal.body, content_type=refusal.content_type)
        response: web.StreamResponse | None = None
        try:
            async with self._ask(session, request) as answer:
                response = web.StreamResponse(status=answer.status, reason=answer.reason)
                response.headers.extend(_passed_on(answer.headers))
                await response.prepare(request)
                async for data in answer.content.iter_chunked(_CHUNK_BYTES):
                    await response.write(data)
                await response.write_eof()
        except aiohttp.ClientError:  # the server is being stopped
            reset(request.transport)
            return response or web.Response()
        return response

    def _ask(
        self, session: aiohttp.ClientSession, request: web.Request
    ) -> AbstractAsyncContextManager[aiohttp.ClientResponse]:
        body = request.content.iter_chunked(_CHUNK_BYTES) if request.body_exists else None
        # `encoded`: the path of an object is signed as it was sent. Host is kept: URLs of queues are made of it.
        url = URL(self._upstream + request.raw_path, encoded=True)
        return session.request(
            request.method, url, headers=_passed_on(request.headers), data=body, allow_redirects=False
        )


def service_of(headers: Mapping[str, str], query: str) -> Service:
    """Return which service a request is for."""
    signed = _SCOPE.search(headers.get("Authorization", "")) or _SCOPE.search(query)
    return "SQS" if signed or headers.get("X-Amz-Target", "").startswith("AmazonSQS.") else "S3"


def _passed_on(headers: Mapping[str, str]) -> list[tuple[str, str]]:
    return [(name, value) for name, value in headers.items() if name.lower() not in _OF_A_CONNECTION]
