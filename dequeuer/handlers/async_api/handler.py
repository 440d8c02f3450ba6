"""The async API: a message names a request in the store; its result goes back to the store. Decides the outcome."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Self

from dequeuer.core import clock
from dequeuer.core.drain import Drain
from dequeuer.core.errors import (
    ContainerTimeoutError,
    ContainerUnavailableError,
    InvalidInputError,
    InvalidResponseError,
    LeaseLostError,
    StoreDeniedError,
    StoreMissingError,
    StoreUnavailableError,
    clip,
)
from dequeuer.core.events import Observer, Posted, ResponseStarted
from dequeuer.core.message import WEBHOOK_ATTRIBUTE, Fence, Message, Outcome, Reject, Retry
from dequeuer.formats.envelope import decode_envelope, is_envelope, request_id_of
from dequeuer.formats.failure import FailureCode, RequestFailure
from dequeuer.handlers.async_api.ending import RequestEnding
from dequeuer.handlers.async_api.inline import InlineRequest
from dequeuer.handlers.async_api.request_store import RequestStore, Submitted
from dequeuer.handlers.async_api.result import ResultWriter
from dequeuer.handlers.backoff import MAX_BACKOFF_S, backoff_s
from dequeuer.handlers.base import Target
from dequeuer.handlers.response_policy import Failure, ResponsePolicy
from dequeuer.sinks.base import Deletions, Store
from dequeuer.sinks.layout import RequestKeys

if TYPE_CHECKING:  # a sidecar whose container does not report does not pay for it
    from dequeuer.handlers.async_api.progress import ProgressReports

REQUEST_ID_HEADER = "X-Cortex-Request-ID"
PROGRESS_URL_HEADER = "X-Dequeuer-Progress-URL"
MAX_BUFFERED_PAYLOAD_BYTES = 64 * 1024
"""Payloads up to this size are read before they are sent; larger ones are streamed."""

_NO_PROGRESS = nullcontext("")


class _RequestFailedError(Exception):
    """The request has failed and is not tried again. `status_code`: of the response; None when there is none."""

    def __init__(self, error: str, code: FailureCode, status_code: int | None = None) -> None:
        super().__init__(error)
        self.failure = RequestFailure(error=error, code=code, status_code=status_code)


class AsyncHandler:
    """Reads the request, sends it to the container, stores the result and the final status.

    Args:
        deletions: deletes objects of `store`.
        in_progress_after_s: `status/in_progress` is written when the work takes longer than this, seconds.
        progress: takes the reports of containers; None: they have none to send.
        on_webhook: is called for each request that asks for a webhook; None: somebody else sends it.
    """

    def __init__(  # noqa: PLR0913 - one parameter for each collaborator
        self,
        *,
        cluster_uid: str,
        api_name: str,
        store: Store,
        deletions: Deletions,
        target: Target,
        results: ResultWriter,
        policy: ResponsePolicy,
        drain: Drain,
        observer: Observer,
        in_progress_after_s: float = 1.0,
        progress: ProgressReports | None = None,
        on_webhook: Callable[[], None] | None = None,
    ) -> None:
        self._cluster_uid = cluster_uid
        self._api_name = api_name
        self._store = store
        self._deletions = deletions
        self._target = target
        self._results = results
        self._policy = policy
        self._drain = drain
        self._observer = observer
        self._in_progress_after_s = in_progress_after_s
        self._progress = progress
        self._on_webhook = on_webhook

    def needs_slot(self, _message: Message) -> bool:
        """Return True: every request occupies the container."""
        return True

    def ref(self, message: Message) -> str:
        """Return the request id; "" when the message has no valid one."""
        return request_id_of(message.body)

    async def handle(self, message: Message, fence: Fence) -> Outcome:
        """Handle one request."""
        if self._on_webhook is not None and WEBHOOK_ATTRIBUTE in message.attributes:
            self._on_webhook()
        try:
            request = self._request_of(message, fence)
        except InvalidInputError as error:
            return Reject(after_s=backoff_s(message.receive_count), reason=str(error), poison=True)
        ending = RequestEnding(message, request, fence.asked_at)
        try:
            return await self._attempt(message, request, ending, fence)
        except StoreUnavailableError as error:
            return Retry(after_s=backoff_s(message.receive_count), reason=f"the store is unavailable: {error}")
        except StoreDeniedError as error:
            return await self._store_denied(message, request, ending, error)

    def _request_of(self, message: Message, fence: Fence) -> RequestStore:
        """Return the request that a message names. Raises `InvalidInputError` when it names none."""
        if is_envelope(message.body):
            envelope = decode_envelope(message.body)
            keys = RequestKeys(self._cluster_uid, self._api_name, envelope.request_id)
            may_be_duplicate = envelope.may_repeat or message.may_repeat
            return InlineRequest(self._store, self._deletions, keys, fence, envelope, may_be_duplicate=may_be_duplicate)
        request_id = self.ref(message)
        if not request_id:
            raise InvalidInputError(f"the message is not a request id: {clip(message.body)}")
        keys = RequestKeys(self._cluster_uid, self._api_name, request_id)
        return RequestStore(self._store, self._deletions, keys, fence, may_be_duplicate=message.may_repeat)

    async def _attempt(self, message: Message, request: RequestStore, ending: RequestEnding, fence: Fence) -> Outcome:
        """Make one attempt, and decide what a failure means."""
        try:
            return await self._process(message, request, ending, fence)
        except _RequestFailedError as error:
            return await ending.failed(error.failure)
        except ContainerUnavailableError as error:
            retry = self._policy.retry_unavailable(error, message.receive_count, is_draining=self._drain.requested)
            return retry or await ending.failed(RequestFailure(error=str(error), code="unreachable"))

    async def _store_denied(
        self, message: Message, request: RequestStore, ending: RequestEnding, error: StoreDeniedError
    ) -> Outcome:
        """Release a request whose input cannot be read, or whose large result cannot be written.

        On the last attempt `status/failed` is written instead. When that is refused, too, the message stays in the
        queue.
        """
        reason = f"the store refuses the request: {error}"
        if message.receive_count >= self._policy.max_attempts:
            try:
                return await ending.failed(RequestFailure(error=reason, code="store_refused"))
            except (StoreDeniedError, StoreUnavailableError):
                pass
        return Retry(after_s=MAX_BACKOFF_S if request.has_response else backoff_s(message.receive_count), reason=reason)

    async def _process(self, message: Message, request: RequestStore, ending: RequestEnding, fence: Fence) -> Outcome:
        """Read the input, call the container, end the request. A request that has ended before is not sent again."""
        if (message.receive_count > 1 or request.may_be_duplicate) and (prior := await request.prior_outcome()):
            return await ending.already_ended(prior)
        try:
            submitted = await request.read()
            # The headers are deleted after a failure: a message without them can be a duplicate of a finished request.
            if submitted.headers is None and (prior := await request.prior_outcome()):
                return await ending.already_ended(prior)
            return await self._call_container(message, request, submitted, fence) or await ending.completed()
        except StoreMissingError:
            if prior := await request.prior_outcome():
                return await ending.already_ended(prior)
            raise _RequestFailedError("the payload is missing", "missing_payload") from None
        except InvalidInputError as error:
            raise _RequestFailedError(str(error), "invalid_input") from error

    def _progress_of(self, request: RequestStore) -> AbstractContextManager[str]:
        """Return the context in which the container may report; yields the URL, "" when it may not."""
        return _NO_PROGRESS if self._progress is None else self._progress.accepted(request)

    async def _call_container(
        self, message: Message, request: RequestStore, submitted: Submitted, fence: Fence
    ) -> Retry | None:
        """Send the request to the container and store the result. Returns `Retry` for a retry status, else None."""
        payload = submitted.payload
        headers = list(submitted.headers or ())
        if payload.content_type and not any(name.lower() == "content-type" for name, _ in headers):
            headers.append(("Content-Type", payload.content_type))
        headers.append((REQUEST_ID_HEADER, request.request_id))
        body: bytes | AsyncIterator[bytes] = payload.chunks
        if payload.size <= MAX_BUFFERED_PAYLOAD_BYTES:
            body = b"".join([chunk async for chunk in payload.chunks])
        with _ProgressMarker(request, self._in_progress_after_s) as work, self._progress_of(request) as url:
            if url:
                # One from the client would make the container send its reports elsewhere.
                headers = [field for field in headers if field[0].lower() != PROGRESS_URL_HEADER.lower()]
                headers.append((PROGRESS_URL_HEADER, url))
            self._observer(Posted(queued_s=clock.wall() - message.sent_at if message.sent_at else None))
            try:
                async with self._target.post("/", headers, body, payload.size) as response:
                    request.response_received()
                    duration_s = work.lasted_s()
                    self._observer(ResponseStarted(kind="async", status_code=response.status, duration_s=duration_s))
                    match self._policy.verdict(response, message.receive_count):
                        case Retry() as retry:
                            return retry
                        case Failure(reason=reason):
                            raise _RequestFailedError(reason, "container_status", response.status)
                    result = await self._results.write(response, request)
            except ContainerTimeoutError as error:
                raise _RequestFailedError(str(error), "timeout") from error
            except InvalidResponseError as error:
                raise _RequestFailedError(str(error), "invalid_result", 200) from error
            fence.release_slot()
            if result is not None:
                await request.put_result(result)
        return None


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
