"""Injects faults into requests and responses."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from collections.abc import Mapping

from aiohttp import web

from tests.faults.request_faults import Fault
from tests.faults.wire_formats import WireRequest

BLACK_HOLE_S = 40.0
"""How long a black hole keeps a request: longer than every timeout of the sidecar."""


class FaultInjector:
    """Injects faults into the connections of one proxy. Create it in the event loop of the proxy."""

    def __init__(self) -> None:
        self._released = asyncio.Event()

    def release(self) -> None:
        """End all delays and black holes."""
        self._released.set()

    async def before(self, fault: Fault, wire: WireRequest, request: web.BaseRequest) -> web.StreamResponse | None:
        """Inject a fault before the server gets the request. None means that the request is to be sent to it."""
        if fault.kind == "delay":
            await self._hold(fault.seconds)
            return None
        if fault.kind == "black hole":
            await self._hold(BLACK_HOLE_S)
        return _refusal(fault, wire) or _reset(request)

    async def after(
        self,
        fault: Fault,
        wire: WireRequest,
        request: web.BaseRequest,
        status: int,
        headers: Mapping[str, str],
        body: bytes,
    ) -> web.StreamResponse:
        """Inject a fault after the server has responded."""
        if fault.kind in {"delay", "black hole"}:
            await self._hold(fault.seconds if fault.kind == "delay" else BLACK_HOLE_S)
            if fault.kind == "delay":
                return web.Response(status=status, headers=headers, body=body)
        if fault.kind == "cut" and body:
            return await _cut(request, status, headers, body)
        return _refusal(fault, wire) or _reset(request)

    async def _hold(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._released.wait()
        except TimeoutError:
            return


def _refusal(fault: Fault, wire: WireRequest) -> web.Response | None:
    """Return the error response of AWS when the fault is one."""
    codes = {"500": ("InternalError", 500), "503 SlowDown": ("SlowDown", 503), "throttled": ("RequestThrottled", 400)}
    if fault.kind not in codes:
        return None
    code, status = codes[fault.kind]
    if wire.service == "sqs":
        text = json.dumps({"__type": f"com.amazonaws.sqs#{code}", "message": "a fault of the test"})
        return web.Response(status=status, text=text, content_type="application/x-amz-json-1.0")
    text = f"<Error><Code>{code}</Code><Message>a fault of the test</Message></Error>"
    return web.Response(status=status, text=text, content_type="application/xml")


def _reset(request: web.BaseRequest) -> web.Response:
    """Send a RST instead of a response."""
    if request.transport is not None:
        connection = request.transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        request.transport.abort()
    return web.Response()


async def _cut(request: web.BaseRequest, status: int, headers: Mapping[str, str], body: bytes) -> web.StreamResponse:
    """Send half of the response, and close the connection."""
    response = web.StreamResponse(status=status, headers=headers)
    response.content_length = len(body)
    await response.prepare(request)
    await response.write(body[: len(body) // 2])
    if request.transport is not None:
        request.transport.abort()
    return response
