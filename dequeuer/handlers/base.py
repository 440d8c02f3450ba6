"""The protocol of a handler, and of the container that handlers send requests to."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from dequeuer.core.message import Fence, Message, Outcome


class Handler(Protocol):
    """Handles messages. It never sees a lease, so it cannot acknowledge early."""

    def needs_slot(self, message: Message) -> bool:
        """Tell whether the message occupies the container (a completion message mostly waits)."""

    def ref(self, message: Message) -> str:
        """Return the name of the message in logs: a valid request id, or "". Never a payload."""

    async def handle(self, message: Message, fence: Fence) -> Outcome:
        """Handle the message. The returned outcome is durable already.

        Pass `fence.check` as the `check` of every write, and call it before every deletion that comes before the
        acknowledgement. Expected endings are outcomes. `LeaseLostError` and `SourceGoneError` may be raised; any other
        exception is a bug and costs the message one attempt. Can be cancelled at any await.
        """


class Response(Protocol):
    """A response of the container. Status line and headers have arrived; the body is read on demand."""

    @property
    def status(self) -> int:
        """The HTTP status."""

    @property
    def content_type(self) -> str | None:
        """The `Content-Type` header as sent, parameters included; None when there is none."""

    @property
    def retry_after(self) -> str | None:
        """The `Retry-After` header as sent; None when there is none."""

    @property
    def size(self) -> int | None:
        """Bytes of the body by `Content-Length`; None when the body is compressed or has no known length."""

    def chunks(self) -> AsyncIterator[bytes]:
        """Yield the decoded body. The time for which a read waits counts against the time of the request.

        Raises:
            ContainerUnavailableError: the connection broke before the body was complete.
            ContainerTimeoutError: the time of the request is used up.
            InvalidResponseError: the body cannot be decoded.
        """

    async def discard(self) -> None:
        """Read the body to its end without decoding it: only a complete response shows that the work was done.

        Raises:
            ContainerUnavailableError, ContainerTimeoutError: as with `chunks`.
            InvalidResponseError: the response is not valid HTTP.
        """


class Target(Protocol):
    """The container."""

    def post(
        self,
        path: str,
        headers: Iterable[tuple[str, str]],
        body: bytes | AsyncIterator[bytes],
        size: int | None = None,
    ) -> AbstractAsyncContextManager[Response]:
        """Send a POST and yield the response. Leaving the context closes the connection or returns it to the pool.

        Nothing is added to `headers` but what HTTP needs. Redirects are not followed.

        Args:
            path: begins with a slash.
            headers: sent as given, repeated ones included.
            body: errors that it raises are passed on unchanged.
            size: bytes of a streamed body; None when it is not known.

        Raises:
            ContainerUnavailableError, ContainerTimeoutError, InvalidResponseError.
            InvalidInputError: a header cannot be sent.
            StoreUnavailableError: `body` is not as long as `size`.
        """
