"""The container beside a sidecar, as a process. The payload decides its response; it writes records to a file.

    python -m tests.faults.container_process PORT FILE POD

A payload (async), or the first element of a batch, is `{"n": 1, "first": KIND, "then": KIND, "work_s": 0.1}`: `first`
is the kind of the first response of this process to the request, `then` that of all later ones.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
import uuid
from collections import Counter
from pathlib import Path
from typing import Any

from aiohttp import web

from tests.faults.wire_formats import COMPLETION, digest_of

JSON = {"Content-Type": "application/json"}
_STATUS = {"500": 500, "429": 429, "503": 503}


class Container:
    """One web server."""

    def __init__(self, file: Path, pod: str) -> None:
        # Each line is one unbuffered write, so that a SIGKILL loses no line and leaves no partial line.
        self._file = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        self._pod = pod
        self._seen: Counter[str] = Counter()

    def _record(self, what: str, **facts: object) -> None:
        line = {"at": time.monotonic(), "what": what, "sidecar": self._pod, **facts}
        os.write(self._file, json.dumps(line).encode() + b"\n")

    async def serve(self, request: web.BaseRequest) -> web.StreamResponse:
        """Respond to one request."""
        body = await request.read()
        if request.method == "OPTIONS":
            # The sidecar checks the protocol of this port with OPTIONS when its first request reached a container that
            # died.
            return web.Response(status=204)
        ref, payload = _read(request, body)
        call = {"ref": ref, "name": request.path, "call": uuid.uuid4().hex}
        self._record("called", **call)
        kind = str(payload.get("then", "ok") if self._seen[ref] else payload.get("first", "ok"))
        self._seen[ref] += 1
        status = _STATUS.get(kind, 200)
        try:
            await asyncio.sleep(float(payload.get("slow_s", 0)) if kind == "slow" else float(payload.get("work_s", 0)))
            answer = json.dumps({"ref": ref, "call": call["call"]}).encode()
            if kind == "invalid":
                answer = answer[:-1]
            is_whole = kind not in {"cut", "hang up"}
            if kind != "hang up":
                self._record("answered", **call, status=status, digest=digest_of(answer), whole=is_whole)
            if not is_whole:
                await _break_off(request, answer if kind == "cut" else b"")
            self._record("left", **call, status=status, whole=is_whole)
        except asyncio.CancelledError:
            # Status 0: the sidecar closed the connection.
            self._record("left", **call, status=0, whole=False)
            raise
        headers = JSON | ({"Retry-After": "1"} if status in {429, 503} else {})
        return web.Response(status=status, body=answer, headers=headers)


def _read(request: web.BaseRequest, body: bytes) -> tuple[str, dict[str, Any]]:
    if request.path == "/on-job-complete":
        return COMPLETION, {}
    payload = json.loads(body)
    if isinstance(payload, list):
        return f"batch-{payload[0]['n']}", payload[0]
    return request.headers["X-Cortex-Request-ID"], payload


async def _break_off(request: web.BaseRequest, answer: bytes) -> None:
    if answer:
        response = web.StreamResponse(headers=JSON)
        response.content_length = len(answer)
        await response.prepare(request)
        await response.write(answer[: len(answer) // 2])
    if request.transport is not None:
        request.transport.abort()


async def main(port: int, file: Path, pod: str) -> None:
    """Serve until killed."""
    runner = web.ServerRunner(web.Server(Container(file, pod).serve, handler_cancellation=True))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]))
