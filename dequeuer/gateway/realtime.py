"""Forwards requests to realtime APIs: the path behind their endpoint, and everything else as it came."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import aclosing, suppress
from typing import Final, TypeAlias

import structlog
from aiohttp import web

from dequeuer.gateway.copies import SHADOW_FIELD, Copy
from dequeuer.gateway.endpoints import Endpoint
from dequeuer.gateway.errors import PayloadTooLargeError, UploadBrokenError, UploadStalledError
from dequeuer.gateway.refusal_reason import PASSED_ON, note_reason
from dequeuer.gateway.tunnel import ClientBytes, run_tunnel
from dequeuer.gateway.upload import CONTINUE, IDLE_TIMEOUT_S, read_body
from dequeuer.gateway.upstream import Upstream, UpstreamBrokenError
from dequeuer.gateway.written_response import WrittenResponse, write, write_refusal
from dequeuer.http.errors import MalformedError
from dequeuer.http.forwarding import last_chunk, request_head, response_head
from dequeuer.http.framing import UntilCloseBody
from dequeuer.http.request_head import RequestError, RequestHead, read_request_head
from dequeuer.http.resetting import reset
from dequeuer.http.response_head import ResponseHead
from dequeuer.http.server import IdleLimit
from dequeuer.http.trace_context import traceparent

PREFIX_FIELD: Final = b"X-Forwarded-Prefix"
# An API that does not know Expect would wait for the body, and the body for the API: the gateway asks for it.
_DROPPED: Final = frozenset({b"expect", PREFIX_FIELD.lower(), SHADOW_FIELD.lower()})
_TOKEN: Final = frozenset({b"authorization"})
BeginCopy: TypeAlias = Callable[[bytes, RequestHead], Copy | None]
"""Gets the head that is forwarded, and that of the client; None: the request is not copied."""


class Forwarder:
    """Forwards requests.

    Args:
        limit: of the server that has the connections of the clients.
        keeps_token: whether the APIs get `Authorization`.
    """

    def __init__(self, limit: IdleLimit, *, keeps_token: bool = True) -> None:
        self._limit = limit
        self._dropped = _DROPPED if keeps_token else _DROPPED | _TOKEN
        self._unreachable: set[str] = set()
        self._log = structlog.get_logger()

    async def forward(
        self, api: Endpoint, address: tuple[str, int], request: web.Request, begin_copy: BeginCopy | None = None
    ) -> web.StreamResponse:
        """Forward a request, and its response. The API's connection is cut when the client leaves.

        Args:
            api: that gets it.
            address: that of the API.
            request: of the client.
            begin_copy: begins a copy of it.
        """
        note_reason(request, PASSED_ON)
        try:
            head = read_request_head(_as_sent(request))
        except RequestError as error:
            return await write_refusal(request, error.status, error.reason, error.text)
        head.fields = [field for field in head.fields if field[0].replace(b"_", b"-") not in self._dropped]
        exchange = Exchange(request, head, api, self._limit, begin_copy)
        try:
            return await self._until_lost(request, exchange.run(*address), exchange)
        except Exception:  # noqa: BLE001 - a bug: 500 could become a part of the response that has begun
            self._log.exception("request_error")
            note_reason(request, "bug")
            reset(request.transport)
            return WrittenResponse(500, keep=False)
        finally:
            self._note_connection(api.api_name, exchange.connect_error)

    def _note_connection(self, api_name: str, error: str | None) -> None:
        """Log once that an API cannot be reached, and once that it can."""
        if error is None:
            return
        if error and api_name not in self._unreachable:
            self._unreachable.add(api_name)
            self._log.warning("api_unreachable", api_name=api_name, error=error)
        elif not error and api_name in self._unreachable:
            self._unreachable.discard(api_name)
            self._log.info("api_reachable", api_name=api_name)

    async def _until_lost(
        self, request: web.Request, running: Awaitable[WrittenResponse], exchange: Exchange
    ) -> WrittenResponse:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(None) as scope:

                def lost() -> None:
                    if not exchange.is_tunnel:  # a tunnel still passes on what the client sent before
                        scope.reschedule(loop.time())

                with self._limit.when_lost(request, lost):
                    return await running
        except OSError:  # the timeout of the scope, too: the client is gone, or reads nothing
            reset(request.transport)
            return WrittenResponse(499, keep=False)


class Exchange:
    """One request and its response.

    Args:
        request: of the client.
        head: of the request, read strictly.
        api: that gets it.
        limit: see `Forwarder`.
        begin_copy: see `Forwarder`.
    """

    def __init__(
        self,
        request: web.Request,
        head: RequestHead,
        api: Endpoint,
        limit: IdleLimit,
        begin_copy: BeginCopy | None = None,
    ) -> None:
        self._request = request
        self._head = head
        self._api = api
        self._limit = limit
        self._begin_copy = begin_copy
        self._copy: Copy | None = None
        self._body_error: RequestError | None = None
        self.is_tunnel = False
        self.connect_error: str | None = None
        """Why the API could not be reached; "": it was; None: the client left first."""

    async def run(self, host: str, port: int) -> WrittenResponse:
        """Run it; return the response, which was written. Raises `OSError`: the client is gone."""
        try:
            upstream = await Upstream.connect(host, port)
        except OSError as error:
            self.connect_error = type(error).__name__
            return await self._refuse(502, "upstream_unreachable", "the API cannot be reached")
        self.connect_error = ""
        with upstream:
            forwarded = self._forwarded_head()
            if self._begin_copy is not None and not self._head.upgrade:
                self._copy = self._begin_copy(forwarded, self._head)
            try:
                return await self._run_with(upstream, forwarded)
            finally:
                if self._copy is not None:
                    self._copy.request_ended()

    async def _run_with(self, upstream: Upstream, forwarded: bytes) -> WrittenResponse:
        with suppress(OSError):  # reading the response shows what happened
            await upstream.send(forwarded)
        if self._head.expects_continue and self._head.has_body:
            await write(self._request, CONTINUE)
        sending = asyncio.create_task(self._send_body(upstream), name="gateway-send-body")
        try:
            return await self._answer(upstream)
        finally:
            sending.cancel()
            await asyncio.wait({sending})

    def _forwarded_head(self) -> bytes:
        """Return the head for the API."""
        head = self._head
        prefix = self._api.path.encode()
        # The gateway's own field is no field of the client's connection, whatever the client says.
        head.connection_options -= {PREFIX_FIELD.lower()}
        if head.upgrade.lower() != b"websocket":
            # The library goes on to read requests from the client: what it sends in another protocol could be one.
            head.upgrade = b""
        head.target = target_behind(head.target, prefix)
        head.fields.append((PREFIX_FIELD.lower(), PREFIX_FIELD, prefix))
        trace, _ = traceparent(next(iter(head.special.get(b"traceparent", ())), None))
        return request_head(head, (self._request.remote or "unknown").encode(), trace, keep_alive=False)

    async def _send_body(self, upstream: Upstream) -> None:
        """Send the body as it arrives. When it breaks, the request does, too."""
        if not self._head.has_body:
            return
        is_chunked = self._head.is_chunked
        try:
            # Asked for here, it could be asked for in the middle of the response.
            async with aclosing(read_body(self._request, is_asked_for=True)) as pieces:
                async for data in pieces:
                    if self._copy is not None:
                        self._copy.feed(data)
                    with suppress(OSError):  # a response may still come: it decides
                        await upstream.send(b"%x\r\n%b\r\n" % (len(data), data) if is_chunked else data)
        except UploadStalledError:
            self._body_error = RequestError(408, f"no data of the body arrived for {IDLE_TIMEOUT_S:g} s")
        except UploadBrokenError:
            self._body_error = RequestError(400, "the body of the request is incomplete or malformed")
        except PayloadTooLargeError as error:
            self._body_error = RequestError(413, str(error))
        if self._body_error is not None:
            upstream.abort()
            return
        if self._copy is not None:
            self._copy.end()
        if is_chunked:
            with suppress(OSError):
                await upstream.send(last_chunk([]))

    async def _answer(self, upstream: Upstream) -> WrittenResponse:
        try:
            response = await upstream.read_head()
            while response.is_interim:
                if response.status != 100 and not self._head.is_http10:
                    await write(self._request, response_head(response, chunked=False, connection=b""))
                response = await upstream.read_head()
        except UpstreamBrokenError:
            if self._body_error is not None:
                error = self._body_error
                return await self._refuse(error.status, error.reason, error.text)
            return await self._refuse(502, "upstream_broken", "the API closed the connection before its response")
        except MalformedError:
            return await self._refuse(502, "upstream_malformed", "the response of the API is not valid HTTP/1")
        if response.status != 101:
            return await self._pass_on(upstream, response)
        if not self._head.upgrade:
            return await self._refuse(502, "upstream_malformed", "the API switched protocols, and nobody asked for it")
        return await self._switch(upstream, response)

    async def _pass_on(self, upstream: Upstream, response: ResponseHead) -> WrittenResponse:
        """Pass the response on as it arrives; one that breaks ends with a reset, never as if it were whole."""
        request, method = self._request, self._head.method
        is_chunked = response.has_body(method) and response.body_length is None and not self._head.is_http10
        may_keep = self._head.keep_alive and not self._head.is_http10 and not self._head.upgrade
        keep = may_keep and not self._limit.is_draining  # a gateway that stops takes no other request
        await write(request, response_head(response, chunked=is_chunked, connection=b"" if keep else b"close"))
        body = response.body_reader(method)
        while not body.is_done:
            try:
                data = await upstream.read()
                piece, _ = body.feed(data)
            except (OSError, MalformedError):
                return self._cut(response.status)
            if not data:
                # After an error of the request's body this end is not the API's: its response may go on.
                if self._body_error is not None or not isinstance(body, UntilCloseBody):
                    return self._cut(response.status)
                break
            if piece:
                await write(request, b"%x\r\n%b\r\n" % (len(piece), piece) if is_chunked else piece)
        if is_chunked:
            await write(request, last_chunk(body.trailers))
        return WrittenResponse(response.status, keep=keep)

    async def _switch(self, upstream: Upstream, response: ResponseHead) -> WrittenResponse:
        client = ClientBytes(self._request)
        self.is_tunnel = True
        await write(self._request, response_head(response, chunked=False, connection=b"Upgrade"))
        await run_tunnel(client, self._request, upstream)
        return WrittenResponse(101, keep=False)

    def _cut(self, status: int) -> WrittenResponse:
        reset(self._request.transport)
        return WrittenResponse(status, keep=False)

    async def _refuse(self, status: int, reason: str, text: str) -> WrittenResponse:
        return await write_refusal(self._request, status, reason, f"{text} ({self._api.api_name})")


def target_behind(target: bytes, prefix: bytes) -> bytes:
    """Return the target without the segments of the prefix; every other byte stays as it is.

    The client may have written the prefix with escapes, so its segments are counted, not compared.
    """
    path, mark, query = target.partition(b"?")
    rest = path.split(b"/", prefix.count(b"/") + 1)[prefix.count(b"/") + 1 :]
    return b"/" + b"".join(rest) + mark + query


def _as_sent(request: web.Request) -> bytes:
    """Return the head of a request as it was sent: it is read again, as strictly as the proxy does."""
    target = request.raw_path.encode("utf-8", "surrogateescape")
    version = b"%d.%d" % (request.version.major, request.version.minor)
    line = b"%b %b HTTP/%b" % (request.method.encode(), target, version)
    return b"\r\n".join([line, *(b"%b: %b" % field for field in request.raw_headers), b"", b""])
