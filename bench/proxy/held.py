"""What a proxy holds: many streams, many idle connections, large bodies."""

from __future__ import annotations

import select
import socket
from typing import Final

from bench.proxy import wire
from bench.proxy.plan import Load, LoadPlan
from bench.proxy.raw_client import SPACE_BYTES, LoadError, Marks, Reader, connected, received

EVENTS: Final = 2
"""Events that each stream has received when memory is measured."""
_PREDICT: Final = wire.predict()


def idle(plan: LoadPlan) -> Load:
    """Send one request on each connection, and keep all of them."""
    marks, reader, kept = Marks(plan.pid), Reader(), []
    with connected(plan.port, plan.connections) as socks:
        for sock in socks:
            sock.send(_PREDICT)
            while not reader.is_whole(sock):
                pass
            kept.append(sock)
        _check_open(kept)
        return marks.load()


def _check_open(socks: list[socket.socket]) -> None:
    """Raise `LoadError` when one has anything to read: it was closed, then."""
    poll = select.poll()
    for sock in socks:
        poll.register(sock.fileno(), select.POLLIN)
    if closed_early := poll.poll(0):
        raise LoadError(f"{len(closed_early)} of {len(socks)} idle connections were closed")


def streams(plan: LoadPlan) -> Load:
    """Open endless responses, and wait until each has sent some events."""
    marks, request = Marks(plan.pid), wire.get(wire.EVENTS)
    with connected(plan.port, plan.connections) as connecting:
        socks = list(connecting)
        for sock in socks:
            sock.send(request)
        for sock in socks:
            data = b""
            while data.count(wire.EVENT) < EVENTS:
                data += received(sock.recv(SPACE_BYTES))
                if data[9:10] != b"2":
                    raise LoadError(f"a response: {data[:80]!r}")
        return marks.load()


def download(plan: LoadPlan) -> Load:
    """Read one large body."""
    with connected(plan.port, 1) as socks:
        return _download(plan, next(socks))


def _download(plan: LoadPlan, sock: socket.socket) -> Load:
    view = memoryview(bytearray(SPACE_BYTES))
    marks = Marks(plan.pid)
    sock.send(wire.get(f"{wire.BYTES}{plan.size}"))
    data = b""
    while (end := data.find(wire.HEAD_END)) < 0:
        data += received(sock.recv(SPACE_BYTES))
    left = plan.size - (len(data) - end - len(wire.HEAD_END))
    while left > 0:
        size = sock.recv_into(view)
        if not size:
            raise LoadError(f"the body ended {left} bytes early")
        left -= size
    return marks.load()


def upload(plan: LoadPlan) -> Load:
    """Send one large body."""
    with connected(plan.port, 1) as socks:
        return _upload(plan, next(socks))


def _upload(plan: LoadPlan, sock: socket.socket) -> Load:
    block = b"x" * SPACE_BYTES
    marks = Marks(plan.pid)
    sock.sendall(wire.post(wire.UPLOAD, plan.size))
    for _ in range(plan.size // SPACE_BYTES):
        sock.sendall(block)
    data = b""
    while wire.HEAD_END not in data:
        data += received(sock.recv(SPACE_BYTES))
    if data[9:10] != b"2":
        raise LoadError(f"a response: {data[:80]!r}")
    return marks.load()
