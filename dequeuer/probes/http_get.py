"""The `httpGet` probe. It behaves like the kubelet's (pkg/probe/http in kubernetes)."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from urllib.parse import quote

import aiohttp
from yarl import URL

from dequeuer.core.errors import clip
from dequeuer.probes.base import ProbeResult, ProbeTiming

USER_AGENT = "kube-probe/1.34"
"""Web servers recognize probes by `kube-probe/`: some do not log them, some do not ask them for authentication."""
MAX_BODY_BYTES = 10 * 1024
"""Read of the body of a response; then the connection is closed."""
MAX_REDIRECTS = 10
REDIRECTS = frozenset({301, 302, 303, 307, 308})
MAX_LINE_BYTES = 64 * 1024
"""Of one header line of a response."""
# The HTTP client sets these fields. With a Content-Length from the probe, the container would wait for a body.
OWNED_BY_CLIENT = frozenset({"connection", "content-length", "host", "trailer", "transfer-encoding"})
DEFAULT_HEADERS = (("User-Agent", USER_AGENT), ("Accept", "*/*"))
BROKEN_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
URL_PUNCTUATION = "%/?:@!$&'()*+,;=[]"
AUTOMATIC_HEADERS = ("Accept", "Accept-Encoding", "User-Agent")


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpGetProbe:
    """A GET that must get a response with status 200-399 within the timeout, complete or up to 10 KiB of its body.

    Every check has its own session and connections: nothing has to be closed afterwards, and a broken connection does
    not affect the next check. Certificates are not checked.

    Attributes:
        name: in logs and metrics.
        timing: `timing.timeout_s` is for the whole check, with redirects and the body.
        port: 1-65535.
        host: an address or a name.
        alternatives: other hosts, tried in turn when nothing listens at `host`.
        path: with the query, if there is one; a missing `/` at the beginning is added.
        https: whether to speak TLS.
        headers: sent as given, repeated ones included. An empty `User-Agent` or `Accept` is not sent.
    """

    name: str
    port: int
    host: str = "127.0.0.1"
    alternatives: tuple[str, ...] = ()
    path: str = "/"
    https: bool = False
    headers: Sequence[tuple[str, str]] = field(default=(), repr=False)  # may hold credentials
    timing: ProbeTiming = field(default_factory=ProbeTiming)

    async def check(self) -> ProbeResult:
        """Check once. Raises only `CancelledError`."""
        try:
            async with asyncio.timeout(self.timing.timeout_s), self._session() as session:
                return await self._ask(session)
        except TimeoutError:
            return _failure(f"no complete response within {self.timing.timeout_s:g} s")
        except OSError as error:
            return _failure(str(error))
        except Exception as error:  # noqa: BLE001 - any error that a response causes is a failed check
            # Only the class of the error: its text may quote a header of the response.
            return _failure(f"no valid HTTP response ({type(error).__name__})")

    def _session(self) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(force_close=True, limit=1, use_dns_cache=False, ssl=False),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,  # the container is in the same pod: a proxy of the environment must not be used
            skip_auto_headers=AUTOMATIC_HEADERS,
            read_bufsize=MAX_BODY_BYTES,
            max_line_size=MAX_LINE_BYTES,
            max_field_size=MAX_LINE_BYTES,
        )

    async def _ask(self, session: aiohttp.ClientSession) -> ProbeResult:
        """Try the hosts in turn until one accepts a connection. When all fail, the first error is reported."""
        refused: aiohttp.ClientConnectorError | None = None
        for host in (self.host, *self.alternatives):
            try:
                return await self._get(session, self._url(host))
            except aiohttp.ClientConnectorError as error:
                refused = refused or error
                if not isinstance(error.os_error, ConnectionRefusedError):
                    break
        return _failure(str(refused))

    async def _get(self, session: aiohttp.ClientSession, url: URL) -> ProbeResult:
        virtual_host = next((value for name, value in self.headers if name.lower() == "host"), "")
        sent = _headers(self.headers)
        redirects = 0
        while True:
            headers = [*sent, ("Host", virtual_host)] if virtual_host else sent
            async with session.get(url, headers=headers, allow_redirects=False) as response:
                location = response.headers.get("Location", "")
                if response.status not in REDIRECTS or not location:
                    return await _judge(response)
                try:
                    to = URL(location)
                    target = url.join(to)
                except ValueError:
                    return _failure(f"HTTP {response.status} with an invalid Location")
                if target.host != url.host:
                    return await _judge(response, ": a redirect to another host is not followed")
                if target.scheme not in {"http", "https"}:
                    return _failure(f"HTTP {response.status} to something that is not HTTP")
                if redirects == MAX_REDIRECTS:
                    return await _judge(response, f": more than {MAX_REDIRECTS} redirects are not followed")
                response.close()
            # A relative redirect keeps the `Host` header of the probe; an absolute one names its own host.
            virtual_host = "" if to.scheme else virtual_host
            url = target
            redirects += 1

    def _url(self, host: str) -> URL:
        scheme = "https" if self.https else "http"
        host = f"[{host}]" if ":" in host else host
        path = BROKEN_ESCAPE.sub("%25", self.path.removeprefix("/").partition("#")[0])
        # Quoted here, because URL() would decode escapes that are not necessary, such as %2F in a query.
        return URL(f"{scheme}://{host}:{self.port}/{quote(path, safe=URL_PUNCTUATION)}", encoded=True)


def _headers(given: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    # Each name gets one spelling: of two spellings the client would send only the last.
    spelling: dict[str, str] = {}
    sent = [(spelling.setdefault(name.lower(), name), value) for name, value in given]
    sent = [(name, value) for name, value in sent if name.lower() not in OWNED_BY_CLIENT]
    for default, text in DEFAULT_HEADERS:
        values = [value for name, value in sent if name.lower() == default.lower()]
        if not values:
            sent.append((default, text))
        elif not values[0]:
            sent = [(name, value) for name, value in sent if name.lower() != default.lower()]
    return sent


async def _judge(response: aiohttp.ClientResponse, remark: str = "") -> ProbeResult:
    """Read as much of the body as the kubelet does; the status decides."""
    left = MAX_BODY_BYTES
    while left > 0 and (chunk := await response.content.read(left)):
        left -= len(chunk)
    response.close()
    status = response.status
    detail = f"HTTP {status}{remark}"
    return ProbeResult(ok=200 <= status < 400, detail=detail, warning=300 <= status < 400)


def _failure(detail: str) -> ProbeResult:
    return ProbeResult(ok=False, detail=clip(detail))
