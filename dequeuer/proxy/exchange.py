"""One request of a client, from its head to the last byte of the response."""

from __future__ import annotations

import asyncio
from typing import Final, Literal

from dequeuer.concurrency.slots import SlotResult
from dequeuer.core import clock
from dequeuer.http.errors import MalformedError
from dequeuer.http.forwarding import last_chunk, request_head
from dequeuer.http.framing import BodyReader, Trailers
from dequeuer.http.own_response import own_response
from dequeuer.http.request_head import RequestHead
from dequeuer.http.response_head import ResponseHead
from dequeuer.http.trace_context import traceparent
from dequeuer.proxy.admission import QueueFullError, RejectionReason
from dequeuer.proxy.container_connection import ContainerConnection, FailureKind
from dequeuer.proxy.own_responses import FAILURE_TEXTS, QUEUE_FULL_TEXT, REJECTION_TEXTS
from dequeuer.proxy.parts import Client, ProxyParts
from dequeuer.proxy.record import RequestRecord
from dequeuer.proxy.response_writer import ResponseWriter
from dequeuer.proxy.tunnel import Tunnel

MAX_WAITING_BODY_BYTES: Final = 64 * 1024
"""Of a request that waits for its admission: above it the client is not read."""
# Safe methods (RFC 9110, section 9.2.1). Of another one nobody knows whether it was executed.
_REPEATABLE: Final = frozenset({b"GET", b"HEAD", b"OPTIONS"})
RESEND_WITHIN_S: Final = 1.0
"""A connection that the container closed before the request came ends at once. One that ends later has carried it: the
container may have been killed by the request, and another one would be, too."""
_NOT_NOW: Final = frozenset({429, 503})
_PROBE: Final = b"kube-probe/"


class Exchange:
    """Forwards one request. It is a `Waiter` of the admission, and the `ResponseReceiver` of its connection."""

    __slots__ = (
        "_body",
        "_client",
        "_connection",
        "_counts",
        "_dial",
        "_ended",
        "_head",
        "_parts",
        "_pending",
        "_pending_bytes",
        "_response",
        "deadline",
        "record",
    )

    def __init__(self, parts: ProxyParts, client: Client, head: RequestHead) -> None:
        self._parts = parts
        self._client = client
        self._head = head
        self._body: BodyReader = head.body_reader()
        self._connection: ContainerConnection | None = None
        self._dial: asyncio.Task[None] | None = None
        self._pending: list[bytes] = []
        self._pending_bytes = 0
        self._counts = self._ended = False
        self._response = ResponseWriter(client, head)
        self.deadline = 0.0
        """Loop time until which the head of the response must have arrived; 0: there is no limit."""
        self.record = RequestRecord(head.method, head.target, clock.monotonic())

    @property
    def method(self) -> bytes:
        """The method of the request."""
        return self._head.method

    @property
    def request_is_whole(self) -> bool:
        """Whether nothing more of the request is expected."""
        return self._body.is_done

    @property
    def may_be_followed(self) -> bool:
        """Whether the client may be sending more, of this request or another one."""
        return not self._body.is_done or self._head.keep_alive

    @property
    def awaits_body(self) -> bool:
        """Whether the client is expected to send more of the body."""
        return not self._body.is_done and self._connection is not None

    def begin(self, rest: bytes) -> int:
        """Take the request in; return how many bytes of `rest` belong to its body."""
        limit = self._parts.limits.max_body_bytes
        if limit and (self._head.body_length or 0) > limit:
            self._refuse_too_large(limit)
            return len(rest)
        used = self.feed(rest) if rest and not self._body.is_done else 0
        if self._ended:
            return used
        agents = self._head.special.get(b"user-agent")
        if agents and agents[0].startswith(_PROBE):
            self._connect()
            return used
        self._counts = True
        try:
            is_admitted = self._parts.admission.enter(self)
        except QueueFullError:
            self._counts = False
            self._refuse(503, "queue_full", QUEUE_FULL_TEXT)
            return used
        if is_admitted:
            self._start()
        return used

    def feed(self, data: bytes) -> int:
        """Take more of the body; return how many bytes of `data` belong to it."""
        try:
            piece, used = self._body.feed(data)
        except MalformedError:
            self._refuse(400, "bad_request", "the chunks of the request are not valid")
            return len(data)
        if piece:
            self.record.bytes_in += len(piece)
            limit = self._parts.limits.max_body_bytes
            if limit and self.record.bytes_in > limit:
                self._refuse_too_large(limit)
                return len(data)
        end = self._body.is_done
        if self._connection is None:
            self._pending.append(self._framed(piece))
            self._pending_bytes += len(piece)
            if self._pending_bytes > MAX_WAITING_BODY_BYTES and not end:
                self._client.pause_reading()
        else:
            self._connection.write(self._framed(piece))
            if end:
                self._connection.end_request()
        return used

    def _framed(self, piece: bytes) -> bytes:
        """Return a part of the body as the container gets it; after the last one, the end too."""
        if not self._head.is_chunked:
            return piece
        chunk = b"%x\r\n%b\r\n" % (len(piece), piece) if piece else b""
        return chunk + last_chunk(self._body.trailers) if self._body.is_done else chunk

    # Waiter.

    def admitted(self) -> None:
        """Begin: a slot is free."""
        self._start()

    def rejected(self, reason: RejectionReason) -> None:
        """Answer that the request has waited for too long."""
        self._counts = False
        self._refuse(503, reason, REJECTION_TEXTS[reason])

    def _start(self) -> None:
        self.record.admitted_at = clock.monotonic()
        if self._parts.limits.request_timeout_s:
            self.deadline = self._parts.loop.time() + self._parts.limits.request_timeout_s
        self._connect()

    def _connect(self, *, fresh: bool = False) -> None:
        may_repeat = self._may_repeat
        connection = None if fresh else self._parts.pool.take_idle(must_be_open=not may_repeat)
        if connection is not None:
            self._send(connection)
        else:
            self._dial = self._parts.pool.dial(self._send, self._unreachable)

    @property
    def _may_repeat(self) -> bool:
        return not self._head.has_body and self._head.method in _REPEATABLE and not self._head.upgrade

    def _send(self, connection: ContainerConnection) -> None:
        self._dial = None
        if self._ended:
            connection.close()
            return
        if not connection.is_open:
            self.on_failure("upstream_broken")
            return
        self._connection = connection
        parents = self._head.special.get(b"traceparent", ())
        field, self.record.trace_id = traceparent(parents[0] if len(parents) == 1 else None)
        head = request_head(self._head, self._client.address, field, keep_alive=self._parts.pool.keep_alive)
        data = b"".join([head, *self._pending])
        self._pending.clear()
        if not self._body.is_done:
            # Before the write: it may find the buffer full, and stop the client again.
            self._client.resume_reading()
        connection.begin(self, data, has_body=self._head.has_body)
        if self._body.is_done:
            connection.end_request()

    def _unreachable(self) -> None:
        self._dial = None
        if not self._ended:
            self._refuse(502, "upstream_unreachable", "the container does not accept the connection", "refused")

    # ResponseReceiver.

    def on_interim(self, head: ResponseHead) -> None:
        """Pass a response of 1xx on."""
        self._response.write_interim(head)

    def on_response(self, head: ResponseHead, body: BodyReader) -> None:
        """Pass the head of the response on."""
        self.deadline = 0.0
        self.record.status = head.status
        self.record.first_byte_at = clock.monotonic()
        self._response.begin(head, has_body=not body.is_done, request_is_whole=self._body.is_done)

    def on_response_data(self, piece: bytes) -> None:
        """Pass a part of the body on."""
        self.record.bytes_out += len(piece)
        self._response.add(piece)

    def on_read_end(self) -> None:
        """Send what came with one read of the container's connection."""
        self._response.flush()

    def on_response_end(self, trailers: Trailers) -> None:
        """End the response."""
        # Before the write: it may find the buffer full. The connection may have the next request already.
        self._connection = None
        self._response.end(trailers)
        status = self.record.status
        self._finish("refused" if status in _NOT_NOW else "succeeded" if status < 500 else "failed")
        self._client.exchange_ended(keep=self._response.keep and self._body.is_done)

    def on_upgrade(self, head: ResponseHead, rest: bytes) -> None:
        """Turn both connections into a tunnel."""
        connection = self._connection
        if not self._head.upgrade or connection is None:
            self._refuse(502, "upstream_malformed", FAILURE_TEXTS["upstream_malformed"], "refused")
            return
        self.deadline = 0.0
        self.record.status, self.record.first_byte_at, self.record.is_upgrade = 101, clock.monotonic(), True
        self._response.switch(head)
        self._parts.observer.upgrade_opened()
        protocol = self._head.upgrade.lower()
        tunnel = Tunnel(self._client, connection, self._tunnel_ended, is_websocket=protocol == b"websocket")
        connection.become_tunnel(tunnel)
        self._client.become_tunnel(tunnel)
        if connection.is_full:
            self._client.pause_reading()
        if rest:
            tunnel.from_container(rest)

    def _tunnel_ended(self, tunnel: Tunnel) -> None:
        self.record.bytes_in, self.record.bytes_out = tunnel.bytes_in, tunnel.bytes_out
        self._connection = None
        self._parts.observer.upgrade_closed()
        self._finish("succeeded")

    def on_failure(self, kind: FailureKind) -> None:
        """Answer for the container, or cut a response that has begun."""
        connection, self._connection = self._connection, None
        if self._ended:
            return
        if (
            kind == "upstream_broken"
            and connection is not None
            and connection.is_reused
            and not connection.response_began
            and self._may_repeat
            and clock.monotonic() - (self.record.admitted_at or self.record.began_at) < RESEND_WITHIN_S
        ):
            # The container closed an idle connection: nothing of a request of a safe method was lost.
            self._connect(fresh=True)
        else:
            self.on_read_end()
            self._refuse(502, kind, FAILURE_TEXTS[kind], "refused")

    def on_writable(self, is_writable: bool) -> None:  # noqa: FBT001 - a protocol of callbacks
        """Slow the client down, or let it go on."""
        if is_writable:
            self._client.resume_reading()
        else:
            self._client.pause_reading()

    # Called by the client's connection.

    def client_writable(self, is_writable: bool) -> None:  # noqa: FBT001 - a protocol of callbacks
        """Slow the container down, or let it go on."""
        if self._connection is not None:
            if is_writable:
                self._connection.resume_reading()
            else:
                self._connection.pause_reading()

    def end(self, reason: Literal["client_gone", "cut"]) -> None:
        """End everything: nobody waits for the response, or nobody is to get it."""
        if not self._ended:
            self.record.reason = reason
            if not self._response.has_begun:
                self.record.status = 0
            self._finish("unknown")

    def expire(self, now: float) -> None:
        """Answer that the container takes too long, if it does."""
        if self.deadline and now >= self.deadline and not self._ended:
            self._refuse(504, "timeout", "the container has not responded in time", "failed")

    def body_timed_out(self) -> None:
        """Answer that the client takes too long to send the body."""
        self._refuse(408, "timeout", "the body of the request has not arrived in time")

    def _refuse_too_large(self, limit: int) -> None:
        self._refuse(413, "too_large", f"the body of the request is larger than {limit} bytes")

    def _refuse(self, status: int, reason: str, text: str, result: SlotResult = "unknown") -> None:
        """Answer for ourselves, or cut a response that has begun."""
        if self._ended:
            return
        self.record.reason = reason
        if self._response.has_begun:
            self.record.reason = "cut"
            self._finish(result)
            self._client.cut()
            return
        self.record.status = status
        # Of a request that is refused itself, nobody knows where it ends.
        keep = status >= 500 and self._body.is_done and self._head.keep_alive and self._client.may_persist
        self._finish(result)
        self._client.write(
            own_response(status, reason, f"{text}\n", keep=keep, without_body=self._head.method == b"HEAD")
        )
        self._client.exchange_ended(keep=keep)

    def _finish(self, result: SlotResult) -> None:
        """Free what the exchange holds, and report it."""
        self._ended = True
        self._pending.clear()
        if self._dial is not None:
            self._dial.cancel()
            self._dial = None
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.abort()
        if self._counts:
            self._counts = False
            self._parts.admission.leave(self, result)
        self.record.ended_at = clock.monotonic()
        self._parts.observer.request_ended(self.record)
