"""A scripted container on loopback for tests of handlers, and the parties around it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from dequeuer.core.errors import ContainerNotHttpError, ContainerUnavailableError, DequeuerError
from tests.fakes import chunked


@dataclass
class Reply:
    """What the container answers. `error` is raised instead; `body_error` after the body."""

    status: int = 200
    body: bytes = b'{"ok": true}'
    content_type: str | None = "application/json"
    retry_after: str | None = None
    size: int | None = None
    error: DequeuerError | None = None
    body_error: DequeuerError | None = None
    takes_s: float = 0.0


@dataclass
class Request:
    """What the container got."""

    path: str
    headers: list[tuple[str, str]]
    body: bytes


class ScriptedAnswer:
    """An answer out of a script."""

    def __init__(self, reply: Reply) -> None:
        self._reply = reply
        self.status = reply.status
        self.content_type = reply.content_type
        self.retry_after = reply.retry_after
        self.size = reply.size

    async def chunks(self) -> AsyncIterator[bytes]:
        async for chunk in chunked(self._reply.body):
            yield chunk
        if self._reply.body_error is not None:
            raise self._reply.body_error

    async def discard(self) -> None:
        async for _ in self.chunks():
            pass


@dataclass
class ScriptedTarget:
    """A container that answers out of a script: the last reply goes on for ever."""

    replies: list[Reply] = field(default_factory=lambda: [Reply()])
    requests: list[Request] = field(default_factory=list)

    @asynccontextmanager
    async def post(
        self,
        path: str,
        headers: Iterable[tuple[str, str]],
        body: bytes | AsyncIterator[bytes],
        size: int | None = None,
    ) -> AsyncIterator[ScriptedAnswer]:
        whole = body if isinstance(body, bytes) else b"".join([chunk async for chunk in body])
        self.requests.append(Request(path, list(headers), whole))
        reply = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
        await asyncio.sleep(reply.takes_s)
        if reply.error is not None:
            raise reply.error
        yield ScriptedAnswer(reply)


NOT_HTTP = Reply(error=ContainerNotHttpError("the container does not speak HTTP/1; it looks like TLS"))
UNREACHABLE = Reply(error=ContainerUnavailableError("the container is not reachable"))
