"""The HTTP connection to one gateway. It follows no redirects, stores no cookies, and uses no proxy and no `.netrc`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

import aiohttp

from dequeuer import __version__
from dequeuer.client.answers import Answer, translated

CONNECT_TIMEOUT_S: Final = 10.0
MAX_CONNECTIONS: Final = 100
MAX_LINE_BYTES: Final = 16 * 1024
"""Of one header line of an answer."""
_JSON: Final[Mapping[str, str]] = MappingProxyType({"Content-Type": "application/json"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What a request holds. `body`: None: it has none; `headers`: beside those of the connection."""

    body: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


_NO_CONTENT: Final = Content()


@asynccontextmanager
async def open_gateway(
    url: str, token: str | None = None, *, max_connections: int = MAX_CONNECTIONS, verifies_tls: bool = True
) -> AsyncIterator[Gateway]:
    """Open the connection to a gateway; it is closed with the context.

    Args:
        url: `http://` or `https://`, host, port, and perhaps a path that is put before all paths.
        token: of the caller; None: none is sent. Redirects, which could lead it away, are not followed.
        max_connections: at the same time; further requests wait for one.
        verifies_tls: whether the certificate of the server is checked. Without it, anyone in between may answer.
    """
    own = {"Authorization": f"Bearer {token}"} if token is not None else {}
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=max_connections, ssl=verifies_tls),
        cookie_jar=aiohttp.DummyCookieJar(),
        # A compressed answer could be a thousand times its size.
        headers={"User-Agent": f"dequeuer/{__version__}", "Accept-Encoding": "identity", **own},
        auto_decompress=False,
        # A proxy for the rest of the world cannot reach the gateway of a cluster, and `.netrc` holds credentials.
        trust_env=False,
        max_line_size=MAX_LINE_BYTES,
        max_field_size=MAX_LINE_BYTES,
    ) as session:
        yield Gateway(session, url.rstrip("/"))


class Gateway:
    """Sends requests. `url`: without a slash at its end."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session = session
        self._url = url

    async def open(  # noqa: PLR0913 - two of them are left out mostly
        self,
        method: str,
        path: str,
        query: Mapping[str, str],
        *,
        idle_timeout_s: float,
        body: bytes | Content | None = None,
        resends: bool = False,
    ) -> Answer:
        """Send a request once; return its answer, which is no error. The caller closes it.

        Args:
            method: of HTTP.
            path: begins with a slash, and needs no escapes.
            query: is escaped.
            idle_timeout_s: for the beginning of the answer, and between any two of its bytes.
            body: of the request; bytes are JSON.
            resends: whether a request that may be done twice is sent once more when the connection ends without an
                answer, as a kept one may that the server has just closed. For callers that do not call again.

        Raises:
            GatewayUnavailableError, RequestRefusedError, InvalidAnswerError: of `client.errors`.
        """
        middlewares = () if resends else (self._send_once,)
        answer = await self._send(
            method, path, query, idle_timeout_s=idle_timeout_s, body=body, middlewares=middlewares
        )
        try:
            await answer.check()
        except BaseException:
            await answer.aclose()
            raise
        return answer

    async def send(
        self,
        method: str,
        path: str,
        query: Mapping[str, str],
        *,
        idle_timeout_s: float,
        body: bytes | Content | None = None,
    ) -> Answer:
        """Send a request once; return its answer, which may be an error. Otherwise as `open`."""
        middlewares = (self._send_once,)
        return await self._send(method, path, query, idle_timeout_s=idle_timeout_s, body=body, middlewares=middlewares)

    async def _send_once(
        self, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        # The HTTP client sends all but POST and PATCH once more when the connection broke, unless the error is ours.
        with translated(self._url):
            return await handler(request)

    async def _send(  # noqa: PLR0913 - those of `open`, and the middlewares
        self,
        method: str,
        path: str,
        query: Mapping[str, str],
        *,
        idle_timeout_s: float,
        body: bytes | Content | None,
        middlewares: tuple[aiohttp.ClientMiddlewareType, ...],
    ) -> Answer:
        content = Content(body=body, headers=_JSON) if isinstance(body, bytes) else body or _NO_CONTENT
        with translated(self._url):
            response = await self._session.request(
                method,
                f"{self._url}{path}",
                params=query,
                data=content.body,
                headers=content.headers,
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_TIMEOUT_S, sock_read=idle_timeout_s),
                middlewares=middlewares,
            )
        return Answer(response, self._url)
