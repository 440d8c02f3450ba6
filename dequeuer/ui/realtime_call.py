"""A call of a realtime API, as a person describes it on the page: what the container answers, within bounds."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import Final

from aiohttp import web

from dequeuer.client.answers import Answer, whole_within
from dequeuer.client.gateway import Content
from dequeuer.client.realtime import has_body, leads_up
from dequeuer.core import clock
from dequeuer.core.errors import clip
from dequeuer.formats.headers import HOP_BY_HOP
from dequeuer.formats.json_reading import object_or_none
from dequeuer.ui.bodies import Bodies
from dequeuer.ui.directory import Api, Directory
from dequeuer.ui.errors import UiError
from dequeuer.ui.link import GatewayLink

MAX_SHOWN_BYTES: Final = 64 * 1024
MAX_HEADERS: Final = 64
MAX_HEADER_CHARS: Final = 4096
TIMEOUT_S: Final = 60.0
METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")

_PATH: Final = re.compile(r"/?[!$-~]{0,2000}")
"""Visible ASCII without `"` and `#`."""
_HEADER_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}")
_HEADER_VALUE: Final = re.compile(r"[ -~\t]*")
_OWN: Final = HOP_BY_HOP | {"host", "content-length", "trailer", "expect", "proxy-authorization", "accept-encoding"}
"""Headers that are about the connection: they are not the person's to choose."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """What is sent. `path`: behind the endpoint, with its query."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


def parse_call(body: bytes) -> Call:
    """Return the call that a page describes. Raises `UiError`."""
    fields = object_or_none(body)
    if fields is None:
        raise UiError(400, "the call is no JSON object with method, path, headers and body")
    method, path, text = fields.get("method", "GET"), fields.get("path", ""), fields.get("body", "")
    if method not in METHODS:
        raise UiError(400, f'method is "{clip(str(method), 20)}"; allowed: {", ".join(METHODS)}')
    return Call(method=str(method), path=_path(path), headers=_headers(fields.get("headers")), body=_body(text))


def _path(given: object) -> str:
    if not isinstance(given, str) or not _PATH.fullmatch(given):
        raise UiError(400, "path is no path of visible ASCII characters that begins with a slash: escape the others")
    if leads_up(given.partition("?")[0]):
        raise UiError(400, 'path has a segment "." or ".."')
    return given if given[:1] in {"", "/", "?"} else f"/{given}"


def _body(given: object) -> bytes:
    # JSON can hold half of a character.
    if not isinstance(given, str) or re.search("[\ud800-\udfff]", given):
        raise UiError(400, "body is no text that can be sent as UTF-8")
    return given.encode()


def _headers(given: object) -> Mapping[str, str]:
    if given is None:
        return {}
    if not isinstance(given, dict) or len(given) > MAX_HEADERS:
        raise UiError(400, f"headers is no object of at most {MAX_HEADERS} headers")
    for name, value in given.items():
        if not _HEADER_NAME.fullmatch(name) or name.lower() in _OWN:
            raise UiError(400, f'"{clip(name, 100)}" is not a header that can be sent')
        if not isinstance(value, str) or len(value) > MAX_HEADER_CHARS or not _HEADER_VALUE.fullmatch(value):
            raise UiError(400, f"the value of {name} is not one line of at most {MAX_HEADER_CHARS} ASCII characters")
    return {name: value.strip() for name, value in given.items()}


class CallRoute:
    """The request handler."""

    def __init__(self, link: GatewayLink, directory: Directory, bodies: Bodies) -> None:
        self._link = link
        self._directory = directory
        self._bodies = bodies

    def add(self, router: web.UrlDispatcher) -> None:
        """Add the route."""
        router.add_post("/api/apis/{api}/calls", self.call)

    async def call(self, request: web.Request) -> web.StreamResponse:
        """`POST /api/apis/<api>/calls`."""
        api = (await self._directory.find(request.match_info["api"])).require("RealtimeAPI", "TrafficSplitter")
        async with self._bodies.read(request) as body:
            return web.json_response(await self._answer(api, parse_call(body)))

    async def _answer(self, api: Api, call: Call) -> dict[str, object]:
        began = clock.monotonic()
        content = Content(body=call.body or None, headers=call.headers)
        async with whole_within(TIMEOUT_S):
            answer = await self._link.gateway.send(
                call.method, f"{api.endpoint}{call.path}", {}, idle_timeout_s=TIMEOUT_S, body=content
            )
        async with aclosing(answer):
            shown = await _beginning(call.method, answer)
        return {
            "status": answer.status,
            "headers": {
                clip(name, 128): clip(value, MAX_HEADER_CHARS)
                for name, value in list(answer.headers.items())[:MAX_HEADERS]
            },
            "body": shown.decode(errors="replace"),
            "duration_s": round(clock.monotonic() - began, 4),
        }


async def _beginning(method: str, answer: Answer) -> bytes:
    """Return the beginning of a body: of a stream, what came in time."""
    shown = bytearray()
    if not has_body(method, answer.status):
        return b""
    try:
        async with asyncio.timeout(TIMEOUT_S):
            async for chunk in answer.chunks():
                shown += chunk
                if len(shown) >= MAX_SHOWN_BYTES:
                    break
    except TimeoutError:
        pass
    return bytes(shown[:MAX_SHOWN_BYTES])
