"""One connection that is kept: a request out, its response in, one at a time."""

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
"""A body up to this size is put behind its head: a copy costs less than another system call."""


class Connection(asyncio.Protocol):
    """HTTP/1.1 on one transport. `deadline` is loop time; its owner looks at it, so that no request needs a timer.

    Args:
        loop: the running one.
        only_after_success: whether any response but 2xx ends the connection. Otherwise only those do whose request had
            a body: a server that refuses may not have read it, and would take it for the next request.
        receive_bytes: how much the kernel may keep of what arrives, and so the most that is read at a time; None: the
            kernel decides, which can be hundreds of KiB.
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
        """Loop time at which the last response was read."""
        self.idle_until = math.inf
        """Loop time until which another request may be sent, once this connection rests."""
        self.answered = 0
        """Whole answers so far: a connection that has answered before may have been closed by now, unnoticed."""

    @property
    def is_reusable(self) -> bool:
        """Whether another request can be sent."""
        transport = self._transport
        return self._keep and self._response is None and transport is not None and not transport.is_closing()

    def send(self, request: bytes, body: bytes | bytearray = b"") -> Response:
        """Send a whole request; its response begins to arrive."""
        response = self.begin_request(request + body if len(body) <= MAX_COPIED_BODY_BYTES else request)
        if len(body) > MAX_COPIED_BODY_BYTES and self._transport is not None:
            self._transport.write(body)
        self._sent_whole, self._sent_body = True, bool(body)
        return response

    def begin_request(self, request: bytes) -> Response:
        """Send the beginning of a request. `write` sends more of it, and `end_request` says that this was all."""
        self._response = response = Response(self)
        self._overhead_bytes = 0
        self._sent_whole, self._sent_body = False, True
        if self._early_data_error is not None:
            response.error = self._early_data_error
        elif self._transport is None:
            # Closed as soon as it was accepted.
            response.error = ConnectionBrokenError("the connection was closed", unanswered=True)
        else:
            self._transport.write(request)
        return response

    async def write(self, data: bytes, timeout_s: float) -> bool:
        """Send more of the request once there is room; False: the response is there, or none will come.

        Raises:
            ResponseTimeoutError: the other side takes nothing for `timeout_s`.
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
            # What is left of the request is never sent: `finish` closes the connection.
            if response is not None and isinstance(response.error, ResponseTimeoutError):
                raise response.error
            return False
        self._transport.write(data)
        return True

    def limit_writes(self, size: int) -> None:
        """Let `write` wait as soon as more than `size` bytes are not with the kernel yet."""
        if self._transport is not None:
            self._transport.set_write_buffer_limits(high=size)

    def end_request(self) -> None:
        """Say that the whole request was written. Without it the connection carries no other one."""
        self._sent_whole = True

    def finish(self, response: Response) -> None:
        """Give the connection back. It is closed unless the next request can only meet its own response."""
        if self._response is not response:
            return
        self._response = None
        if not response.done or not self._is_fully_sent():
            # What follows would be taken for the rest of this request's body, or for its response.
            self.abort()
        elif not 200 <= response.status < 300 and (self._sent_body or self._only_after_success):
            self.close()

    def _is_fully_sent(self) -> bool:
        """Whether the whole request is with the kernel: what is still buffered here was not read by anybody."""
        transport = self._transport
        return self._sent_whole and transport is not None and not transport.get_write_buffer_size()

    def close(self) -> None:
        """Close; with TLS after close_notify was sent."""
        self._keep = False
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """Close at once; nothing more is sent."""
        self._keep = False
        if self._transport is not None:
            self._transport.abort()

    def expire(self) -> None:
        """Give up on a response that takes too long."""
        self._fail(ResponseTimeoutError("no response in time"))

    def pause_reading(self) -> None:
        """Read nothing more until `resume_reading`."""
        if not self._paused and self._transport is not None:
            self._paused = True
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        """Let the sender go on."""
        if self._paused and self._transport is not None:
            self._paused = False
            self._transport.resume_reading()

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        # uvloop's are no subclasses of asyncio's.
        self._transport = cast("asyncio.Transport", transport)
        if self._receive_bytes is not None and (sock := transport.get_extra_info("socket")) is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self._receive_bytes)

    def data_received(self, data: bytes) -> None:
        """Parse."""
        response = self._response
        if response is None or response.done or self._parser is None:
            if response is None and not self.answered:
                # Servers of some other protocols (SSH, SMTP) send a greeting first.
                text = "the server sent data before the request"
                self._early_data_error = MalformedError(text, looks_like=guess_protocol(data))
            # Nobody asked: what comes now would be taken for the next request's response.
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
            # Also when the response was whole: a length that is too short announced something else than was meant.
            response.done = False
            kind = "" if response.status else guess_protocol(data)
            self._fail(MalformedError("the response is not valid HTTP", looks_like=kind))
        if self._has_surplus:
            self.abort()
        # A single field, the size of a chunk, interim answers: each can be without end, and the parser gathers it.
        self._overhead_bytes = 0 if self._has_body else self._overhead_bytes + len(data)
        if self._overhead_bytes > MAX_HEAD_BYTES:
            self._fail(MalformedError("a response without end, and without a body"))

    def pause_writing(self) -> None:
        """The transport has enough."""
        self._is_full = True

    def resume_writing(self) -> None:
        """The transport has room."""
        self._is_full = False
        self._wake_writer()

    def _wake_writer(self) -> None:
        if self._writer is not None and not self._writer.done():
            self._writer.set_result(None)

    def eof_received(self) -> None:
        """Take an end of the stream for the end of a response that has no other."""
        response = self._response
        if response is None or not response.status or response.done or response.error is not None:
            return
        if response.field("content-length") is None and response.field("transfer-encoding") is None:
            self._keep = False
            response.done = True
            response.wake()

    def connection_lost(self, error: Exception | None) -> None:
        """Fail what was under way."""
        self._keep = False
        if error is None:
            self.eof_received()
        self._fail(None)
        self._transport = None
        # It refers to its callbacks, which are methods of this object: the cycle would wait for the collector.
        self._parser = None

    def _fail(self, error: HttpTransportError | None) -> None:
        response = self._response
        if response is not None and not response.done and response.error is None:
            unanswered = not response.status
            response.error = error or ConnectionBrokenError("the connection was closed", unanswered=unanswered)
            response.wake()
            self._wake_writer()
        self.abort()

    # the parser

    def on_message_begin(self) -> None:
        """Another response begins."""
        # A second response to one request: the first stands, and this one is never the next request's.
        self._has_surplus = self._response is not None and self._response.done

    def on_header(self, name: bytes, value: bytes) -> None:
        """A field of the head, or of a trailer, which is ignored."""
        response = self._response
        if response is not None and not response.status:
            key = name.lower()
            if key in response.fields:
                response.repeated.append((key, value))
            else:
                response.fields[key] = value

    def on_headers_complete(self) -> None:
        """The head is whole."""
        response = self._response
        if response is None or self._parser is None or self._has_surplus:
            return
        status = self._parser.get_status_code()
        if not 100 <= status <= 599:
            raise MalformedError("a status that is none")
        response.check_head(may_be_long=self._head_may_be_long)
        self._interim = status < 200
        if self._interim:
            response.fields.clear()
            response.repeated.clear()
        else:
            response.status = status

    def on_body(self, chunk: bytes) -> None:
        """A part of the body."""
        self._has_body = True
        if self._has_surplus:
            return
        if self._response is not None and self._response.append_body(chunk):
            self.pause_reading()

    def on_message_complete(self) -> None:
        """The response is whole."""
        response = self._response
        if response is None or self._parser is None or self._interim or self._has_surplus:
            return
        self._keep = self._keep and self._parser.should_keep_alive()
        response.done = True
        self.answered += 1
        self.resume_reading()
