"""One connection that is kept: a request out, its answer in, one at a time."""

from __future__ import annotations

import asyncio
import math
from typing import cast

import httptools

from dequeuer.wire.answer import Answer
from dequeuer.wire.errors import BrokenError, MalformedError, SlowError, WireError
from dequeuer.wire.heads import HEAD_LIMIT_BYTES, plain_head

COPIED_BYTES = 64 * 1024
"""A body up to this size is put behind its head: a copy costs less than another system call."""


class Connection(asyncio.Protocol):
    """HTTP/1.1 on one transport. `deadline` is loop time; its owner looks at it, so that no request needs a timer."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self._is_full = False
        self._writer: asyncio.Future[None] | None = None
        self._transport: asyncio.Transport | None = None
        self._parser: httptools.HttpResponseParser | None = None
        self._missing = 0
        self._has_body = False
        self._overhead_bytes = 0
        self._answer: Answer | None = None
        self._interim = False
        self._paused = False
        self._until_eof = False
        self._keep = True
        self.deadline = math.inf
        self.idle_since = 0.0
        self.answered = 0
        """Whole answers so far: a connection that has answered before may have been closed by now, unnoticed."""

    @property
    def is_usable(self) -> bool:
        """Whether another request can be sent."""
        transport = self._transport
        return self._keep and self._answer is None and transport is not None and not transport.is_closing()

    def send(self, request: bytes, body: bytes = b"") -> Answer:
        """Send a whole request; its answer begins to arrive."""
        self._answer = answer = Answer(self)
        if self._transport is None:
            # Closed as soon as it was accepted.
            answer.error = BrokenError("the connection was closed", unanswered=True)
            return answer
        self._parser = None
        self._overhead_bytes = 0
        self._until_eof = True
        if len(body) > COPIED_BYTES:
            self._transport.write(request)
            self._transport.write(body)
        else:
            self._transport.write(request + body)
        return answer

    async def write(self, data: bytes, timeout_s: float) -> bool:
        """Send more of the request once there is room; False: the answer is there, or none will come.

        Raises:
            SlowError: the other side takes nothing for `timeout_s`.
        """
        answer = self._answer
        if self._is_full and answer is not None and not answer.status and answer.error is None:
            self._writer = self.loop.create_future()
            self.deadline = self.loop.time() + timeout_s
            try:
                await self._writer
            finally:
                self.deadline = math.inf
                self._writer = None
        if answer is None or answer.status or answer.error is not None or self._transport is None:
            # What is left of the request is never sent: the connection cannot carry another one.
            self._keep = False
            if answer is not None and isinstance(answer.error, SlowError):
                raise answer.error
            return False
        self._transport.write(data)
        return True

    def finish(self, answer: Answer) -> None:
        """Give the connection back; closed unless the answer was whole."""
        if self._answer is not answer:
            return
        self._answer = None
        if not answer.done:
            self.abort()

    def close(self) -> None:
        """Close in good manners, which take a moment with TLS."""
        self._keep = False
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """Close at once; nothing more is sent."""
        self._keep = False
        if self._transport is not None:
            self._transport.abort()

    def expire(self) -> None:
        """Give up on an answer that takes too long."""
        self._fail(SlowError("no answer in time"))

    def resume(self) -> None:
        """Let the sender go on."""
        if self._paused and self._transport is not None:
            self._paused = False
            self._transport.resume_reading()

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        # uvloop's are no subclasses of asyncio's.
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Parse."""
        answer = self._answer
        if answer is None or answer.done:
            # Nobody asked: what comes now would be taken for the next request's answer.
            self.abort()
            return
        if self._parser is not None:
            self._feed(self._parser, data)
        elif answer.status:
            self._take(answer, data)
        elif not self._begin(answer, data):
            self._parser = parser = httptools.HttpResponseParser(self)
            self._feed(parser, data)
        answer.wake()
        self._wake_writer()

    def _begin(self, answer: Answer, data: bytes) -> bool:
        head = plain_head(data)
        if head is None:
            return False
        self._keep = self._keep and head.keeps
        self._until_eof = False
        self._missing = head.length
        answer.take_head(head.status, head.lines)
        self._take(answer, data[head.end :])
        return True

    def _take(self, answer: Answer, data: bytes) -> None:
        missing = self._missing = self._missing - len(data)
        if missing < 0:
            surplus, data = data[missing:], data[:missing]
            self._keep = False
            if surplus.strip(b"\r\n") and not surplus.startswith(b"HTTP/"):
                # A length that is too short: what was announced is not the answer.
                self._fail(MalformedError("more than was announced"))
                return
        if data:
            self.on_body(data)
        if missing <= 0:
            self._complete(answer)

    def _feed(self, parser: httptools.HttpResponseParser, data: bytes) -> None:
        self._has_body = False
        try:
            parser.feed_data(data)
        except httptools.HttpParserCallbackError as error:
            cause = error.__context__
            self._fail(cause if isinstance(cause, WireError) else MalformedError("the answer is not valid HTTP"))
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._fail(MalformedError("the answer is not valid HTTP"))
        # A single field, the size of a chunk, interim answers: each can be without end, and the parser gathers it.
        self._overhead_bytes = 0 if self._has_body else self._overhead_bytes + len(data)
        if self._overhead_bytes > HEAD_LIMIT_BYTES:
            self._fail(MalformedError("an answer without end, and without a body"))

    def _complete(self, answer: Answer) -> None:
        answer.done = True
        self.answered += 1
        self.resume()

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
        """Take an end of the stream for the end of an answer that has no other."""
        answer = self._answer
        if answer is not None and answer.status and self._until_eof and not answer.done:
            self._keep = False
            answer.done = True
            answer.wake()

    def connection_lost(self, error: Exception | None) -> None:
        """Fail what was under way."""
        self._keep = False
        if error is None:
            self.eof_received()
        self._fail(None)
        self._transport = None

    def _fail(self, error: WireError | None) -> None:
        answer = self._answer
        if answer is not None and not answer.done and answer.error is None:
            unanswered = not answer.status
            answer.error = error or BrokenError("the connection was closed", unanswered=unanswered)
            answer.wake()
            self._wake_writer()
        self.abort()

    # the parser

    def on_message_begin(self) -> None:
        """Another answer begins."""
        if self._answer is not None and self._answer.done:
            # A second answer to one request: the first stands, and this one is never the next request's.
            raise MalformedError("more than was asked for")

    def on_header(self, name: bytes, value: bytes) -> None:
        """A field of the head, or of a trailer."""
        if self._answer is not None and not self._answer.status:
            self._answer.add_field(name, value)
            if name.lower() in (b"content-length", b"transfer-encoding"):
                self._until_eof = False

    def on_headers_complete(self) -> None:
        """The head is whole."""
        if self._answer is None or self._parser is None:
            return
        status = self._parser.get_status_code()
        if not 100 <= status <= 599:
            raise MalformedError("a status that is none")
        self._interim = status < 200
        if self._interim:
            self._answer.forget_fields()
        else:
            self._answer.status = status

    def on_body(self, chunk: bytes) -> None:
        """A part of the body."""
        self._has_body = True
        if self._answer is not None and self._answer.take_body(chunk) and not self._paused and self._transport:
            self._paused = True
            self._transport.pause_reading()

    def on_message_complete(self) -> None:
        """The answer is whole."""
        if self._answer is None or self._parser is None or self._interim:
            return
        self._keep = self._keep and self._parser.should_keep_alive()
        self._complete(self._answer)
