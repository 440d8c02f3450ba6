"""A scripted container for tests of handlers. There is no network."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from dequeuer.core.errors import ContainerNotHttpError, ContainerUnavailableError, DequeuerError
from tests.fakes import chunked


@dataclass
class Reply:
    """A response of the container. `error` is raised instead of it; `body_error` after the body."""

    status: int = 200
    body: bytes = b'{"ok": true}'
    content_type: str | None = "application/json"
    retry_after: str | None = None
    size: int | None = None
    error: DequeuerError | None = None
    body_error: DequeuerError | None = None
    takes_s: float = 0.0
    body_s: float = 0.0
    """Between the bytes of the body and its end."""


@dataclass
class Request:
    """A request that the container got."""

    path: str
    headers: list[tuple[str, str]]
    body: bytes


class ScriptedResponse:
    """`Response` with the content of a `Reply`."""

    def __init__(self, reply: Reply) -> None:
        self._reply = reply
        self.status = reply.status
        self.content_type = reply.content_type
        self.retry_after = reply.retry_after
        self.size = reply.size

    async def chunks(self) -> AsyncIterator[bytes]:
        async for chunk in chunked(self._reply.body):
            yield chunk
        if self._reply.body_s:
            await asyncio.sleep(self._reply.body_s)
        if self._reply.body_error is not None:
            raise self._reply.body_error

    async def discard(self) -> None:
        async for _ in self.chunks():
            pass


@dataclass
class ScriptedTarget:
    """`Target` that gives the replies in turn; the last one is repeated."""

    replies: list[Reply] = field(default_factory=lambda: [Reply()])
    requests: list[Request] = field(default_factory=list)

    @asynccontextmanager
    async def post(
        self,
        path: str,
        headers: Iterable[tuple[str, str]],
        body: bytes | AsyncIterator[bytes],
        size: int | None = None,
    ) -> AsyncIterator[ScriptedResponse]:
        whole = body if isinstance(body, bytes) else b"".join([chunk async for chunk in body])
        self.requests.append(Request(path, list(headers), whole))
        reply = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
        await asyncio.sleep(reply.takes_s)
        if reply.error is not None:
            raise reply.error
        yield ScriptedResponse(reply)


NOT_HTTP = Reply(error=ContainerNotHttpError("the container does not speak HTTP/1; it looks like TLS"))
UNREACHABLE = Reply(error=ContainerUnavailableError("the container is not reachable"))
