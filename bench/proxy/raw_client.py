"""The raw client: sockets without an event loop, and one buffer, so that it costs less than what is measured."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Final

from bench.proc import Usage, usage
from bench.proxy import wire
from bench.proxy.plan import Load

SPACE_BYTES: Final = 256 * 1024
TIMEOUT_S: Final = 60.0
_SUCCESS: Final = ord("2")


class LoadError(Exception):
    """Something came that is not the response."""


class Marks:
    """CPU and time between two moments."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._from = self._usage()
        self._own_s = time.process_time()
        self._at = time.perf_counter()

    def _usage(self) -> Usage:
        return usage(self._pid) if self._pid else Usage(cpu_s=0.0, rss_mib=0.0, peak_mib=0.0)

    def load(self, requests: int = 1, latencies_s: tuple[float, float, float] = (0.0, 0.0, 0.0)) -> Load:
        """Return what was used since then."""
        took_s, own_s = time.perf_counter() - self._at, time.process_time() - self._own_s
        now = self._usage()
        return Load(
            requests=requests,
            took_s=took_s,
            cpu_s=now.cpu_s - self._from.cpu_s,
            peak_mib=now.peak_mib,
            own_cpu_s=own_s,
            latencies_s=latencies_s,
        )


class Reader:
    """Reads whole responses with bodies of one size from many connections through one buffer."""

    def __init__(self, body_bytes: int = wire.RESULT_BYTES) -> None:
        self._body_bytes = body_bytes
        self._space = bytearray(SPACE_BYTES)
        self._view = memoryview(self._space)
        self._begun: dict[socket.socket, bytes] = {}

    def is_whole(self, sock: socket.socket) -> bool:
        """Read what has arrived; return whether a response is complete."""
        size = sock.recv_into(self._view)
        end = self._space.find(wire.HEAD_END, 0, size)
        if sock not in self._begun and size == end + len(wire.HEAD_END) + self._body_bytes and end >= 0:
            if self._space[9] != _SUCCESS:
                raise LoadError(f"a response: {bytes(self._view[:80])!r}")
            return True
        return self._is_whole_slowly(sock, size)

    def _is_whole_slowly(self, sock: socket.socket, size: int) -> bool:
        data = self._begun.pop(sock, b"") + bytes(self._view[:size])
        end = data.find(wire.HEAD_END)
        whole = end + len(wire.HEAD_END) + self._body_bytes
        if not size or (end >= 0 and (data[9] != _SUCCESS or len(data) > whole)):
            raise LoadError(f"a connection was closed, or a response: {data[:80]!r}")
        if end >= 0 and len(data) == whole:
            return True
        self._begun[sock] = data
        return False


@contextmanager
def connected(port: int, count: int) -> Iterator[Iterator[socket.socket]]:
    """Connect as many times, each when it is asked for; close all at the end of the block."""
    with ExitStack() as stack:

        def connect() -> Iterator[socket.socket]:
            for _ in range(count):
                sock = stack.enter_context(socket.create_connection(("127.0.0.1", port), TIMEOUT_S))
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                yield sock

        yield connect()


def received(piece: bytes) -> bytes:
    """Return what was received. Raises `LoadError` when that is the end."""
    if not piece:
        raise LoadError("a connection was closed")
    return piece
