"""CPU, rate and latency of small requests."""

from __future__ import annotations

import random
import select
import socket
import time
from collections import deque
from typing import Final

from bench.proxy import wire
from bench.proxy.plan import Load, LoadPlan
from bench.proxy.raw_client import TIMEOUT_S, LoadError, Marks, Reader, connected

SEED: Final = 11
_PREDICT: Final = wire.predict()


def closed(plan: LoadPlan) -> Load:
    """Keep a request under way on each connection."""
    return _always_one(plan, _PREDICT, Reader())


def submit(plan: LoadPlan) -> Load:
    """Keep a submission under way on each connection."""
    return _always_one(plan, wire.submit(), Reader(wire.ID_BYTES))


def _always_one(plan: LoadPlan, request: bytes, reader: Reader) -> Load:
    with connected(plan.port, plan.connections) as socks, select.epoll() as poll:
        return _closed(plan, list(socks), poll, request, reader)


def _closed(plan: LoadPlan, socks: list[socket.socket], poll: select.epoll, request: bytes, reader: Reader) -> Load:
    by_number = {sock.fileno(): sock for sock in socks}
    for sock in socks:
        poll.register(sock.fileno(), select.EPOLLIN)
        sock.send(request)
    done, marks = 0, None
    while done < plan.warm + plan.measured:
        if marks is None and done >= plan.warm:
            marks, done = Marks(plan.pid), plan.warm
        ready = poll.poll(TIMEOUT_S)
        if not ready:
            raise LoadError("no response")
        for number, _ in ready:
            sock = by_number[number]
            if reader.is_whole(sock):
                done += 1
                sock.send(request)
    return (marks or Marks(plan.pid)).load(plan.measured)


def paced(plan: LoadPlan) -> Load:
    """Begin requests at random times. A request that finds no free connection has begun nevertheless."""
    with connected(plan.port, plan.connections) as socks:
        return _paced(plan, deque(socks))


def _paced(plan: LoadPlan, idle: deque[socket.socket]) -> Load:
    busy: dict[socket.socket, float] = {}
    waiting: deque[float] = deque()
    reader, randomness, marks = Reader(), random.Random(SEED), None  # noqa: S311 - arrivals are no secret
    latencies_s: list[float] = []
    begun, total = 0, plan.warm + plan.measured
    due = time.perf_counter()
    while len(latencies_s) < total:
        if marks is None and len(latencies_s) >= plan.warm:
            marks = Marks(plan.pid)
        now = time.perf_counter()
        while due <= now and begun < total:
            begun += 1
            if idle:
                _begin(idle.popleft(), busy, time.perf_counter())
            else:
                waiting.append(due)
            due += randomness.expovariate(plan.rate)
        wait_s = max(0.0, due - now) if begun < total else TIMEOUT_S
        for sock in select.select(list(busy), (), (), wait_s)[0]:
            if reader.is_whole(sock):
                latencies_s.append(time.perf_counter() - busy.pop(sock))
                if waiting:
                    _begin(sock, busy, waiting.popleft())
                else:
                    idle.append(sock)
    measured = sorted(latencies_s[plan.warm :])
    return (marks or Marks(plan.pid)).load(
        plan.measured,
        (measured[len(measured) // 2], measured[len(measured) * 99 // 100], measured[len(measured) * 999 // 1000]),
    )


def _begin(sock: socket.socket, busy: dict[socket.socket, float], began_at_s: float) -> None:
    busy[sock] = began_at_s
    sock.send(_PREDICT)
