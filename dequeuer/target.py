"""The container beside the sidecar, over HTTP on loopback. The only module that speaks to it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Final

import aiohttp
from multidict import CIMultiDict

from dequeuer.budget import Budget
from dequeuer.decoding import PIECE_BYTES, Decoder, decoder_for
from dequeuer.errors import (
    ContainerUnavailableError,
    DequeuerError,
    InvalidAnswerError,
    clip,
)

# Servers close idle connections after 2 to 5 seconds (gunicorn, uvicorn, node). A POST on one that is just
# being closed fails and must not be sent again by itself, so ours are given up well before that.
KEEPALIVE_S: Final = 1.0
_ADDED_BY_CLIENT: Final = frozenset({"Accept", "Accept-Encoding", "Content-Type", "User-Agent"})


class _SpokeFirstError(Exception):
    """The connection cannot carry a request any more. Nothing was sent on it."""


class _Request(aiohttp.ClientRequest):
    """A request whose answer can only be its own."""

    async def send(self, conn: aiohttp.connector.Connection) -> aiohttp.ClientResponse:
        """Send, unless something lies on the connection already: it would be taken for this request's answer."""
        if conn.protocol is None or conn.protocol.should_close:
            conn.close()
            raise _SpokeFirstError
        return await super().send(conn)


class HttpAnswer:
    """`Answer` on a response of aiohttp."""

    def __init__(self, response: aiohttp.ClientResponse, budget: Budget) -> None:
        self._response = response
        self._budget = budget
        self.status = response.status
        self.content_type = response.headers.get("Content-Type")
        self.retry_after = response.headers.get("Retry-After")
        self._codings = response.headers.getall("Content-Encoding", [])
        self.size = None if self._codings else response.content_length

    async def chunks(self) -> AsyncIterator[bytes]:
        """Yield the decoded body."""
        decoder = decoder_for(self._codings)
        while True:
            chunk = await self._read()
            if decoder is None:
                if not chunk:
                    return
                yield chunk
                continue
            if not chunk:
                decoder.close()
                return
            async for piece in self._decoded(decoder, chunk):
                yield piece

    async def discard(self) -> None:
        """Read to the end, without decoding."""
        while await self._read():
            pass

    async def _read(self) -> bytes:
        with _translated():
            async with self._budget.spend():
                return await self._response.content.readany()

    async def _decoded(self, decoder: Decoder, chunk: bytes) -> AsyncIterator[bytes]:
        pieces = decoder.feed(chunk)
        since_pause = 0
        while True:
            # A few bytes can become gigabytes: that is time, too, and others must have their turn meanwhile.
            async with self._budget.spend():
                piece = next(pieces, None)
                if since_pause >= PIECE_BYTES:
                    since_pause = 0
                    await asyncio.sleep(0)
            if piece is None:
                return
            since_pause += len(piece)
            yield piece


class HttpTarget:
    """`Target` on one container, over HTTP.

    Args:
        port: of the container, on 127.0.0.1.
        timeout_s: for one whole request, connection and body included.
    """

    def __init__(self, *, port: int, timeout_s: float) -> None:
        self._base = f"http://127.0.0.1:{port}"
        self._timeout_s = timeout_s
        self._session: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()

    @asynccontextmanager
    async def post(
        self,
        path: str,
        headers: Iterable[tuple[str, str]],
        body: bytes | AsyncIterator[bytes],
        size: int | None = None,
    ) -> AsyncIterator[HttpAnswer]:
        """POST and yield the answer."""
        fields = _one_spelling(headers)
        broken: list[DequeuerError] = []
        budget = Budget(self._timeout_s)
        data: bytes | AsyncIterator[bytes] = body
        if not isinstance(body, bytes):
            data = _watched(body, budget, broken)
            if size is not None:
                fields["Content-Length"] = str(size)
        response: aiohttp.ClientResponse | None = None
        try:
            with _translated():
                async with budget.spend():
                    try:
                        response = await self._send(path, fields, data)
                    except _SpokeFirstError:
                        # On a kept connection that is an old answer; a server that does it again is overloaded, or no
                        # web server, and would be dialled without end.
                        response = await self._send(path, fields, data)
            yield HttpAnswer(response, budget)
        except _SpokeFirstError as error:
            raise ContainerUnavailableError("the container spoke before it was asked, and was hung up on") from error
        except ContainerUnavailableError:
            if broken:
                # The payload could not be read to its end: the container is not to blame.
                raise broken[0] from None
            raise
        finally:
            if response is not None:
                response.release()

    async def _send(
        self, path: str, fields: CIMultiDict[str], data: bytes | AsyncIterator[bytes]
    ) -> aiohttp.ClientResponse:
        return await self._open().post(
            self._base + path,
            headers=fields,
            data=data,
            skip_auto_headers=_ADDED_BY_CLIENT,
            allow_redirects=False,
        )

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=KEEPALIVE_S),
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=None),
                requote_redirect_url=False,
                request_class=_Request,
                auto_decompress=False,  # it takes half a stream for a whole one, and windows of 128 MiB
            )
        return self._session


def _one_spelling(headers: Iterable[tuple[str, str]]) -> CIMultiDict[str]:
    """Spell repeated fields alike: the client keeps only the last of several spellings of a name."""
    fields: CIMultiDict[str] = CIMultiDict()
    spelt: dict[str, str] = {}
    for name, value in headers:
        fields.add(spelt.setdefault(name.lower(), name), value)
    return fields


async def _watched(body: AsyncIterator[bytes], budget: Budget, broken: list[DequeuerError]) -> AsyncIterator[bytes]:
    """Pass a body on. Waiting for its source is not the container's time, nor are its errors the container's.

    The client hides what the source raises, so it is kept aside.
    """
    try:
        while True:
            with budget.paused():
                chunk = await anext(body, None)
            if chunk is None:
                return
            yield chunk
    except DequeuerError as error:
        broken.append(error)
        raise


@contextmanager
def _translated() -> Iterator[None]:
    """Map the client's exceptions to ours."""
    try:
        yield
    # The client's own texts quote what it could not read: headers of the answer, or a payload.
    except aiohttp.ClientPayloadError as error:
        raise ContainerUnavailableError("the connection broke before the answer was whole") from error
    except aiohttp.ClientResponseError as error:
        raise InvalidAnswerError("the answer is not valid HTTP") from error
    except OSError as error:
        raise ContainerUnavailableError(f"the container is not reachable: {clip(_reason(error))}") from error
    except aiohttp.ClientConnectionError as error:
        raise ContainerUnavailableError("the container closed the connection without an answer") from error


def _reason(error: OSError) -> str:
    inner = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
    return inner.strerror or type(inner).__name__
