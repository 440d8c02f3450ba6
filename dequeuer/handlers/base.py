"""What the worker asks of a handler, and what handlers ask of the container."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from dequeuer.core.message import Fence, Message, Outcome


class Handler(Protocol):
    """Works on messages. It never sees a lease, so it cannot acknowledge early."""

    def needs_slot(self, message: Message) -> bool:
        """Tell whether the message occupies the container (a job's completion only waits)."""

    def ref(self, message: Message) -> str:
        """Return what logs may call the work: a valid request id, or nothing. Never a payload."""

    async def handle(self, message: Message, fence: Fence) -> Outcome:
        """Do the work; what is returned is durable.

        `fence.check()` comes before every write and deletion. Expected endings are outcomes; an
        exception is a bug, and costs the message one attempt. May be cancelled at any await.
        """


class Answer(Protocol):
    """A response of the container whose status line and headers are here; the body is read on demand."""

    @property
    def status(self) -> int:
        """The HTTP status."""

    @property
    def content_type(self) -> str | None:
        """As sent, parameters included; None when there is none."""

    @property
    def retry_after(self) -> str | None:
        """The `Retry-After` header as sent."""

    @property
    def size(self) -> int | None:
        """Content-Length of an uncompressed body; None when unknown."""

    def chunks(self) -> AsyncIterator[bytes]:
        """Yield the decoded body; each read waits within the request's time.

        Raises:
            ContainerUnavailableError: the connection broke before the body was whole.
            ContainerTimeoutError: the time is used up.
            InvalidResponseError: the body cannot be decoded.
        """

    async def discard(self) -> None:
        """Read the body to its end, whatever it is: only a whole answer says that the work was done.

        Raises:
            ContainerUnavailableError, ContainerTimeoutError: as with `chunks`.
            InvalidResponseError: it is no valid HTTP.
        """


class Target(Protocol):
    """The container."""

    def post(
        self,
        path: str,
        headers: Iterable[tuple[str, str]],
        body: bytes | AsyncIterator[bytes],
        size: int | None = None,
    ) -> AbstractAsyncContextManager[Answer]:
        """POST and yield the answer; leaving the context gives the connection up or back.

        Nothing is added to `headers` but what HTTP needs. Redirects are not followed.

        Args:
            path: begins with a slash.
            headers: sent as given, repeated ones included.
            body: its errors are raised as they are.
            size: bytes of a streamed body.

        Raises:
            ContainerUnavailableError, ContainerTimeoutError, InvalidResponseError.
        """
