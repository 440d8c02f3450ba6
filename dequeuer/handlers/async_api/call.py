"""One call of the container: sends a request, and stores its result. What the response means is decided elsewhere."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Literal, Self

from dequeuer.core import clock
from dequeuer.core.errors import (
    ContainerTimeoutError,
    InvalidResponseError,
    LeaseLostError,
    StoreDeniedError,
    StoreUnavailableError,
)
from dequeuer.core.events import Observer, Posted, ResponseStarted
from dequeuer.core.message import Fence, Message, Retry
from dequeuer.formats.deadline import deadline_of
from dequeuer.formats.failure import FailureCode, RequestFailure
from dequeuer.handlers.async_api.cancellation import CancellationWatch
from dequeuer.handlers.async_api.request_store import RequestStore, Submitted
from dequeuer.handlers.async_api.result import ResultWriter
from dequeuer.handlers.base import Target
from dequeuer.handlers.response_policy import Failure, ResponsePolicy
from dequeuer.sinks.base import Payload

if TYPE_CHECKING:  # a sidecar whose container does not report does not pay for it
    from dequeuer.handlers.async_api.progress import ProgressReports

REQUEST_ID_HEADER = "X-Cortex-Request-ID"
PROGRESS_URL_HEADER = "X-Dequeuer-Progress-URL"
MAX_BUFFERED_PAYLOAD_BYTES = 64 * 1024
"""Payloads up to this size are read before they are sent; larger ones are streamed."""

CutReason = Literal["cancelled", "deadline"]

_NO_PROGRESS = nullcontext("")
_CUT_TEXTS: dict[CutReason, str] = {
    "cancelled": "a client cancelled the request while it was processed",
    "deadline": "the deadline of the request passed while it was processed",
}


class RequestFailedError(Exception):
    """The request has failed and is not tried again. `status_code`: of the response; None when there is none."""

    def __init__(self, error: str, code: FailureCode, status_code: int | None = None) -> None:
        super().__init__(error)
        self.failure = RequestFailure(error=error, code=code, status_code=status_code)


class Cut:
    """Cuts the work on one request, while it waits for the container.

    `timeout` is an async context manager around the calls of the container: leaving it after a cut raises
    `TimeoutError`.
    """

    __slots__ = ("_is_complete", "reason", "timeout")

    def __init__(self, deadline_at: float | None) -> None:
        """Prepare; `deadline_at`: loop time at which the work is cut; None: never."""
        self.timeout = asyncio.timeout_at(deadline_at)
        self.reason: CutReason = "deadline"
        self._is_complete = False

    def cancel(self, now: float) -> None:
        """Cut the work now, unless the response is complete."""
        if not self._is_complete and not self.timeout.expired():
            self.reason = "cancelled"
            self.timeout.reschedule(now)

    def response_complete(self) -> None:
        """Cut nothing from now on: what follows are writes, and a write that is cut may be carried out later."""
        self._is_complete = True
        if self.timeout.when() is not None:
            self.timeout.reschedule(None)


def check_wanted(message: Message, request_id: str, cancelled: Collection[str]) -> None:
    """Raise `RequestFailedError` when nobody wants a request to be begun any more. `cancelled`: ids of requests."""
    deadline = deadline_of(message.attributes) if message.attributes else None
    if deadline is not None and clock.wall() >= deadline:
        raise RequestFailedError("the deadline of the request passed before it was begun", "expired")
    if request_id in cancelled:
        raise RequestFailedError("a client cancelled the request before it was begun", "cancelled")


class ContainerCalls:
    """Calls the container for requests.

    Args:
        target: the container.
        results: stores results.
        policy: says what a status means.
        observer: receives the events of each call.
        in_progress_after_s: `status/in_progress` is written when the work takes longer than this, seconds.
        progress: takes the reports of containers; None: they have none to send.
        cancellations: what clients want to be cancelled; None: nobody looks.
    """

    def __init__(  # noqa: PLR0913 - one parameter for each collaborator
        self,
        *,
        target: Target,
        results: ResultWriter,
        policy: ResponsePolicy,
        observer: Observer,
        in_progress_after_s: float,
        progress: ProgressReports | None,
        cancellations: CancellationWatch | None,
    ) -> None:
        self._target = target
        self._results = results
        self._policy = policy
        self._observer = observer
        self._in_progress_after_s = in_progress_after_s
        self._progress = progress
        self._cancellations = cancellations
        self._running: dict[Cut, str] = {}
        """The id of the request of each call under way."""
        if cancellations is not None:
            cancellations.begin(self._running.values(), self._cancel)
        self._loop = asyncio.get_running_loop()

    async def call(self, message: Message, request: RequestStore, submitted: Submitted, fence: Fence) -> Retry | None:
        """Send a request, and store the result. Returns `Retry` for a retry status, else None.

        A cut ends the work while the container is waited for. What follows its complete response is not cut: a write
        may be carried out although nobody waits for it any more.

        Raises:
            RequestFailedError: it has failed, or was cut.
            ContainerUnavailableError, StoreUnavailableError, StoreDeniedError, LeaseLostError.
        """
        headers, body = _headers(request, submitted), await _body(submitted.payload)
        # Reading the payload may have taken long.
        check_wanted(message, request.request_id, self._cancellations.cancelled if self._cancellations else ())
        cut = Cut(self._deadline_at(message))
        # Nothing is waited for between this and the entry of the timeout: one that was not entered cannot be moved.
        self._running[cut] = request.request_id
        try:
            return await self._call(message, request, headers, body, submitted.payload.size, fence, cut)
        finally:
            del self._running[cut]

    async def _call(  # noqa: PLR0913, PLR0917 - what `call` has prepared
        self,
        message: Message,
        request: RequestStore,
        headers: list[tuple[str, str]],
        body: bytes | AsyncIterator[bytes],
        size: int,
        fence: Fence,
        cut: Cut,
    ) -> Retry | None:
        with _ProgressMarker(request, self._in_progress_after_s) as work, self._progress_of(request) as url:
            if url:
                # One from the client would make the container send its reports elsewhere.
                headers = [field for field in headers if field[0].lower() != PROGRESS_URL_HEADER.lower()]
                headers.append((PROGRESS_URL_HEADER, url))
            self._observer(Posted(queued_s=clock.wall() - message.sent_at if message.sent_at else None))
            try:
                async with cut.timeout, self._target.post("/", headers, body, size) as response:
                    request.response_received()
                    duration_s = work.lasted_s()
                    self._observer(ResponseStarted(kind="async", status_code=response.status, duration_s=duration_s))
                    match self._policy.verdict(response, message.receive_count):
                        case Retry() as retry:
                            return retry
                        case Failure(reason=reason):
                            raise RequestFailedError(reason, "container_status", response.status)
                    result = await self._results.write(response, request, cut.response_complete)
                    cut.response_complete()
            except TimeoutError as error:
                if not cut.timeout.expired():
                    raise
                raise RequestFailedError(_CUT_TEXTS[cut.reason], "cancelled") from error
            except ContainerTimeoutError as error:
                raise RequestFailedError(str(error), "timeout") from error
            except InvalidResponseError as error:
                raise RequestFailedError(str(error), "invalid_result", 200) from error
            fence.release_slot()
            if result is not None:
                await request.put_result(result)
        return None

    def _deadline_at(self, message: Message) -> float | None:
        """Return the deadline in loop time; None when there is none."""
        deadline = deadline_of(message.attributes) if message.attributes else None
        return None if deadline is None else self._loop.time() + deadline - clock.wall()

    def _progress_of(self, request: RequestStore) -> AbstractContextManager[str]:
        """Return the context in which the container may report; yields the URL, "" when it may not."""
        return _NO_PROGRESS if self._progress is None else self._progress.accepted(request)

    def _cancel(self, request_ids: Collection[str]) -> None:
        now = self._loop.time()
        for cut, request_id in self._running.items():
            if request_id in request_ids:
                cut.cancel(now)


def _headers(request: RequestStore, submitted: Submitted) -> list[tuple[str, str]]:
    headers = list(submitted.headers or ())
    content_type = submitted.payload.content_type
    if content_type and not any(name.lower() == "content-type" for name, _ in headers):
        headers.append(("Content-Type", content_type))
    headers.append((REQUEST_ID_HEADER, request.request_id))
    return headers


async def _body(payload: Payload) -> bytes | AsyncIterator[bytes]:
    if payload.size > MAX_BUFFERED_PAYLOAD_BYTES:
        return payload.chunks
    return b"".join([chunk async for chunk in payload.chunks])


class _ProgressMarker:
    """Writes `status/in_progress` when the work inside lasts longer than `after_s`. Shorter work costs no PUT."""

    __slots__ = ("_loop", "_request", "_started", "_timer", "_writing")

    def __init__(self, request: RequestStore, after_s: float) -> None:
        self._request = request
        self._writing: asyncio.Task[None] | None = None
        self._loop = loop = asyncio.get_running_loop()
        self._started = loop.time()
        self._timer = loop.call_later(after_s, self._start_writing)

    def lasted_s(self) -> float:
        """Return the seconds since the work began."""
        return self._loop.time() - self._started

    def _start_writing(self) -> None:
        self._writing = self._loop.create_task(_mark_in_progress(self._request), name="in-progress")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        if self._writing is not None:
            self._writing.cancel()


async def _mark_in_progress(request: RequestStore) -> None:
    try:
        await request.mark_in_progress()
    except (StoreUnavailableError, StoreDeniedError, LeaseLostError):
        # The status is only information for clients. The store has reported the failure already.
        return
