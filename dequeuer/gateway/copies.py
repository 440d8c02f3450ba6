"""Copies of requests, for the shadow of a TrafficSplitter. Their responses are thrown away.

Hazard: a copy must not slow the request that it is a copy of. So the request awaits nothing here: what a copy has not
sent yet is kept, within a limit for all copies together, and a copy above it is cut.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import Final

from dequeuer.concurrency.byte_budget import ByteBudget
from dequeuer.core.events import CopyEnded, CopyResult, Observer
from dequeuer.gateway.endpoints import Target
from dequeuer.gateway.upstream import READ_BYTES, Upstream, UpstreamBrokenError
from dequeuer.http.errors import MalformedError
from dequeuer.http.forwarding import last_chunk
from dequeuer.http.framing import UntilCloseBody
from dequeuer.http.request_head import RequestHead

MAX_COPIES: Final = 100
"""Under way at the same time, of all splitters."""
MAX_WAITING_BYTES: Final = 32 * 1024 * 1024
"""What all copies together have not sent yet."""
TIMEOUT_S: Final = 60.0
"""From the begin of a copy to the end of its response."""
MAX_RESPONSE_BYTES: Final = 16 * 1024 * 1024
"""A response is read up to here; then the connection is cut."""
MAX_RESOLVING: Final = 2
"""Names of shadows that are resolved at the same time, in threads of their own: names of APIs never wait for them."""
SHADOW_FIELD: Final = b"X-Dequeuer-Shadow"
"""Tells the container that its response is thrown away."""
_SHADOW_LINES: Final = SHADOW_FIELD + b": true\r\n\r\n"


class Copy:
    """One copy. None of the methods that the request calls waits.

    Args:
        lines: the head that the shadow gets.
        head: of the request.
        budget: of the bytes that wait.
        threads: resolve the name of the shadow.
    """

    def __init__(self, lines: bytes, head: RequestHead, budget: ByteBudget, threads: Executor) -> None:
        self._lines = lines
        self._method = head.method
        self._is_chunked = head.is_chunked
        self._is_whole = not head.has_body
        self._budget = budget
        self._threads = threads
        self._waiting = bytearray()
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.result: CopyResult = "incomplete"

    def start(self, host: str, port: int) -> asyncio.Task[None]:
        """Begin to send it; return the task, which may be cancelled, and raises nothing else."""
        self._task = asyncio.create_task(self._run(host, port), name="gateway-copy")
        return self._task

    def feed(self, data: bytes) -> None:
        """Take a piece of the body."""
        self._add(b"%x\r\n%b\r\n" % (len(data), data) if self._is_chunked else data)

    def end(self) -> None:
        """Note that the body is whole."""
        if self._is_chunked:
            self._add(last_chunk([]))
        self._is_whole = True
        self._changed.set()

    def request_ended(self) -> None:
        """Cut the copy unless its body is whole: half a body must not look like one."""
        if not self._is_whole:
            self._cut("incomplete")

    def release(self) -> None:
        """Give the bytes back that were not sent."""
        self._budget.release(len(self._waiting))
        self._waiting.clear()

    def _add(self, data: bytes) -> None:
        if self._task is None or self._task.done() or self._task.cancelling():
            return
        if not self._budget.try_take(len(data)):
            self._cut("slow")
            return
        self._waiting += data
        self._changed.set()

    def _cut(self, result: CopyResult) -> None:
        if self._task is not None and not self._task.done() and not self._task.cancelling():
            self.result = result
            self._task.cancel()

    async def _run(self, host: str, port: int) -> None:
        try:
            async with asyncio.timeout(TIMEOUT_S):
                self.result = await self._exchange(host, port)
        except TimeoutError:
            self.result = "timeout"

    async def _exchange(self, host: str, port: int) -> CopyResult:
        try:
            upstream = await self._connect(host, port)
        except OSError:
            return "unreachable"
        with upstream:
            sending = asyncio.create_task(self._send(upstream), name="gateway-send-copy")
            try:
                return "responded" if await self._has_response(upstream) else "broken"
            finally:
                sending.cancel()
                await asyncio.wait({sending})

    async def _connect(self, host: str, port: int) -> Upstream:
        """Connect to the first address of a host that can be reached. Raises `OSError`."""
        addresses = await self._addresses_of(host, port)
        for address in addresses[:-1]:
            with suppress(OSError):
                return await Upstream.connect(address, port)
        return await Upstream.connect(addresses[-1], port)

    async def _addresses_of(self, host: str, port: int) -> Sequence[str]:
        try:
            return [str(ipaddress.ip_address(host))]
        except ValueError:
            resolve = partial(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM)
            found = await asyncio.get_running_loop().run_in_executor(self._threads, resolve)
            return [str(address[0]) for *_, address in found]

    async def _send(self, upstream: Upstream) -> None:
        try:
            await upstream.send(self._lines)
            while not self._is_whole or self._waiting:
                self._changed.clear()
                if self._waiting:
                    data = bytes(self._waiting[:READ_BYTES])
                    del self._waiting[:READ_BYTES]
                    try:
                        await upstream.send(data)
                    finally:
                        self._budget.release(len(data))
                else:
                    await self._changed.wait()
        except OSError:  # reading the response shows what happened
            return

    async def _has_response(self, upstream: Upstream) -> bool:
        try:
            response = await upstream.read_head()
            while response.is_interim:
                response = await upstream.read_head()
            body, left = response.body_reader(self._method), MAX_RESPONSE_BYTES
            while not body.is_done and left > 0:
                data = await upstream.read()
                if not data:
                    return isinstance(body, UntilCloseBody)
                body.feed(data)
                left -= len(data)
        except (UpstreamBrokenError, MalformedError, OSError):
            return False
        return True


class Copies:
    """The copies that are under way. `observe`: told of the end of each."""

    def __init__(self, observe: Observer) -> None:
        self._observe = observe
        self._budget = ByteBudget(MAX_WAITING_BYTES)
        self._threads = ThreadPoolExecutor(MAX_RESOLVING, thread_name_prefix="gateway-shadow-names")
        self._running: set[asyncio.Task[None]] = set()
        self._is_closed = False

    def begin(self, splitter: str, shadow: Target, lines: bytes, head: RequestHead) -> Copy | None:
        """Begin a copy; None: too many are under way, or the gateway stops.

        Args:
            splitter: name of the splitter.
            shadow: gets the copy.
            lines: the head as it is forwarded, with its empty line.
            head: of the request.
        """
        api_name = shadow.api.api_name
        if self._is_closed or len(self._running) >= MAX_COPIES:
            result: CopyResult = "incomplete" if self._is_closed else "too_many"
            self._observe(CopyEnded(splitter=splitter, api_name=api_name, result=result))
            return None
        copy = Copy(lines.removesuffix(b"\r\n") + _SHADOW_LINES, head, self._budget, self._threads)
        task = copy.start(*shadow.address)
        self._running.add(task)
        task.add_done_callback(partial(self._ended, splitter, api_name, copy))
        return copy

    def _ended(self, splitter: str, api_name: str, copy: Copy, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        copy.release()
        self._observe(CopyEnded(splitter=splitter, api_name=api_name, result=copy.result))

    async def close(self) -> None:
        """Cut all copies. Requests that are still under way begin no others."""
        self._is_closed = True
        running = list(self._running)
        for task in running:
            task.cancel()
        if running:
            await asyncio.wait(running)
        self._threads.shutdown(wait=False, cancel_futures=True)
