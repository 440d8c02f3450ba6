"""The container beside the sidecar: its API is called here alone. The POST, headers, timeouts, decoded responses."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Final, Protocol

from dequeuer.container.decoding import PIECE_BYTES, Decoder, decoder_for
from dequeuer.container.time_budget import TimeBudget
from dequeuer.core.errors import (
    ContainerNotHttpError,
    ContainerUnavailableError,
    DequeuerError,
    InvalidInputError,
    InvalidResponseError,
    StoreUnavailableError,
)
from dequeuer.http.errors import (
    ConnectionBrokenError,
    HttpTransportError,
    MalformedError,
    ResponseTimeoutError,
    UnreachableError,
)
from dequeuer.http.origin import LOCALHOST, LOCALHOST_IPV6, Origin
from dequeuer.http.pool import Pool
from dequeuer.http.protocols import MALFORMED
from dequeuer.http.response import Response

MAX_IDLE_S: Final = 1.0
"""An idle connection is closed after this time, seconds. Web servers close theirs after 2 to 5 s (gunicorn, uvicorn,
node). A POST on a connection that the server is just closing fails, and must not be sent again."""
RECEIVE_BYTES: Final = 16 * 1024
"""Of each connection: a hundred large responses that arrive at the same time take a few MiB."""


class ContainerResponse:
    """`Response` of the container: decodes the body, and counts the time that the container takes for it."""

    def __init__(self, response: Response, budget: TimeBudget) -> None:
        self._response = response
        self._budget = budget
        self.status = response.status
        self.content_type = response.field("content-type")
        self.retry_after = response.field("retry-after")
        self._codings = [] if response.field("content-encoding") is None else [response.headers["content-encoding"]]
        length = None if self._codings else response.field("content-length")
        self.size = int(length) if length is not None and length.isdigit() else None
        if self.size is None or self.size > RECEIVE_BYTES:
            # From now on, not from the first read: a response that waits for room in the buffers must take no memory.
            response.read_lazily()

    async def chunks(self) -> AsyncIterator[bytes]:
        """Yield the decoded body."""
        decoder = decoder_for(self._codings)
        while chunk := await self._read():
            if decoder is None:
                yield chunk
            else:
                async for piece in self._decode(decoder, chunk):
                    yield piece
        if decoder is not None:
            decoder.close()

    async def discard(self) -> None:
        """Read to the end, without decoding."""
        while await self._read():
            pass

    async def _read(self) -> bytes:
        """Return the bytes that have arrived, at least one; b"" at the end."""
        chunk = self._response.take()
        if chunk is not None:
            return chunk
        left_s = self._budget.start()
        try:
            return await self._response.next_chunk(left_s)
        except HttpTransportError as error:
            raise _container_error(error, self._budget) from error
        finally:
            self._budget.stop()

    async def _decode(self, decoder: Decoder, chunk: bytes) -> AsyncIterator[bytes]:
        pieces = decoder.feed(chunk)
        since_pause = 0
        while True:
            # A few bytes can decode to gigabytes. The time counts for the request, and other tasks must run in between.
            self._budget.start()
            try:
                piece = next(pieces, None)
                if since_pause >= PIECE_BYTES:
                    since_pause = 0
                    await asyncio.sleep(0)
            finally:
                self._budget.stop()
            if piece is None:
                return
            since_pause += len(piece)
            yield piece


class ProtocolCheck(Protocol):
    """Whether the container speaks HTTP/1."""

    @property
    def is_proven(self) -> bool:
        """Whether the container has ever given a valid HTTP/1 response."""

    def record_valid_response(self) -> None:
        """Record that the container has given a valid response."""

    async def judge_invalid_response(self, looks_like: str) -> str:
        """Find out whether an invalid response shows that the container does not speak HTTP/1.

        `looks_like`: the protocol of the response; "" when the container closed the connection without a response.
        Returns the name of the protocol that the container speaks instead; "" when it may speak HTTP/1.
        """


class AlwaysHttp1:
    """`ProtocolCheck` for a container that is known to speak HTTP/1."""

    is_proven = True

    def record_valid_response(self) -> None:
        """Do nothing."""

    async def judge_invalid_response(self, _looks_like: str) -> str:
        """Return "": the container speaks HTTP/1."""
        return ""


class HttpTarget:
    """`Target` for one container, over HTTP.

    Args:
        port: of the container.
        timeout_s: for one request from the connection to the last byte of the response, seconds.
        host: of the container; None: 127.0.0.1, and ::1 when nothing listens there.
        keep_alive: whether a connection is used for more than one request.
        protocol_check: None: the container is known to speak HTTP/1.
        on_unreachable: called for each request for which no connection can be made.
    """

    def __init__(  # noqa: PLR0913 - all but the first two have a default
        self,
        *,
        port: int,
        timeout_s: float,
        host: str | None = None,
        keep_alive: bool = True,
        protocol_check: ProtocolCheck | None = None,
        on_unreachable: Callable[[], None] = lambda: None,
    ) -> None:
        self._protocol_check = protocol_check or AlwaysHttp1()
        self._on_unreachable = on_unreachable
        origin = (
            Origin(host=LOCALHOST, port=port, alternatives=(LOCALHOST_IPV6,))
            if host is None
            else Origin(host=host, port=port)
        )
        idle_limit_s = MAX_IDLE_S if keep_alive else 0.0
        self._pool = Pool(origin, idle_limit_s=idle_limit_s, only_after_success=True, receive_bytes=RECEIVE_BYTES)
        # The same Host field for both addresses: a container that checks it may not accept ::1.
        self._host = f"Host: {f'[{host}]' if host and ':' in host else host or LOCALHOST}:{port}\r\n"
        self._timeout_s = timeout_s

    async def close(self) -> None:
        """Close the connections."""
        await self._pool.close()

    @asynccontextmanager
    async def post(
        self,
        path: str,
        headers: Iterable[tuple[str, str]],
        body: bytes | AsyncIterator[bytes],
        size: int | None = None,
    ) -> AsyncIterator[ContainerResponse]:
        """Send a POST and yield the response."""
        budget = TimeBudget(self._timeout_s)
        whole = isinstance(body, bytes)
        length = len(body) if isinstance(body, bytes) else size
        framing = "Transfer-Encoding: chunked\r\n" if length is None else f"Content-Length: {length}\r\n"
        start = _head(path, self._host, headers, framing) + (body if isinstance(body, bytes) else b"")
        response: Response | None = None
        try:
            try:
                left_s = budget.start()
                try:
                    response = await self._pool.begin_request(start)
                    if whole:
                        response.connection.end_request()
                        await response.wait_for_head(left_s)
                finally:
                    budget.stop()
                if not isinstance(body, bytes):
                    await _send(response, body, size, budget)
                    left_s = budget.start()
                    try:
                        await response.wait_for_head(left_s)
                    finally:
                        budget.stop()
            except HttpTransportError as error:
                raise await self._error_before_response(error, budget) from error
            if not self._protocol_check.is_proven:
                self._protocol_check.record_valid_response()
            yield ContainerResponse(response, budget)
        finally:
            if response is not None:
                self._pool.release(response)
            if isinstance(body, AsyncGenerator):
                await body.aclose()

    async def _error_before_response(self, error: HttpTransportError, budget: TimeBudget) -> DequeuerError:
        """Return the error for a request that failed before status line and headers of the response arrived."""
        looks_like = ""
        if isinstance(error, UnreachableError):
            self._on_unreachable()
        elif not self._protocol_check.is_proven:
            if isinstance(error, MalformedError):
                looks_like = await self._protocol_check.judge_invalid_response(error.looks_like or MALFORMED)
            elif isinstance(error, ConnectionBrokenError) and error.unanswered:
                looks_like = await self._protocol_check.judge_invalid_response("")
        if looks_like:
            return ContainerNotHttpError(f"the container does not speak HTTP/1; it looks like {looks_like}")
        return _container_error(error, budget)


def _head(path: str, host: str, headers: Iterable[tuple[str, str]], framing: str) -> bytes:
    fields = [f"{name}: {value}\r\n" for name, value in headers]
    lines = "".join(fields)
    if lines.count("\n") != len(fields) or lines.count("\r") != len(fields) or "\0" in lines:
        # The container would take the text after the line break for another field, or for another request.
        raise InvalidInputError("a header has a line break or a NUL in it")
    try:
        return f"POST {path} HTTP/1.1\r\n{host}{lines}{framing}\r\n".encode()
    except UnicodeEncodeError:
        raise InvalidInputError("a header has characters that cannot be sent") from None


async def _send(response: Response, body: AsyncIterator[bytes], size: int | None, budget: TimeBudget) -> None:
    """Send a body. Stops early when the container has responded before the end, or has closed the connection.

    The time for which the source of the body is waited for does not count against the request's time. Errors of the
    source are raised unchanged: they are not errors of the container.
    """
    left = size
    async for chunk in body:
        if left is not None:
            left -= len(chunk)
            if left < 0:
                raise StoreUnavailableError("the payload is longer than its announced size")
        elif not chunk:
            continue
        if not await _write(response, chunk if left is not None else b"%x\r\n%b\r\n" % (len(chunk), chunk), budget):
            return
    if left:
        raise StoreUnavailableError("the payload is shorter than its announced size")
    if left is not None or await _write(response, b"0\r\n\r\n", budget):
        response.connection.end_request()


async def _write(response: Response, data: bytes, budget: TimeBudget) -> bool:
    """Write a part of the body; False when the container has responded already, or is gone."""
    left_s = budget.start()
    try:
        return await response.connection.write(data, left_s)
    finally:
        budget.stop()


def _container_error(error: HttpTransportError, budget: TimeBudget) -> DequeuerError:
    """Map the HTTP client's errors to those of `core/errors.py`. The texts quote nothing that was sent or received."""
    if isinstance(error, ResponseTimeoutError):
        return budget.exceeded()
    if isinstance(error, UnreachableError):
        return ContainerUnavailableError(f"the container is not reachable: {error.reason}")
    if isinstance(error, ConnectionBrokenError):
        if error.unanswered:
            return ContainerUnavailableError("the container closed the connection without a response")
        return ContainerUnavailableError("the connection broke before the response was complete")
    return InvalidResponseError("the response is not valid HTTP")
