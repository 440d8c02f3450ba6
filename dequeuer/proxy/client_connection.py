"""A connection of a client: reads its requests one after the other, and writes the responses."""

from __future__ import annotations

import asyncio
import select
from collections.abc import Callable
from typing import Final, Literal, cast

from dequeuer.core import clock
from dequeuer.http.own_response import own_response
from dequeuer.http.request_head import RequestError, RequestHead
from dequeuer.http.resetting import reset
from dequeuer.proxy.exchange import Exchange
from dequeuer.proxy.partial_head import PartialHead, read_whole_head, without_empty_lines
from dequeuer.proxy.parts import ProxyParts
from dequeuer.proxy.record import RequestRecord
from dequeuer.proxy.tunnel import Tunnel

MAX_AHEAD_BYTES: Final = 64 * 1024
"""Of requests that the client has sent before it has the response to the one before: above it, it is not read."""
WRITE_BUFFER_BYTES: Final = 64 * 1024
"""Above it the container is not read any more."""
LINGER_S: Final = 2.0
"""How long a connection is read after the last response, so that what the client still sends does not destroy it."""


class ClientConnection(asyncio.Protocol):
    """HTTP/1 on one transport.

    Args:
        parts: what all exchanges share.
        waiting: the connections without a request under way, those that have waited longest first; it keeps itself in
            there.
        on_opened: called with it once it is connected.
        on_closed: called with it once it is closed.
    """

    __slots__ = (
        "_address",
        "_ahead",
        "_blocked_bytes",
        "_blocked_until",
        "_deadline",
        "_exchange",
        "_is_blocked",
        "_is_closing",
        "_is_paused",
        "_must_close",
        "_on_closed",
        "_on_opened",
        "_partial",
        "_parts",
        "_transport",
        "_tunnel",
        "_waiting",
        "checked_from",
    )

    def __init__(
        self,
        parts: ProxyParts,
        waiting: dict[ClientConnection, None],
        on_opened: Callable[[ClientConnection], None],
        on_closed: Callable[[ClientConnection], None],
    ) -> None:
        self._parts = parts
        self._waiting = waiting
        self._on_opened = on_opened
        self._on_closed = on_closed
        self._transport: asyncio.Transport | None = None
        self._exchange: Exchange | None = None
        self._tunnel: Tunnel | None = None
        self._partial: PartialHead | None = None
        self._ahead = b""
        self._address = b""
        self._deadline = self._blocked_until = 0.0
        self.checked_from = 0.0
        """Loop time from which `expire` has something to do."""
        self._blocked_bytes = 0
        self._is_blocked = self._is_paused = self._is_closing = self._must_close = False

    # Client.

    @property
    def address(self) -> bytes:
        """The address of the client; `unknown` when the kernel does not say."""
        if not self._address and self._transport is not None:
            peer = self._transport.get_extra_info("peername")
            self._address = str(peer[0]).partition("%")[0].encode() if peer else b"unknown"
        return self._address

    @property
    def may_persist(self) -> bool:
        """Whether the connection may carry another request."""
        return not self._must_close

    @property
    def has_partial_head(self) -> bool:
        """Whether the beginning of a request has arrived; empty lines before one do not count."""
        return self._partial is not None and not self._partial.is_empty

    def write(self, data: bytes) -> None:
        """Send bytes."""
        if self._transport is not None:
            self._transport.write(data)

    def pause_reading(self) -> None:
        """Read nothing until `resume_reading`."""
        if not self._is_paused and self._transport is not None and not self._transport.is_closing():
            self._is_paused = True
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        """Read again, and expect the next bytes within the time that is left for a body."""
        self._deadline = self._parts.loop.time() + self._parts.limits.body_timeout_s
        if self._is_paused and self._transport is not None and not self._transport.is_closing():
            self._is_paused = False
            self._transport.resume_reading()

    def exchange_ended(self, *, keep: bool) -> None:
        """Go on with the next request, or close once everything was sent."""
        exchange, self._exchange = self._exchange, None
        if not keep or self._must_close or self._transport is None:
            self._linger(expects_data=exchange is None or exchange.may_be_followed)
            return
        if len(self._ahead) <= MAX_AHEAD_BYTES:
            self.resume_reading()
        self._wait(self._parts.limits.keepalive_timeout_s)
        self._go_on_ahead()

    def _wait(self, timeout_s: float) -> None:
        """Wait for the next request."""
        self._deadline = self._parts.loop.time() + timeout_s
        self._waiting[self] = None
        # Until the client has read the response before, it has the time for that, which is shorter.
        is_read = self._transport is None or not self._transport.get_write_buffer_size()
        self.checked_from = self._deadline if is_read else 0.0

    def _go_on_ahead(self) -> None:
        """Begin the next request if the client has sent it already, and reads what it is sent."""
        if self._ahead and self._exchange is None and not self._is_blocked:
            # Not at once: requests that a client sends ahead must not grow the stack, nor keep others waiting.
            self._parts.loop.call_soon(self._read_ahead)

    def cut(self, reason: Literal["client_gone", "cut"] = "cut") -> None:
        """Close with a reset: without it, a response without a length would look whole."""
        self._end(reason)
        reset(self._transport)

    def become_tunnel(self, tunnel: Tunnel) -> None:
        """Pass everything that arrives from now on to the tunnel."""
        self._tunnel = tunnel
        self._exchange = None
        if self._must_close:
            tunnel.go_away()
        ahead, self._ahead = self._ahead, b""
        self.resume_reading()
        if ahead:
            tunnel.from_client(ahead)

    def close(self) -> None:
        """Close once everything was sent."""
        self._is_closing = True
        self._waiting.pop(self, None)
        self.checked_from = 0.0
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """Close at once."""
        self._is_closing = True
        self._waiting.pop(self, None)
        if self._transport is not None:
            self._transport.abort()

    # Called by the listener.

    def close_after_response(self) -> None:
        """Let the present request end, or the next one of an idle connection, and take no other."""
        self._must_close = True
        if self._tunnel is not None:
            self._tunnel.go_away()

    def expire(self, now: float) -> None:
        """Close the connection if it has waited for too long; to be called about twice a second.

        Before `checked_from` there is nothing to do.
        """
        transport, exchange = self._transport, self._exchange
        if transport is None:
            return
        if exchange is not None:
            exchange.expire(now)
            exchange = self._exchange
        if exchange is not None or self._tunnel is not None:
            self._check_left()
        if size := transport.get_write_buffer_size():
            self._check_reader(size, now)
            return
        self._blocked_bytes = 0
        if exchange is None and self._tunnel is None:
            self.checked_from = self._deadline
        waits_for_client = exchange is None or (exchange.awaits_body and not self._is_paused)
        if self._tunnel is None and waits_for_client and now >= self._deadline:
            self._timed_out()

    def _check_left(self) -> None:
        """End the request of a client that has left unseen, because nothing is read from it."""
        if self._is_paused and self._transport is not None:
            poll = select.poll()
            poll.register(self._transport.get_extra_info("socket").fileno(), select.POLLRDHUP)
            if poll.poll(0):
                self._end("client_gone")
                self.abort()

    def _check_reader(self, size: int, now: float) -> None:
        """Cut the connection of a client that reads nothing."""
        if size != self._blocked_bytes:
            self._blocked_bytes = size
            self._blocked_until = now + self._parts.limits.body_timeout_s
        elif now >= self._blocked_until:
            self.cut("client_gone")

    def _timed_out(self) -> None:
        if self._exchange is not None:
            self._exchange.body_timed_out()
        elif self._partial is not None and not self._partial.is_empty:
            error = RequestError(408, "the head of the request has not arrived in time")
            self._refuse(error, without_body=self._partial.is_of_head_request)
        else:
            self.abort() if self._is_closing else self.close()

    # asyncio.Protocol.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        # The transports of uvloop are not subclasses of asyncio's.
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(high=WRITE_BUFFER_BYTES)
        self._wait(self._parts.limits.head_timeout_s)
        self._on_opened(self)

    def data_received(self, data: bytes) -> None:
        """Read requests."""
        if self._tunnel is not None:
            self._tunnel.from_client(data)
        elif self._is_closing:
            return
        elif self._exchange is None and not self._ahead and not self._is_blocked:
            self._read(data)
        elif self._exchange is not None and not self._exchange.request_is_whole:
            self._deadline = self._parts.loop.time() + self._parts.limits.body_timeout_s
            used = self._exchange.feed(data)
            if used < len(data):
                self._keep_ahead(data[used:])
        else:
            self._keep_ahead(data)

    def _keep_ahead(self, data: bytes) -> None:
        if self._is_closing:
            return
        self._ahead += data
        if len(self._ahead) > MAX_AHEAD_BYTES:
            self.pause_reading()

    def _read_ahead(self) -> None:
        may_read = self._exchange is None and not self._is_blocked and not self._is_closing
        if may_read and self._ahead and self._transport is not None:
            data, self._ahead = self._ahead, b""
            self._read(data)

    def _read(self, data: bytes) -> None:
        """Read the head of a request, and begin it."""
        partial = self._partial
        try:
            if partial is None:
                data = without_empty_lines(data)
                if not data:
                    return  # they do not extend the time for the head
                found = read_whole_head(data)
                if found is None:
                    self._partial = partial = PartialHead(self._parts.unfinished_heads)
                    self._deadline = self.checked_from = self._parts.loop.time() + self._parts.limits.head_timeout_s
                    found = partial.feed(data)
            else:
                found = partial.feed(data)
        except RequestError as error:
            is_head = data.startswith(b"HEAD ") if partial is None else partial.is_of_head_request
            self._refuse(error, without_body=is_head)
            return
        if found is not None:
            self._drop_partial()
            self._begin(*found)

    def _begin(self, head: RequestHead, rest: bytes) -> None:
        """Begin a request. `rest`: what has arrived behind its head."""
        del self._waiting[self]
        self.checked_from = 0.0
        self._deadline = self._parts.loop.time() + self._parts.limits.body_timeout_s
        self._exchange = exchange = Exchange(self._parts, self, head)
        used = exchange.begin(rest)
        if used < len(rest):
            self._keep_ahead(rest[used:])
            self._go_on_ahead()

    def _drop_partial(self) -> None:
        if self._partial is not None:
            self._partial.drop()
            self._partial = None

    def _refuse(self, error: RequestError, *, without_body: bool) -> None:
        """Answer a request of which no more is read, and close."""
        now = clock.monotonic()
        record = RequestRecord(b"", b"", now)
        record.status, record.reason, record.ended_at = error.status, error.reason, now
        self._parts.observer.request_ended(record)
        self.write(own_response(error.status, record.reason, f"{error.text}\n", keep=False, without_body=without_body))
        self._linger(expects_data=True)

    def _linger(self, *, expects_data: bool) -> None:
        """Close, but after what the client still sends has been read: unread bytes would reset the connection."""
        self._is_closing = True
        self._waiting.pop(self, None)
        self.checked_from = 0.0
        self._ahead = b""
        self._drop_partial()
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        if not expects_data:
            transport.close()
            return
        self.resume_reading()
        self._deadline = self._parts.loop.time() + LINGER_S
        transport.write_eof()

    def eof_received(self) -> None:
        """The client is gone."""
        self._end("client_gone")

    def connection_lost(self, _error: Exception | None) -> None:
        """The client is gone."""
        self._transport = None
        self._end("client_gone")
        self._on_closed(self)

    def _end(self, reason: Literal["client_gone", "cut"]) -> None:
        """End what is under way."""
        self._is_closing = True
        self._waiting.pop(self, None)
        self.checked_from = 0.0
        self._drop_partial()
        exchange, self._exchange = self._exchange, None
        if exchange is not None:
            exchange.end(reason)
        if self._tunnel is not None:
            self._tunnel.from_client(b"")

    def pause_writing(self) -> None:
        """The client does not read as fast as the container writes."""
        self._is_blocked = True
        if self._tunnel is not None:
            self._tunnel.client_writable(False)
        elif self._exchange is not None:
            self._exchange.client_writable(False)

    def resume_writing(self) -> None:
        """The buffer has room again."""
        self._is_blocked = False
        self._go_on_ahead()
        if self._tunnel is not None:
            self._tunnel.client_writable(True)
        elif self._exchange is not None:
            self._exchange.client_writable(True)
