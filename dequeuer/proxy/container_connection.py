"""A connection to the container: it carries one request at a time, and reads its responses strictly."""

from __future__ import annotations

import asyncio
import math
import select
import socket
from collections.abc import Callable
from typing import Final, Literal, Protocol, cast

from dequeuer.http.errors import MalformedError
from dequeuer.http.framing import BodyReader, Trailers, UntilCloseBody, find_head_end
from dequeuer.http.keep_alive import max_idle_s
from dequeuer.http.response_head import MAX_HEAD_BYTES, ResponseHead, read_response_head
from dequeuer.proxy.tunnel import Tunnel

MAX_INTERIM_RESPONSES: Final = 32
"""Responses of 1xx before the response itself: without a limit a request would never end."""
MAX_IDLE_S: Final = 1.0
"""An idle connection is closed after this time. Web servers close theirs after 2 to 5 s (gunicorn, uvicorn, node)."""
LINGER_S: Final = 2.0
"""How long a connection that is closed may take to send what was written: the container may never read it."""
WRITE_BUFFER_BYTES: Final = 64 * 1024
"""Above it the other side is not read any more."""
RECEIVE_BYTES: Final = 64 * 1024
"""Of the kernel's buffer, and so the most that is read at a time: a thousand streams take little memory."""

FailureKind = Literal["upstream_broken", "upstream_malformed"]


class ResponseReceiver(Protocol):
    """Takes a response as it arrives. Each method may end the exchange."""

    @property
    def method(self) -> bytes:
        """The method of the request."""

    def on_interim(self, head: ResponseHead) -> None:
        """A response of 1xx."""

    def on_response(self, head: ResponseHead, body: BodyReader) -> None:
        """The head of the response."""

    def on_upgrade(self, head: ResponseHead, rest: bytes) -> None:
        """The container has switched protocols; `rest` is what it has sent after the head."""

    def on_response_data(self, piece: bytes) -> None:
        """A part of the body."""

    def on_read_end(self) -> None:
        """What has arrived was passed on, and the response goes on."""

    def on_response_end(self, trailers: Trailers) -> None:
        """The response is whole. The connection is free."""

    def on_failure(self, kind: FailureKind) -> None:
        """No response, or the rest of it, will come. The connection is closed."""

    def on_writable(self, is_writable: bool) -> None:  # noqa: FBT001 - a protocol of callbacks
        """The buffer towards the container is full, or has room again."""


class ContainerConnection(asyncio.Protocol):
    """HTTP/1.1 on one transport.

    Args:
        loop: the running one.
        on_free: called when a whole response was read and the connection can carry another request.
        on_closed: called when it is closed.
    """

    __slots__ = (
        "_body",
        "_buffer",
        "_has_body",
        "_head",
        "_interims",
        "_loop",
        "_on_closed",
        "_on_free",
        "_poll",
        "_receiver",
        "_sent_whole",
        "_transport",
        "_tunnel",
        "idle_until",
        "is_full",
        "is_reused",
        "response_began",
    )

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        on_free: Callable[[ContainerConnection], None],
        on_closed: Callable[[ContainerConnection], None],
    ) -> None:
        self._loop = loop
        self._on_free = on_free
        self._on_closed = on_closed
        self._transport: asyncio.Transport | None = None
        self._poll: select.poll | None = None
        self._receiver: ResponseReceiver | None = None
        self._tunnel: Tunnel | None = None
        self._buffer = b""
        self._body: BodyReader | None = None
        self._head: ResponseHead | None = None
        self._interims = 0
        self._has_body = self._sent_whole = False
        self.is_reused = False
        """Whether the present request is not its first."""
        self.response_began = False
        """Whether anything of the present response has arrived."""
        self.is_full = False
        """Whether the container does not read as fast as it is written to."""
        self.idle_until = math.inf
        """Loop time until which the idle connection may carry another request."""

    @property
    def is_open(self) -> bool:
        """Whether it can be written to."""
        return self._transport is not None and not self._transport.is_closing()

    def has_closed_unseen(self) -> bool:
        """Whether the container has closed it, although the event loop has not said so yet. A system call."""
        if self._transport is None or self._transport.is_closing():
            return True
        if self._poll is None:
            self._poll = select.poll()
            self._poll.register(self._transport.get_extra_info("socket").fileno(), select.POLLIN | select.POLLRDHUP)
        # Data on an idle connection would be taken for the response to the next request.
        return bool(self._poll.poll(0))

    def begin(self, receiver: ResponseReceiver, data: bytes, *, has_body: bool) -> None:
        """Send the beginning of a request; `write` sends the rest, `end_request` marks its end."""
        self._receiver = receiver
        self._has_body, self._sent_whole = has_body, False
        self._interims = 0
        self.response_began = False
        if self._transport is not None:
            self._transport.write(data)

    def write(self, data: bytes) -> None:
        """Send more of the request, or of a tunnel."""
        if self._transport is not None:
            self._transport.write(data)

    def end_request(self) -> None:
        """Record that the whole request was written."""
        self._sent_whole = True

    def become_tunnel(self, tunnel: Tunnel) -> None:
        """Pass everything that arrives from now on to the tunnel."""
        self._tunnel = tunnel

    def pause_reading(self) -> None:
        """Read nothing until `resume_reading`."""
        if self._transport is not None and self._transport.is_reading():
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        """Read again."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()

    def close(self) -> None:
        """Close, and tell nobody. What was written is still sent, if the container takes it soon."""
        self._receiver = None
        transport = self._transport
        if transport is not None:
            transport.close()
            if transport.get_write_buffer_size():
                self._loop.call_later(LINGER_S, transport.abort)

    def abort(self) -> None:
        """Close at once, and tell nobody."""
        self._receiver = None
        if self._transport is not None:
            self._transport.abort()

    # asyncio.Protocol.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        # The transports of uvloop are not subclasses of asyncio's.
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(high=WRITE_BUFFER_BYTES)
        if (sock := transport.get_extra_info("socket")) is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BYTES)

    def data_received(self, data: bytes) -> None:
        """Read a response."""
        if self._tunnel is not None:
            self._tunnel.from_container(data)
            return
        receiver = self._receiver
        if receiver is None:
            # No request is waiting: these bytes would be taken for the response to the next one.
            self.abort()
            return
        self.response_began = True
        try:
            if self._body is None:
                data = self._read_heads(receiver, data)
            if self._body is not None and self._receiver is receiver:
                self._read_body(receiver, self._body, data)
            if self._receiver is receiver:
                receiver.on_read_end()
        except MalformedError:
            self._fail("upstream_malformed")

    def _read_heads(self, receiver: ResponseReceiver, data: bytes) -> bytes:
        """Read interim responses and the head of the response; return what follows it."""
        buffer = self._buffer + data if self._buffer else data
        while (end := find_head_end(buffer, 0)) and self._receiver is receiver:
            head = read_response_head(buffer if end == len(buffer) else buffer[:end])
            buffer = buffer[end:]
            if head.is_interim:
                self._interims += 1
                if self._interims > MAX_INTERIM_RESPONSES:
                    raise MalformedError("too many interim responses")
                receiver.on_interim(head)
                continue
            self._buffer = b""
            if head.status == 101:
                self._receiver = None
                receiver.on_upgrade(head, buffer)
                return b""
            self._head = head
            self._body = body = head.body_reader(receiver.method)
            receiver.on_response(head, body)
            return buffer
        if len(buffer) > MAX_HEAD_BYTES or not b"HTTP/1.".startswith(buffer[:7]):
            raise MalformedError("a response whose head does not end, or is not HTTP/1")
        self._buffer = buffer
        return b""

    def _read_body(self, receiver: ResponseReceiver, body: BodyReader, data: bytes) -> None:
        used = 0
        if data and not body.is_done:
            piece, used = body.feed(data)
            if piece:
                receiver.on_response_data(piece)
        if body.is_done and self._receiver is receiver:
            self._end(receiver, may_be_reused=used == len(data))

    def _end(self, receiver: ResponseReceiver, *, may_be_reused: bool) -> None:
        body, head, transport = self._body, self._head, self._transport
        self._receiver = self._body = self._head = None
        if body is None or head is None or transport is None:
            return
        may_have_unread_body = self._has_body and not 200 <= head.status < 300
        # What is still buffered here cannot have been read. A body that the container left unread would be taken for
        # the next request: the client chose its bytes.
        is_whole = self._sent_whole and not transport.get_write_buffer_size() and not may_have_unread_body
        if is_whole and head.keep_alive and may_be_reused and not transport.is_closing():
            self.resume_reading()
            idle_s = MAX_IDLE_S
            if b"keep-alive" in head.special:
                idle_s = min(idle_s, max_idle_s(head.special[b"keep-alive"][0].decode("latin-1")))
            self.idle_until = self._loop.time() + idle_s
            self._on_free(self)
        else:
            transport.abort()
        receiver.on_response_end(body.trailers)

    def pause_writing(self) -> None:
        """The buffer of the transport is full."""
        self._set_full(True)

    def resume_writing(self) -> None:
        """The buffer of the transport has room again."""
        self._set_full(False)

    def _set_full(self, is_full: bool) -> None:  # noqa: FBT001 - private
        self.is_full = is_full
        if self._tunnel is not None:
            self._tunnel.container_writable(not is_full)
        elif self._receiver is not None:
            self._receiver.on_writable(not is_full)

    def eof_received(self) -> None:
        """End a response without a length: the end of the stream is its end."""
        receiver = self._receiver
        if receiver is not None and isinstance(self._body, UntilCloseBody):
            self._body.is_done = True
            self._end(receiver, may_be_reused=False)

    def connection_lost(self, _error: Exception | None) -> None:
        """Fail the request that is under way."""
        self._transport = None
        self._poll = None
        self._on_closed(self)
        if self._tunnel is not None:
            self._tunnel.from_container(b"")
            self._tunnel = None
        else:
            self._fail("upstream_broken")

    def _fail(self, kind: FailureKind) -> None:
        receiver, self._receiver = self._receiver, None
        self._body = self._head = None
        if self._transport is not None:
            self._transport.abort()
        if receiver is not None:
            receiver.on_failure(kind)
