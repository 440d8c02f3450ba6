"""The calls about the requests of one API, each made once: what is sent, and what the answers are."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from dequeuer.client.answers import whole_within
from dequeuer.client.errors import AnswerTooLargeError, InvalidAnswerError
from dequeuer.client.events import EventReader
from dequeuer.client.fields import moment_of, objects_of, text_of
from dequeuer.client.gateway import Content, Gateway
from dequeuer.client.request_status import RequestStatus, request_status, split_result, status_of
from dequeuer.client.submission import Submission
from dequeuer.core.errors import clip
from dequeuer.formats.api_name import is_api_name
from dequeuer.formats.request_id import is_request_id

MAX_RESULT_BYTES: Final = 64 << 20
SMALL_RESULT_BYTES: Final = 64 * 1024
"""A result of this size costs no more with the status than by itself."""
MAX_PAGE_BYTES: Final = 4 << 20
"""Of a list of at most 100."""
PAGE_REQUESTS: Final = 100
MAX_STATUS_BYTES: Final = 1 << 20
"""Of a status without its result."""

CALL_IDLE_TIMEOUT_S: Final = 60.0
"""The gateway takes up to 30 s for a list or a redrive."""
CALL_TIMEOUT_S: Final = 600.0
"""For a whole answer, which may hold a large result."""
SUBMIT_IDLE_TIMEOUT_S: Final = 120.0
UPLOAD_BYTES_PER_S: Final = 256 * 1024
"""Nothing comes while a payload is sent; a slower line is given up."""
EVENTS_IDLE_TIMEOUT_S: Final = 45.0
"""The gateway sends a comment every 15 s."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Submitted:
    """What became of a submission. `status`: None when the gateway tells the id alone."""

    id: str
    status: RequestStatus | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestPage:
    """Some requests of an API, the newest first.

    Attributes:
        requests: without results and attempts.
        following: what the next page begins after; "": this was the last one.
        paused: since when the API is paused; None: it is not.
        fields: all of it, for programs.
    """

    fields: Mapping[str, Any]
    requests: tuple[RequestStatus, ...]
    following: str
    paused: datetime | None


class RequestCalls:
    """Every method raises the errors of `client.errors`.

    Args:
        gateway: that serves the API.
        api_name: of the API.
        max_result_bytes: a larger result is not read.
    """

    def __init__(self, gateway: Gateway, api_name: str, max_result_bytes: int = MAX_RESULT_BYTES) -> None:
        if not is_api_name(api_name):  # it becomes a part of paths
            raise ValueError(f'"{clip(api_name)}" is not the name of an API')
        self._gateway = gateway
        self._path = f"/{api_name}"
        self._max_result_bytes = max_result_bytes

    async def submit(self, submission: Submission, wait_s: int = 0) -> Submitted:
        """Send a submission. `wait_s`: how long the gateway may wait for the end of the request."""
        content = submission.content
        if wait_s:
            content = Content(body=content.body, headers={**content.headers, "Prefer": f"wait={wait_s}"})
        upload_s = len(content.body or b"") / UPLOAD_BYTES_PER_S
        document = await self._read("POST", "", {}, idle_s=SUBMIT_IDLE_TIMEOUT_S + upload_s + wait_s, body=content)
        fields, result = split_result(document)
        request_id = text_of(fields.get("id"))
        if not is_request_id(request_id):
            raise InvalidAnswerError("the gateway answers a submission without the id of a request")
        return Submitted(id=request_id, status=status_of(fields, result) if "status" in fields else None)

    async def status(self, request_id: str, wait_s: int = 0, max_result_bytes: int | None = None) -> RequestStatus:
        """Return the status of a request.

        Args:
            request_id: of the request.
            wait_s: how long the gateway may wait for its end.
            max_result_bytes: the gateway leaves a larger result out, and tells its size; None: it sends each.
        """
        query = ({"wait": str(wait_s)} if wait_s else {}) | _result_limit(max_result_bytes)
        return await self._status("GET", request_id, query, CALL_IDLE_TIMEOUT_S + wait_s)

    async def cancel(self, request_id: str, max_result_bytes: int | None = None) -> RequestStatus:
        """Ask for the cancellation of a request; return the status that stands. `max_result_bytes`: as of `status`."""
        return await self._status("DELETE", request_id, _result_limit(max_result_bytes), CALL_IDLE_TIMEOUT_S)

    async def events(self, request_id: str, /) -> AsyncGenerator[RequestStatus, None]:
        """Yield the status of a request, then each one that differs. A gateway that drains ends it early."""
        answer = await self._gateway.open(
            "GET", f"{self._path_of(request_id)}/events", {}, idle_timeout_s=EVENTS_IDLE_TIMEOUT_S
        )
        async with aclosing(answer):
            reader = EventReader()
            async for chunk in answer.chunks():
                for data in reader.feed(chunk):
                    yield _own(request_status(data), request_id)

    async def result_chunks(self, request_id: str, size: int) -> AsyncGenerator[bytes, None]:
        """Yield the result of a completed request as it comes. `size`: its bytes.

        Raises:
            GatewayLostError: it was cut off, also after its last piece.
        """
        rest = b'{"id":"%b","status":"completed","result":' % request_id.encode()
        answer = await self._gateway.open("GET", self._path_of(request_id), {}, idle_timeout_s=CALL_IDLE_TIMEOUT_S)
        async with aclosing(answer):
            async for chunk in answer.chunks():
                begin, piece = chunk[: len(rest)], chunk[len(rest) :][:size]
                if not rest.startswith(begin):
                    raise InvalidAnswerError(f"the gateway does not send the result of request {request_id}")
                rest = rest[len(begin) :]
                size -= len(piece)
                if piece:
                    yield piece
        if size:
            raise InvalidAnswerError(f"the result of request {request_id} is shorter than the gateway said")

    async def page(self, *, limit: int, state: str | None, after: str) -> RequestPage:
        """Return a page of the newest requests. `after`: `following` of the page before; "": the first page."""
        query = {"limit": str(limit)} | ({"status": state} if state else {}) | ({"after": after} if after else {})
        fields = await self._object("GET", "", query, MAX_PAGE_BYTES)
        if not isinstance(fields.get("requests"), list):
            raise InvalidAnswerError("the gateway does not answer with a list of requests")
        return RequestPage(
            fields=fields,
            requests=tuple(map(status_of, objects_of(fields["requests"], PAGE_REQUESTS))),
            following=text_of(fields.get("next")),
            paused=moment_of(fields.get("paused")),
        )

    async def change(self, action: str) -> Mapping[str, Any]:
        """Pause or resume the API; return what the gateway says."""
        return await self._object("PUT", "", {"action": action}, MAX_STATUS_BYTES)

    async def dead_letters(self, method: str, query: Mapping[str, str]) -> Mapping[str, Any]:
        """Look at the dead letters, or send them back; return what the gateway says."""
        return await self._object(method, "/_dead-letters", query, MAX_PAGE_BYTES)

    async def _status(self, method: str, request_id: str, query: Mapping[str, str], idle_s: float) -> RequestStatus:
        path = self._path_of(request_id).removeprefix(self._path)
        return _own(request_status(await self._read(method, path, query, idle_s=idle_s)), request_id)

    async def _object(self, method: str, suffix: str, query: Mapping[str, str], max_bytes: int) -> Mapping[str, Any]:
        async with (
            whole_within(CALL_TIMEOUT_S),
            aclosing(
                await self._gateway.open(method, f"{self._path}{suffix}", query, idle_timeout_s=CALL_IDLE_TIMEOUT_S)
            ) as answer,
        ):
            return await answer.object(max_bytes)

    async def _read(
        self,
        method: str,
        suffix: str,
        query: Mapping[str, str],
        *,
        idle_s: float,
        body: Content | None = None,
    ) -> bytes:
        """Return an answer that may hold a result."""
        async with (
            whole_within(CALL_TIMEOUT_S + idle_s),
            aclosing(
                await self._gateway.open(method, f"{self._path}{suffix}", query, idle_timeout_s=idle_s, body=body)
            ) as answer,
        ):
            try:
                return await answer.read(self._max_result_bytes + MAX_STATUS_BYTES)
            except AnswerTooLargeError:
                raise AnswerTooLargeError(
                    f"the result has more than {self._max_result_bytes} bytes: raise max_result_bytes of the client"
                ) from None

    def _path_of(self, request_id: str) -> str:
        if not is_request_id(request_id):  # it becomes a part of paths
            raise ValueError(f'"{clip(request_id)}" is not the id of a request')
        return f"{self._path}/{request_id}"


def _result_limit(max_result_bytes: int | None) -> dict[str, str]:
    return {} if max_result_bytes is None else {"max_result_bytes": str(max_result_bytes)}


def _own(status: RequestStatus, request_id: str) -> RequestStatus:
    """Return the status if it is that of the request. A cache on the way could mix them up."""
    if status.id != request_id:
        raise InvalidAnswerError(f"the gateway answers with request {status.id} to a question about {request_id}")
    return status
