"""One HTTP/1.1 connection that carries several requests, one at a time."""

from __future__ import annotations

import asyncio
import math
import socket
from typing import cast

import httptools

from dequeuer.http.errors import ConnectionBrokenError, HttpTransportError, MalformedError, ResponseTimeoutError
from dequeuer.http.protocols import guess_protocol
from dequeuer.http.response import MAX_HEAD_BYTES, Response

MAX_COPIED_BODY_BYTES = 64 * 1024
"""A body up to this size is joined to its head in one write: the copy costs less than another system call."""


class Connection(asyncio.Protocol):
    """HTTP/1.1 on one transport. The pool checks `deadline` (loop time), so that no request needs a timer of its own.

    Args:
        loop: the running one.
        only_after_success: whether every response other than 2xx ends the connection. Otherwise such a response ends it
            only when its request had a body: a server that refuses a request may leave the body unread, and would take
            the rest of it for the next request.
        receive_bytes: size of the kernel's receive buffer, and so the most that is read at a time; None: the kernel
            decides, which can be hundreds of KiB.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, *, only_after_success: bool = False, receive_bytes: int | None = None
    ) -> None:
        self.loop = loop
        self._receive_bytes = receive_bytes
        self._only_after_success = only_after_success
        self._is_full = False
        self._writer: asyncio.Future[None] | None = None
        self._transport: asyncio.Transport | None = None
        self._parser: httptools.HttpResponseParser | None = httptools.HttpResponseParser(self)
        self._has_body = False
        self._overhead_bytes = 0
        self._head_may_be_long = False
        self._response: Response | None = None
        self._interim = False
        self._has_surplus = False
        self._paused = False
        self._keep = True
        self._sent_whole = False
        self._sent_body = False
        self._early_data_error: MalformedError | None = None
        self.deadline = math.inf
        self.idle_since = 0.0
        """Loop time at which the connection became idle."""
        self.idle_until = math.inf
        """Loop time until which the idle connection may be used for another request."""
        self.answered = 0
        """Whole responses so far. After the first one, the server may have closed the idle connection unnoticed."""

    @property
    def is_reusable(self) -> bool:
        """Whether another request can be sent."""
        transport = self._transport
        return self._keep and self._response is None and transport is not None and not transport.is_closing()

    def send(self, request: bytes, body: bytes | bytearray = b"") -> Response:
        """Send a whole request; return its response, of which nothing has arrived yet."""
        response = self.begin_request(request + body if len(body) <= MAX_COPIED_BODY_BYTES else request)
        if len(body) > MAX_COPIED_BODY_BYTES and self._transport is not None:
            self._transport.write(body)
        self._sent_whole, self._sent_body = True, bool(body)
        return response

    def begin_request(self, request: bytes) -> Response:
        """Send the beginning of a request; `write` sends the rest, `end_request` marks its end."""
        self._response = response = Response(self)
        self._overhead_bytes = 0
        self._sent_whole, self._sent_body = False, True
        if self._early_data_error is not None:
            response.error = self._early_data_error
        elif self._transport is None:
            # The server accepted the connection and closed it at once.
            response.error = ConnectionBrokenError("the connection was closed", unanswered=True)
        else:
            self._transport.write(request)
        return response

    async def write(self, data: bytes, timeout_s: float) -> bool:
        """Send more of the request once the transport has room; False: a response has come, or none can come any more.

        Raises:
            ResponseTimeoutError: the server has read nothing for `timeout_s`.
        """
        response = self._response
        if self._is_full and response is not None and not response.status and response.error is None:
            self._writer = self.loop.create_future()
            self.deadline = self.loop.time() + timeout_s
            try:
                await self._writer
            finally:
                self.deadline = math.inf
                self._writer = None
        if response is None or response.status or response.error is not None or self._transport is None:
            # The rest of the request is never sent, so `finish` closes the connection.
            if response is not None and isinstance(response.error, ResponseTimeoutError):
                raise response.error
            return False
        self._transport.write(data)
        return True

    def limit_writes(self, size: int) -> None:
        """Make `write` wait while more than `size` bytes have not been passed to the kernel."""
        if self._transport is not None:
            self._transport.set_write_buffer_limits(high=size)

    def end_request(self) -> None:
        """Record that the whole request was written. Without it the connection is not used for another request."""
        self._sent_whole = True

    def finish(self, response: Response) -> None:
        """End the exchange. The connection is closed if bytes of this one could be taken for part of the next one."""
        if self._response is not response:
            return
        self._response = None
        if not response.done or not self._is_fully_sent():
            # The server would take the next request for the rest of this body, or we the rest of this response for the
            # next one.
            self.abort()
        elif not 200 <= response.status < 300 and (self._sent_body or self._only_after_success):
            self.close()

    def _is_fully_sent(self) -> bool:
        """Whether the whole request was passed to the kernel. What is still buffered here cannot have been read."""
        transport = self._transport
        return self._sent_whole and transport is not None and not transport.get_write_buffer_size()

    def close(self) -> None:
        """Close; over TLS, send close_notify first."""
        self._keep = False
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """Close at once, without sending what is buffered."""
        self._keep = False
        if self._transport is not None:
            self._transport.abort()

    def expire(self) -> None:
        """Fail the request: its deadline is over."""
        self._fail(ResponseTimeoutError("no response in time"))

    def pause_reading(self) -> None:
        """Stop reading from the transport until `resume_reading`: the server is slowed down."""
        if not self._paused and self._transport is not None:
            self._paused = True
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        """Read from the transport again."""
        if self._paused and self._transport is not None:
            self._paused = False
            self._transport.resume_reading()

    # asyncio.Protocol.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        # The transports of uvloop are not subclasses of asyncio's.
        self._transport = cast("asyncio.Transport", transport)
        if self._receive_bytes is not None and (sock := transport.get_extra_info("socket")) is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self._receive_bytes)

    def data_received(self, data: bytes) -> None:
        """Parse what has arrived."""
        response = self._response
        if response is None or response.done or self._parser is None:
            if response is None and not self.answered:
                # Servers of some other protocols (SSH, SMTP) send a greeting before they read anything.
                text = "the server sent data before the request"
                self._early_data_error = MalformedError(text, looks_like=guess_protocol(data))
            # No request is waiting: these bytes would be taken for the response to the next one.
            self.abort()
            return
        self._feed(self._parser, response, data)
        response.wake()
        self._wake_writer()

    def _feed(self, parser: httptools.HttpResponseParser, response: Response, data: bytes) -> None:
        self._has_body = False
        self._head_may_be_long = self._overhead_bytes + len(data) > MAX_HEAD_BYTES
        try:
            parser.feed_data(data)
        except httptools.HttpParserCallbackError as error:
            cause = error.__context__
            self._fail(
                cause if isinstance(cause, HttpTransportError) else MalformedError("the response is not valid HTTP")
            )
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            # Also when the response was whole: bytes after it mean that its Content-Length was too small.
            response.done = False
            kind = "" if response.status else guess_protocol(data)
            self._fail(MalformedError("the response is not valid HTTP", looks_like=kind))
        if self._has_surplus:
            self.abort()
        # A header field, a chunk size or interim responses can be endless, and the parser buffers them.
        self._overhead_bytes = 0 if self._has_body else self._overhead_bytes + len(data)
        if self._overhead_bytes > MAX_HEAD_BYTES:
            self._fail(MalformedError("a response whose head or chunk size does not end"))

    def pause_writing(self) -> None:
        """The write buffer of the transport is full."""
        self._is_full = True

    def resume_writing(self) -> None:
        """The write buffer of the transport has room again."""
        self._is_full = False
        self._wake_writer()

    def _wake_writer(self) -> None:
        if self._writer is not None and not self._writer.done():
            self._writer.set_result(None)

    def eof_received(self) -> None:
        """End a response without a length: the end of the stream is its end."""
        response = self._response
        if response is None or not response.status or response.done or response.error is not None:
            return
        if response.field("content-length") is None and response.field("transfer-encoding") is None:
            self._keep = False
            response.done = True
            response.wake()

    def connection_lost(self, error: Exception | None) -> None:
        """Fail the request that is under way."""
        self._keep = False
        if error is None:
            self.eof_received()
        self._fail(None)
        self._transport = None
        # The parser refers to methods of this object: without this, the cycle would stay until the garbage collector
        # runs.
        self._parser = None

    def _fail(self, error: HttpTransportError | None) -> None:
        response = self._response
        if response is not None and not response.done and response.error is None:
            unanswered = not response.status
            response.error = error or ConnectionBrokenError("the connection was closed", unanswered=unanswered)
            response.wake()
            self._wake_writer()
        self.abort()

    # Callbacks of the parser.

    def on_message_begin(self) -> None:
        """A response begins."""
        # A second response to one request is ignored: it must not become the response to the next request.
        self._has_surplus = self._response is not None and self._response.done

    def on_header(self, name: bytes, value: bytes) -> None:
        """Record a field of the head. Fields of a trailer are ignored."""
        response = self._response
        if response is not None and not response.status:
            key = name.lower()
            if key in response.fields:
                response.repeated.append((key, value))
            else:
                response.fields[key] = value

    def on_headers_complete(self) -> None:
        """Check the head, which is whole now."""
        response = self._response
        if response is None or self._parser is None or self._has_surplus:
            return
        status = self._parser.get_status_code()
        if not 100 <= status <= 599:
            raise MalformedError("a status outside of 100 to 599")
        response.check_head(may_be_long=self._head_may_be_long)
        self._interim = status < 200
        if self._interim:
            response.fields.clear()
            response.repeated.clear()
        else:
            response.status = status

    def on_body(self, chunk: bytes) -> None:
        """Take a part of the body."""
        self._has_body = True
        if self._has_surplus:
            return
        if self._response is not None and self._response.append_body(chunk):
            self.pause_reading()

    def on_message_complete(self) -> None:
        """Mark the response as whole."""
        response = self._response
        if response is None or self._parser is None or self._interim or self._has_surplus:
            return
        self._keep = self._keep and self._parser.should_keep_alive()
        response.done = True
        self.answered += 1
        self.resume_reading()
