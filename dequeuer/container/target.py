"""The container beside the sidecar, over HTTP. The only module that sends it work."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Final, Protocol

from dequeuer.container.decoding import PIECE_BYTES, Decoder, decoder_for
from dequeuer.container.time_budget import Budget
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

# Servers close idle connections after 2 to 5 seconds (gunicorn, uvicorn, node). A POST on one that is just
# being closed fails and must not be sent again by itself, so ours are given up well before that.
KEEPALIVE_S: Final = 1.0
RECEIVE_BYTES: Final = 16 * 1024
"""Of each connection: a hundred large answers that arrive side by side stay within a few MiB."""


class HttpAnswer:
    """`Answer` of the container."""

    def __init__(self, answer: Response, budget: Budget) -> None:
        self._answer = answer
        self._budget = budget
        self.status = answer.status
        self.content_type = answer.field("content-type")
        self.retry_after = answer.field("retry-after")
        self._codings = [] if answer.field("content-encoding") is None else [answer.headers["content-encoding"]]
        length = None if self._codings else answer.field("content-length")
        self.size = int(length) if length is not None and length.isdigit() else None
        if self.size is None or self.size > RECEIVE_BYTES:
            # From now on, not from the first read: what waits for its turn must not fill up meanwhile.
            answer.read_lazily()

    async def chunks(self) -> AsyncIterator[bytes]:
        """Yield the decoded body."""
        decoder = decoder_for(self._codings)
        while chunk := await self._read():
            if decoder is None:
                yield chunk
            else:
                async for piece in self._decoded(decoder, chunk):
                    yield piece
        if decoder is not None:
            decoder.close()

    async def discard(self) -> None:
        """Read to the end, without decoding."""
        while await self._read():
            pass

    async def _read(self) -> bytes:
        """Return what has arrived, at least one byte; nothing at the end."""
        chunk = self._answer.take()
        if chunk is not None:
            return chunk
        left_s = self._budget.start()
        try:
            return await self._answer.next_chunk(left_s)
        except HttpTransportError as error:
            raise _translated(error, self._budget) from error
        finally:
            self._budget.stop()

    async def _decoded(self, decoder: Decoder, chunk: bytes) -> AsyncIterator[bytes]:
        pieces = decoder.feed(chunk)
        since_pause = 0
        while True:
            # A few bytes can become gigabytes: that is time, too, and others must have their turn meanwhile.
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


class Evidence(Protocol):
    """What is known of the container's protocol."""

    @property
    def is_proven(self) -> bool:
        """Whether it has ever given a valid answer."""

    def prove(self) -> None:
        """Record that the container gave a valid answer."""

    async def doubt(self, looks_like: str) -> str:
        """Judge the container by an invalid answer ("": it hung up without one).

        Returns what it looks like when it does not speak HTTP/1, else "".
        """


class Proven:
    """`Evidence` for a container that is known to speak HTTP/1."""

    is_proven = True

    def prove(self) -> None:
        """Change nothing."""

    async def doubt(self, _looks_like: str) -> str:
        """Doubt nothing."""
        return ""


class HttpTarget:
    """`Target` on one container, over HTTP.

    Args:
        port: of the container.
        timeout_s: for one whole request, connection and body included.
        host: of the container; None: 127.0.0.1, and ::1 where nobody listens there.
        keep_alive: whether a connection is used for more than one request.
        evidence: of the container's protocol.
        on_unreachable: called for each request for which no connection could be made.
    """

    def __init__(  # noqa: PLR0913 - all but the first two have a default that suits
        self,
        *,
        port: int,
        timeout_s: float,
        host: str | None = None,
        keep_alive: bool = True,
        evidence: Evidence | None = None,
        on_unreachable: Callable[[], None] = lambda: None,
    ) -> None:
        self._evidence = evidence or Proven()
        self._when_unreachable = on_unreachable
        origin = (
            Origin(host=LOCALHOST, port=port, alternatives=(LOCALHOST_IPV6,))
            if host is None
            else Origin(host=host, port=port)
        )
        idle_limit_s = KEEPALIVE_S if keep_alive else 0.0
        self._pool = Pool(origin, idle_limit_s=idle_limit_s, only_after_success=True, receive_bytes=RECEIVE_BYTES)
        # The same Host for both address families: a container that checks it may not know ::1.
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
    ) -> AsyncIterator[HttpAnswer]:
        """POST and yield the answer."""
        budget = Budget(self._timeout_s)
        whole = isinstance(body, bytes)
        length = len(body) if isinstance(body, bytes) else size
        framing = "Transfer-Encoding: chunked\r\n" if length is None else f"Content-Length: {length}\r\n"
        start = _head(path, self._host, headers, framing) + (body if isinstance(body, bytes) else b"")
        answer: Response | None = None
        try:
            try:
                left_s = budget.start()
                try:
                    answer = await self._pool.begin_request(start)
                    if whole:
                        answer.connection.end_request()
                        await answer.wait_for_head(left_s)
                finally:
                    budget.stop()
                if not isinstance(body, bytes):
                    await _send(answer, body, size, budget)
                    left_s = budget.start()
                    try:
                        await answer.wait_for_head(left_s)
                    finally:
                        budget.stop()
            except HttpTransportError as error:
                raise await self._judged(error, budget) from error
            if not self._evidence.is_proven:
                self._evidence.prove()
            yield HttpAnswer(answer, budget)
        finally:
            if answer is not None:
                self._pool.release(answer)
            if isinstance(body, AsyncGenerator):
                await body.aclose()

    async def _judged(self, error: HttpTransportError, budget: Budget) -> DequeuerError:
        """Return the error for a request without a head of an answer."""
        looks_like = ""
        if isinstance(error, UnreachableError):
            self._when_unreachable()
        elif not self._evidence.is_proven:
            if isinstance(error, MalformedError):
                looks_like = await self._evidence.doubt(error.looks_like or MALFORMED)
            elif isinstance(error, ConnectionBrokenError) and error.unanswered:
                looks_like = await self._evidence.doubt("")
        if looks_like:
            return ContainerNotHttpError(f"the container does not speak HTTP/1; it looks like {looks_like}")
        return _translated(error, budget)


def _head(path: str, host: str, headers: Iterable[tuple[str, str]], framing: str) -> bytes:
    fields = [f"{name}: {value}\r\n" for name, value in headers]
    lines = "".join(fields)
    if lines.count("\n") != len(fields) or lines.count("\r") != len(fields) or "\0" in lines:
        # What follows the break would be taken for another field, or for another request.
        raise InvalidInputError("a header has a line break or a NUL in it")
    try:
        return f"POST {path} HTTP/1.1\r\n{host}{lines}{framing}\r\n".encode()
    except UnicodeEncodeError:
        raise InvalidInputError("a header has characters that cannot be sent") from None


async def _send(answer: Response, body: AsyncIterator[bytes], size: int | None, budget: Budget) -> None:
    """Send a body; ends early when the container has answered already, or is gone.

    Waiting for the body's source is not the container's time. Its errors are raised as they are: the container is
    not to blame.
    """
    left = size
    async for chunk in body:
        if left is not None:
            left -= len(chunk)
            if left < 0:
                raise StoreUnavailableError("the payload is longer than it was said to be")
        elif not chunk:
            continue
        if not await _write(answer, chunk if left is not None else b"%x\r\n%b\r\n" % (len(chunk), chunk), budget):
            return
    if left:
        raise StoreUnavailableError("the payload is shorter than it was said to be")
    if left is not None or await _write(answer, b"0\r\n\r\n", budget):
        answer.connection.end_request()


async def _write(answer: Response, data: bytes, budget: Budget) -> bool:
    left_s = budget.start()
    try:
        return await answer.connection.write(data, left_s)
    finally:
        budget.stop()


def _translated(error: HttpTransportError, budget: Budget) -> DequeuerError:
    """Map the client's errors to ours. Their texts quote nothing that was sent or received."""
    if isinstance(error, ResponseTimeoutError):
        return budget.exceeded()
    if isinstance(error, UnreachableError):
        return ContainerUnavailableError(f"the container is not reachable: {error.reason}")
    if isinstance(error, ConnectionBrokenError):
        if error.unanswered:
            return ContainerUnavailableError("the container closed the connection without an answer")
        return ContainerUnavailableError("the connection broke before the answer was whole")
    return InvalidResponseError("the answer is not valid HTTP")
