"""Calls of realtime APIs through the gateway: one request, one response of the container."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Final, TypedDict
from urllib.parse import unquote

from dequeuer.client.answers import whole_within
from dequeuer.client.errors import InvalidAnswerError
from dequeuer.client.gateway import Content, Gateway
from dequeuer.core.errors import clip

TIMEOUT_S: Final = 60.0
_ENDPOINT: Final = re.compile(r"/?[A-Za-z0-9_.-]+(?:/[A-Za-z0-9_.-]+)*/?")
_BODILESS: Final = frozenset({204, 304})


class CallOptions(TypedDict, total=False):
    """How a realtime API is called; all of it may be left out.

    method: of HTTP; default: POST with a body, else GET.
    headers: of the request.
    timeout_s: of the whole call, seconds; default: 60.
    """

    method: str
    headers: Mapping[str, str]
    timeout_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RealtimeCall:
    """A call. `path`: of the gateway, with the query."""

    method: str
    path: str
    content: Content
    timeout_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RealtimeResponse:
    """A response of a realtime API, or of the gateway or the proxy in front of it.

    Attributes:
        status: of HTTP.
        headers: names, as they came, and values.
        body: as it came.
    """

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def header(self, name: str) -> str:
        """Return the value of a header, whatever the case of its name; "" when there is none."""
        return next((value for known, value in self.headers if known.lower() == name.lower()), "")

    def json(self) -> Any:
        """Return the value of the body. Raises `InvalidAnswerError` when it is not JSON."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            raise InvalidAnswerError(f"the response (status {self.status}) is not JSON that Python can read") from None


def make_call(  # noqa: PLR0913 - one for each of the options
    api: str,
    path: str,
    body: bytes | Any,
    *,
    method: str | None = None,
    headers: Mapping[str, str] | None = None,
    timeout_s: float = TIMEOUT_S,
) -> RealtimeCall:
    """Return a call; see `Client.call`. Raises `ValueError` for a path that could lead to another API."""
    if not _ENDPOINT.fullmatch(api) or leads_up(api):
        raise ValueError(f'"{clip(api)}" is not the endpoint of an API')
    if path and path[0] not in "/?":
        path = f"/{path}"
    if "#" in path or leads_up(path.partition("?")[0]):
        raise ValueError(f'the path "{clip(path)}" has a fragment, or a segment that leads out of the API')
    sent = dict(headers or {})
    if body is None or isinstance(body, bytes | bytearray | memoryview):
        data = None if body is None else bytes(body)
    else:
        data = json.dumps(body, allow_nan=False, separators=(",", ":")).encode()
        if not any(name.lower() == "content-type" for name in sent):
            sent["Content-Type"] = "application/json"
    return RealtimeCall(
        method=method or ("GET" if data is None else "POST"),
        path=f"/{api.strip('/')}{path}",
        content=Content(body=data, headers=sent),
        timeout_s=timeout_s,
    )


async def send_call(gateway: Gateway, call: RealtimeCall, max_bytes: int) -> RealtimeResponse:
    """Send a call once. Raises the errors of `client.errors`, but none for the status of its response."""
    async with whole_within(call.timeout_s):
        answer = await gateway.send(call.method, call.path, {}, idle_timeout_s=call.timeout_s, body=call.content)
        async with aclosing(answer):
            body = await answer.read(max_bytes) if has_body(call.method, answer.status) else b""
    return RealtimeResponse(status=answer.status, headers=tuple(answer.headers.items()), body=body)


def has_body(method: str, status: int) -> bool:
    """Return whether the response to a request can have a body. One that cannot has no length either."""
    return status not in _BODILESS and method.upper() != "HEAD"


def leads_up(path: str) -> bool:
    """Return whether a server could take a segment of a path, without its query, for one of the folders above.

    Servers decode a path before they take it apart, and what stands behind them may do so once more.
    """
    return not {".", ".."}.isdisjoint(re.split(r"[/\\]", unquote(unquote(path))))
