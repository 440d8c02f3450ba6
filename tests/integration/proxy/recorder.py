"""A container that keeps every byte it gets, reads it with the judge, and answers what it is told."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from tests.integration.proxy.judge import Reading, Request, read_requests
from tests.integration.waiting import eventually

PAUSE_S = 0.02
"""Between two parts of a response, so that they arrive one after the other."""
Answer = Callable[[Request], "Sequence[bytes]"]
"""Returns the parts of the response. An empty part closes the connection."""
CLOSE = b""


def echo(request: Request) -> Sequence[bytes]:
    """Answer with what was asked for."""
    body = request.method + b" " + request.target
    content = b"" if request.method == b"HEAD" else body
    return [b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), content)]


@dataclass(slots=True)
class Seen:
    """What came on one connection.

    Attributes:
        unread: bytes behind the last whole request.
        reading: of them.
    """

    data: bytearray = field(default_factory=bytearray)
    unread: bytearray = field(default_factory=bytearray)
    reading: Reading = field(default_factory=lambda: Reading(requests=()))
    is_open: bool = True

    @property
    def is_settled(self) -> bool:
        """Whether nothing of it is under way."""
        return not self.is_open or not self.unread


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """What came in some time.

    Attributes:
        requests: that were whole, in the order in which they ended.
        sent: the bytes of each connection.
        partial: readings of what did not become a request.
    """

    requests: tuple[Request, ...]
    sent: tuple[bytes, ...]
    partial: tuple[Reading, ...]


class Recorder:
    """The container, on a thread of its own.

    Attributes:
        answer: makes the responses.
        port: it listens on.
    """

    def __init__(self) -> None:
        self.answer: Answer = echo
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port: int = self._listener.getsockname()[1]
        self.transports: set[asyncio.Transport] = set()
        self._lock = threading.Lock()
        self._connections: list[Seen] = []
        self._requests: list[Request] = []
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="recorder")

    def _run(self) -> None:
        async def serve() -> None:
            self._stop = asyncio.Event()
            server = await self.loop.create_server(lambda: _Connection(self), sock=self._listener)
            self._started.set()
            async with server:
                await self._stop.wait()
                for transport in list(self.transports):
                    transport.abort()
                await asyncio.sleep(0)  # lets the transports report the end of their connections

        with asyncio.Runner(loop_factory=lambda: self.loop) as runner:
            runner.run(serve())

    def start(self) -> None:
        """Start serving."""
        self._started = threading.Event()
        self._thread.start()
        self._started.wait(30)

    def stop(self) -> None:
        """Stop serving."""
        self.loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(30)

    def opened(self) -> Seen:
        """Keep a new connection."""
        with self._lock:
            self._connections.append(Seen())
            return self._connections[-1]

    def received(self, seen: Seen, data: bytes) -> list[Request]:
        """Keep bytes; return the requests that are whole now."""
        with self._lock:
            seen.data += data
            seen.unread += data
            seen.reading = read_requests(bytes(seen.unread))
            del seen.unread[: seen.reading.consumed]
            self._requests += seen.reading.requests
            return list(seen.reading.requests)

    def closed(self, seen: Seen) -> None:
        """Note that a connection is over."""
        with self._lock:
            seen.is_open = False

    def has_open_connections(self) -> bool:
        """Whether any connection is open."""
        with self._lock:
            return any(seen.is_open for seen in self._connections)

    def targets(self) -> list[bytes]:
        """Return those of all requests since the last call of `take`."""
        with self._lock:
            return [request.target for request in self._requests]

    def take(self) -> Recording:
        """Wait until nothing is under way; return what came since the last call."""

        def settled() -> bool:
            # What has arrived in the kernel is read within a few turns of the loop.
            asyncio.run_coroutine_threadsafe(_turns(), self.loop).result(30)
            with self._lock:
                return all(seen.is_settled for seen in self._connections)

        eventually(settled, "the container's connections to be closed or idle")
        with self._lock:
            taken = Recording(
                requests=tuple(self._requests),
                sent=tuple(bytes(seen.data) for seen in self._connections if seen.data),
                partial=tuple(seen.reading for seen in self._connections if seen.unread),
            )
            self._requests.clear()
            # A connection that is still open goes on, and what comes on it belongs to the next case.
            self._connections = [seen for seen in self._connections if seen.is_open]
            for seen in self._connections:
                seen.data.clear()
            return taken


async def _turns() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


class _Connection(asyncio.Protocol):
    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._continued = False
        # A response that was not sent to its end yet when the next request came is not.
        self._timers: list[asyncio.TimerHandle] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._recorder.transports.add(transport)
        self._seen = self._recorder.opened()

    def data_received(self, data: bytes) -> None:
        for request in self._recorder.received(self._seen, data):
            self._continued = False
            for timer in self._timers:
                timer.cancel()
            first, *rest = self._recorder.answer(request)
            self._send(first)
            self._timers = [
                self._recorder.loop.call_later(number * PAUSE_S, self._send, part)
                for number, part in enumerate(rest, 1)
            ]
        reading = self._seen.reading
        if reading.fault:
            self._transport.abort()
        elif reading.partial is not None and reading.partial.values(b"expect") and not self._continued:
            self._continued = True
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def _send(self, part: bytes) -> None:
        if part:
            self._transport.write(part)
        else:
            self._transport.close()

    def connection_lost(self, _error: Exception | None) -> None:
        self._recorder.transports.discard(self._transport)
        self._recorder.closed(self._seen)


@contextmanager
def recording() -> Iterator[Recorder]:
    """Run a recorder until the end of the block."""
    recorder = Recorder()
    recorder.start()
    try:
        yield recorder
    finally:
        recorder.stop()
