"""The canned container behind the proxies: `python -m bench.proxy.container` prints its port and serves.

It reads no more of a request than it must. One response is a write, so that it costs less than what is measured.
"""

from __future__ import annotations

import asyncio
import re
import sys
from typing import Final, cast

import uvloop

from bench.proxy import wire
from dequeuer.process.open_files import raise_open_files_limit

EVENT_INTERVAL_S: Final = 0.5
_BLOCK: Final = b"x" * (256 * 1024)
_LENGTH: Final = re.compile(rb"(?i)\r\ncontent-length: *(\d+)")
_CHUNKED: Final = re.compile(rb"(?i)\r\ntransfer-encoding: *chunked")
_LAST_CHUNK: Final = b"\r\n0\r\n\r\n"
_RESULT: Final = wire.result()
_PREDICT: Final = f"POST {wire.PREDICT} ".encode()
_EVENTS: Final = f"GET {wire.EVENTS} ".encode()
_BYTES: Final = f"GET {wire.BYTES}".encode()


class _Connection(asyncio.Protocol):
    """One request at a time."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._head = b""
        self._left = -1
        self._tail = b""
        self._filler = 0
        self._is_paused = False
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, _error: Exception | None) -> None:
        self._transport = None
        if self._timer is not None:
            self._timer.cancel()

    def data_received(self, data: bytes) -> None:
        if self._left < 0:
            self._head += data
            end = self._head.find(wire.HEAD_END)
            if end < 0:
                return
            data, self._head = self._head[end + len(wire.HEAD_END) :], self._head[:end]
            found = _LENGTH.search(self._head)
            self._left = int(found[1]) if found else 0
        if _CHUNKED.search(self._head):
            self._tail = self._tail[-len(_LAST_CHUNK) :] + data
            is_whole = self._tail.endswith(_LAST_CHUNK)
        else:
            self._left -= len(data)
            is_whole = self._left <= 0
        if is_whole:
            request, self._head, self._tail, self._left = self._head, b"", b"", -1
            self._answer(request)

    def _answer(self, request: bytes) -> None:
        if self._transport is None:
            return
        if request.startswith(_EVENTS):
            self._transport.write(wire.EVENTS_HEAD)
            self._send_event()
        elif request.startswith(_BYTES):
            self._filler = int(request[len(_BYTES) :].split(b" ", 1)[0])
            self._transport.write(wire.head(self._filler))
            self._fill()
        elif request.startswith(_PREDICT):
            self._transport.write(_RESULT)
        else:
            self._transport.write(wire.head(0))

    def _send_event(self) -> None:
        if self._transport is not None:
            self._transport.write(wire.chunk(wire.EVENT))
            self._timer = asyncio.get_running_loop().call_later(EVENT_INTERVAL_S, self._send_event)

    def pause_writing(self) -> None:
        self._is_paused = True

    def resume_writing(self) -> None:
        self._is_paused = False
        self._fill()

    def _fill(self) -> None:
        while self._filler and not self._is_paused and self._transport is not None:
            block = _BLOCK[: self._filler]
            self._filler -= len(block)
            self._transport.write(block)


async def _main() -> None:
    raise_open_files_limit()
    server = await asyncio.get_running_loop().create_server(_Connection, "127.0.0.1", 0, backlog=4096)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_main())
