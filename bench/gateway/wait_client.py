"""Clients that wait for requests that do not end: each for another one, all at the same time."""

from __future__ import annotations

import select
import socket
import time
import uuid

from bench.proxy import wire
from bench.proxy.plan import Load, LoadPlan
from bench.proxy.raw_client import SPACE_BYTES, LoadError, Marks, connected, received
from bench.wire_format import API


def wait(plan: LoadPlan) -> Load:
    """Let each connection wait for a request of its own, and read what it gets when its time is over."""
    marks, waiting = Marks(plan.pid), []
    began_at = time.monotonic()
    with connected(plan.port, plan.connections) as socks:
        for sock in socks:
            sock.send(wire.get(f"/{API}/{uuid.uuid4()}?wait={plan.wait_s}"))
            waiting.append(sock)
        if time.monotonic() - began_at > plan.wait_s or _readable(waiting):
            raise LoadError(f"the first waits had ended before all {len(waiting)} had begun: this machine is too slow")
        for sock in waiting:
            _check(sock)
        return marks.load(len(waiting))


def _readable(socks: list[socket.socket]) -> bool:
    poll = select.poll()
    for sock in socks:
        poll.register(sock.fileno(), select.POLLIN)
    return bool(poll.poll(0))


def _check(sock: socket.socket) -> None:
    """Read a response. Raises `LoadError` when it is another one than that the request waits in the queue."""
    data = b""
    while b'"in_queue"' not in data:
        data += received(sock.recv(SPACE_BYTES))
        if data[9:10] not in {b"", b"2"}:
            raise LoadError(f"a response: {data[:200]!r}")
