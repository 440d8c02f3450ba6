"""The routes about async APIs: their requests and dead letters, as the gateway answers."""

from __future__ import annotations

import asyncio
import codecs
import re
from typing import Final

import structlog
from aiohttp import hdrs, web

from dequeuer.client.errors import ClientError
from dequeuer.client.gateway import Content
from dequeuer.core.errors import clip
from dequeuer.ui.bodies import Bodies
from dequeuer.ui.directory import Api, Directory
from dequeuer.ui.link import GatewayLink
from dequeuer.ui.queries import query_of, request_id_of

WRITE_TIMEOUT_S: Final = 60.0
"""A page that reads nothing of a payload for this long is cut off."""
_CONTENT_TYPE: Final = re.compile(r"[!-~](?:[ -~]{0,255})")
_DEFAULT_TYPE: Final = "application/octet-stream"


class RequestRoutes:
    """The request handlers."""

    def __init__(self, link: GatewayLink, directory: Directory, bodies: Bodies) -> None:
        self._link = link
        self._directory = directory
        self._bodies = bodies

    def add(self, router: web.UrlDispatcher) -> None:
        """Add the routes."""
        api = "/api/apis/{api}"
        router.add_get(f"{api}/requests", self.list, allow_head=False)
        router.add_post(f"{api}/requests", self.submit)
        router.add_get(f"{api}/requests/{{id}}", self.report, allow_head=False)
        router.add_delete(f"{api}/requests/{{id}}", self.cancel)
        router.add_get(f"{api}/requests/{{id}}/payload", self.payload, allow_head=False)
        router.add_put(api, self.change)
        router.add_get(f"{api}/dead-letters", self.dead_letters, allow_head=False)
        router.add_put(f"{api}/dead-letters", self.redrive)

    async def list(self, request: web.Request) -> web.StreamResponse:
        """`GET /api/apis/<api>/requests`."""
        api, query = await self._api(request), query_of(request, "status", "after", "limit")
        return json_response(await self._link.read("GET", api.endpoint, query))

    async def submit(self, request: web.Request) -> web.StreamResponse:
        """`POST /api/apis/<api>/requests`: the body and its type are those of the request."""
        api = await self._api(request)
        given = request.headers.get(hdrs.CONTENT_TYPE, "")
        media_type = given if _CONTENT_TYPE.fullmatch(given) else _DEFAULT_TYPE
        async with self._bodies.read(request) as body:
            content = Content(body=body, headers={hdrs.CONTENT_TYPE: media_type})
            return json_response(await self._link.read("POST", api.endpoint, content=content))

    async def report(self, request: web.Request) -> web.StreamResponse:
        """`GET /api/apis/<api>/requests/<id>`."""
        api, request_id = await self._api(request), request_id_of(request)
        return json_response(await self._link.read("GET", f"{api.endpoint}/{request_id}"))

    async def cancel(self, request: web.Request) -> web.StreamResponse:
        """`DELETE /api/apis/<api>/requests/<id>`."""
        api, request_id = await self._api(request), request_id_of(request)
        return json_response(await self._link.read("DELETE", f"{api.endpoint}/{request_id}"))

    async def payload(self, request: web.Request) -> web.StreamResponse:
        """`GET /api/apis/<api>/requests/<id>/payload`: a file, because a client chose what is in it."""
        api, request_id = await self._api(request), request_id_of(request)
        async with self._link.open("GET", f"{api.endpoint}/{request_id}/payload") as answer:
            chunks = aiter(answer.chunks())
            first = await anext(chunks, b"")
            headers = {
                "Content-Type": "text/plain; charset=utf-8" if _is_text(first) else _DEFAULT_TYPE,
                # An id has no character that would end the name of the file.
                "Content-Disposition": f'attachment; filename="{request_id.replace(":", "-")}.payload"',
            }
            response = web.StreamResponse(headers=headers)
            await response.prepare(request)
            try:
                await _write(response, first)
                async for chunk in chunks:
                    await _write(response, chunk)
                await response.write_eof()
            except (ClientError, OSError) as error:  # a timeout, too
                structlog.get_logger().info("ui_payload_cut_off", error=clip(f"{type(error).__name__}: {error}"))
                if request.transport is not None:
                    request.transport.abort()
            return response

    async def change(self, request: web.Request) -> web.StreamResponse:
        """`PUT /api/apis/<api>?action=pause|resume`."""
        api, query = await self._api(request), query_of(request, "action")
        return json_response(await self._link.read("PUT", api.endpoint, query))

    async def dead_letters(self, request: web.Request) -> web.StreamResponse:
        """`GET /api/apis/<api>/dead-letters`."""
        api, query = await self._api(request), query_of(request, "limit")
        return json_response(await self._link.read("GET", f"{api.endpoint}/_dead-letters", query))

    async def redrive(self, request: web.Request) -> web.StreamResponse:
        """`PUT /api/apis/<api>/dead-letters?action=redrive`."""
        api, query = await self._api(request), query_of(request, "action")
        return json_response(await self._link.read("PUT", f"{api.endpoint}/_dead-letters", query))

    async def _api(self, request: web.Request) -> Api:
        return (await self._directory.find(request.match_info["api"])).require("AsyncAPI")


async def _write(response: web.StreamResponse, chunk: bytes) -> None:
    async with asyncio.timeout(WRITE_TIMEOUT_S):
        await response.write(chunk)


def json_response(body: bytes) -> web.Response:
    """Return a response with a JSON text."""
    return web.Response(body=body, content_type="application/json")


def _is_text(beginning: bytes) -> bool:
    """Return whether bytes are the beginning of a text in UTF-8, without NUL."""
    try:
        return "\0" not in codecs.getincrementaldecoder("utf-8")().decode(beginning)
    except ValueError:
        return False
