"""The container beside the sidecar, over HTTP on loopback. The only module that speaks to it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Final

import aiohttp
from aiohttp.http_exceptions import ContentEncodingError
from multidict import CIMultiDict

from dequeuer.errors import (
    ContainerTimeoutError,
    ContainerUnavailableError,
    DequeuerError,
    InvalidAnswerError,
    clip,
)

# Servers close idle connections after 2 to 5 seconds (gunicorn, uvicorn, node). A POST on one that is just
# being closed fails and must not be sent again by itself, so ours are given up well before that.
KEEPALIVE_S: Final = 1.0
_ADDED_BY_CLIENT: Final = frozenset({"Accept", "Accept-Encoding", "Content-Type", "User-Agent"})


class Budget:
    """The time the container may take. It runs only while the container is waited for."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._left = seconds
        self._limit: asyncio.Timeout | None = None
        self._running_since: float | None = None

    @asynccontextmanager
    async def spend(self) -> AsyncIterator[None]:
        """Run the body within what is left; raises `ContainerTimeoutError` when that is used up."""
        try:
            async with asyncio.timeout(None) as limit:
                self._limit = limit
                self._run()
                try:
                    yield
                finally:
                    self._stop()
                    self._limit = None
        except TimeoutError as error:
            raise ContainerTimeoutError(f"no whole answer within {self._seconds:g} s") from error

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Stop the clock for the body, which waits for somebody else."""
        limit = self._limit
        if limit is None or limit.expired() or self._running_since is None:
            yield
            return
        self._stop()
        limit.reschedule(None)
        try:
            yield
        finally:
            # What was limited may have ended meanwhile: the container can answer before it has read everything.
            if self._limit is limit and not limit.expired():
                self._run()

    def _run(self) -> None:
        self._running_since = asyncio.get_running_loop().time()
        if self._limit is not None:
            self._limit.reschedule(self._running_since + self._left)

    def _stop(self) -> None:
        if self._running_since is not None:
            self._left -= asyncio.get_running_loop().time() - self._running_since
            self._running_since = None


class HttpAnswer:
    """`Answer` on a response of aiohttp."""

    def __init__(self, response: aiohttp.ClientResponse, budget: Budget) -> None:
        self._response = response
        self._budget = budget
        self.status = response.status
        self.content_type = response.headers.get("Content-Type")
        self.retry_after = response.headers.get("Retry-After")
        self.size = None if "Content-Encoding" in response.headers else response.content_length

    async def chunks(self) -> AsyncIterator[bytes]:
        """Yield the decoded body."""
        while True:
            with _translated():
                async with self._budget.spend():
                    chunk = await self._response.content.readany()
            if not chunk:
                return
            yield chunk


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
                    response = await self._open().post(
                        self._base + path,
                        headers=fields,
                        data=data,
                        skip_auto_headers=_ADDED_BY_CLIENT,
                        allow_redirects=False,
                    )
            yield HttpAnswer(response, budget)
        except ContainerUnavailableError:
            if broken:
                # The payload could not be read to its end: the container is not to blame.
                raise broken[0] from None
            raise
        finally:
            if response is not None:
                response.release()

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=KEEPALIVE_S),
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=None),
                requote_redirect_url=False,
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
    except aiohttp.ClientPayloadError as error:
        if isinstance(error.__cause__, ContentEncodingError):
            raise InvalidAnswerError("the answer's content encoding cannot be decoded") from error
        raise ContainerUnavailableError("the connection broke before the answer was whole") from error
    except (aiohttp.ClientResponseError, ContentEncodingError) as error:
        # The client's own text quotes what it could not read: it may be a payload.
        raise InvalidAnswerError("the answer is not valid HTTP") from error
    except (aiohttp.ClientConnectionError, ConnectionError) as error:
        raise ContainerUnavailableError(f"the container is not reachable: {clip(str(error))}") from error
