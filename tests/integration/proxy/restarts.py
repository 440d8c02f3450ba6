"""Restarts of proxies with their containers behind a load balancer, under load. By hand:

python -m tests.integration.proxy.restarts --server gunicorn --restarts 20
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from tests.integration.proxy.balancer import Backend, Balancer, Connection, RequestFailedError
from tests.integration.proxy.containers import Container
from tests.integration.proxy.proxy_process import Proxy

FORGETS_AFTER_S = 3.0
"""The longest time that the load balancer sends requests to a backend that fails its check."""
DELAY_S = 6.0
"""`DEQUEUER_SHUTDOWN_DELAY`: longer than that, also when the load balancer is not scheduled for some of it."""
CLIENTS = 12
"""Of each kind."""


@dataclass(kw_only=True)
class Outcome:
    """What became of the requests.

    Attributes:
        succeeded: by kind of client.
        failed: what each failure was.
        restarts: that were done.
        statuses: exit statuses of the proxies.
    """

    succeeded: Counter[str] = field(default_factory=Counter)
    failed: list[str] = field(default_factory=list)
    restarts: int = 0
    statuses: Counter[int] = field(default_factory=Counter)

    def __str__(self) -> str:
        return (
            f"{self.restarts} restarts, {self.succeeded.total()} requests succeeded ({dict(self.succeeded)}), "
            f"{len(self.failed)} failed, exit statuses {dict(self.statuses)}"
        )


class Rollout:
    """Runs pairs, and replaces them.

    Args:
        server: of the containers.
        restarts: how many pairs are replaced.
        lanes: how many at a time.
        seed: of the load and the load balancer.
        naive: whether proxy and container get SIGTERM together, and the proxy closes its listeners at once.
    """

    def __init__(self, server: str, *, restarts: int, lanes: int, seed: int, naive: bool, stack: ExitStack) -> None:
        self._server = server
        self._left = restarts
        self._lanes = lanes
        self._random = random.Random(seed)
        self._naive = naive
        self._stack = stack
        self._folder = Path(stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True)))
        self._balancer = Balancer(seed, FORGETS_AFTER_S)
        self._loaded = asyncio.Event()
        self._done = asyncio.Event()
        self.outcome = Outcome()

    async def run(self) -> Outcome:
        try:
            async with asyncio.TaskGroup() as group:
                lanes = [group.create_task(self._lane()) for _ in range(self._lanes)]
                loads = [
                    group.create_task(kind(self._random.random()))
                    for _ in range(CLIENTS)
                    for kind in (self._pooled, self._sticky)
                ]
                # One pair more than are replaced at a time: there is always one that serves.
                pair = await self._start()
                self._loaded.set()
                await asyncio.gather(*lanes)
                self._done.set()
                await asyncio.gather(*loads)
                await self._end(*pair)
        finally:
            await self._balancer.stop()
        return self.outcome

    async def _lane(self) -> None:
        """Replace one pair again and again."""
        pair = await self._start()
        await self._loaded.wait()
        while self._left > 0:
            self._left -= 1
            await self._end(*pair)
            self.outcome.restarts += 1
            pair = await self._start()

    async def _start(self) -> tuple[Container, Proxy, Backend]:
        container = self._stack.enter_context(Container(self._server, self._folder))
        delay_s = 0.0 if self._naive else DELAY_S
        settings = {"DEQUEUER_SHUTDOWN_DELAY": str(delay_s), "DEQUEUER_SHUTDOWN_GRACE": "20"}
        proxy = self._stack.enter_context(Proxy(container.port, **settings))
        backend = Backend(port=proxy.port, admin_port=proxy.admin_port)
        self._balancer.add(backend)
        await backend.wait_in_rotation(True)
        return container, proxy, backend

    async def _end(self, container: Container, proxy: Proxy, backend: Backend) -> None:
        """End both in the order of the kubelet."""
        if self._naive:
            container.terminate()
            proxy.terminate()
        elif self.outcome.restarts % 2:
            # The container is a native sidecar of the proxy: it ends after it.
            proxy.terminate()
            await asyncio.to_thread(proxy.wait)
            container.terminate()
        else:
            # The container has a preStop hook. Both are asked to end at the same time.
            proxy.terminate()
            await asyncio.to_thread(proxy.get, "/wait-for-drain")
            container.terminate()
        self.outcome.statuses[await asyncio.to_thread(proxy.wait)] += 1
        await asyncio.to_thread(container.wait)
        await backend.wait_in_rotation(False)

    async def _pooled(self, seed: float) -> None:
        """Send requests through the load balancer, which has connections of its own."""
        await self._load("through the load balancer", seed, self._balancer.send)

    async def _sticky(self, seed: float) -> None:
        """Keep a connection until the proxy says that it closes it, as clients behind a layer 4 load balancer do."""
        connection: Connection | None = None

        async def send(data: bytes) -> bytes:
            nonlocal connection
            if connection is not None and connection.reader.at_eof():  # as every client looks before it sends
                connection.writer.close()
                connection = None
            connection = connection or await self._balancer.connect(self._balancer.choose())
            body, is_kept = await connection.exchange(data)
            if not is_kept:
                connection.writer.close()
                connection = None
            return body

        try:
            await self._load("on a connection of their own", seed, send)
        finally:
            if connection is not None:
                connection.writer.close()

    async def _load(self, kind: str, seed: float, send: Callable[[bytes], Awaitable[bytes]]) -> None:
        numbers = random.Random(seed)
        await self._loaded.wait()
        while not self._done.is_set():
            request, expected = _request(numbers)
            try:
                async with asyncio.timeout(30):
                    body = await send(request)
                if expected in body:
                    self.outcome.succeeded[kind] += 1
                else:
                    self.outcome.failed.append(f"{kind}: {body[:200]!r} instead of {expected!r}")
            except (OSError, EOFError, TimeoutError, RequestFailedError) as error:
                self.outcome.failed.append(f"{kind}: {error!r}: {request[:60]!r}")
                if kind != "through the load balancer":
                    return
            # Less than the second for which the proxy lets an idle connection send one more request.
            await asyncio.sleep(numbers.uniform(0, 0.2))


def _request(numbers: random.Random) -> tuple[bytes, bytes]:
    """Return a request, and what must be in its response."""
    kind = numbers.random()
    if kind < 0.4:
        seconds = round(numbers.uniform(0, 0.5), 3)
        return b"GET /slow?seconds=%g HTTP/1.1\r\nHost: h\r\n\r\n" % seconds, b'{"seconds":%g' % seconds
    size = numbers.randrange(100_000)
    head = b"POST /%b HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n"
    if kind < 0.8:
        return head % (b"digest", size) + b"d" * size, b'"size":%d,' % size
    return head % (b"echo", size) + b"e" * size, b"e" * size


async def roll_out(server: str, *, restarts: int, lanes: int, seed: int, naive: bool = False) -> Outcome:
    """Replace pairs under load, and return what became of the requests."""
    with ExitStack() as stack:
        return await Rollout(server, restarts=restarts, lanes=lanes, seed=seed, naive=naive, stack=stack).run()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--server", choices=["uvicorn", "gunicorn"], default="uvicorn")
    parser.add_argument("--restarts", type=int, default=20)
    parser.add_argument("--lanes", type=int, default=2, help="how many pairs are replaced at a time")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--naive", action="store_true", help="SIGTERM to both at once, and no delay: must fail")
    given = parser.parse_args()
    print(f"seed {given.seed}")
    outcome = asyncio.run(
        roll_out(given.server, restarts=given.restarts, lanes=given.lanes, seed=given.seed, naive=given.naive)
    )
    print(outcome, *outcome.failed[:20], sep="\n")
    return bool(outcome.failed)


if __name__ == "__main__":
    sys.exit(main())
