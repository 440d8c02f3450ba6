"""The async API: a message names a request in the store; its answer goes back there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Self

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
from dequeuer.core.message import REPEAT_ATTRIBUTE, Fence, Message, Outcome, Reject, Retry
from dequeuer.formats.envelope import decode_envelope, is_envelope, request_id_of
from dequeuer.handlers.async_api.ending import RequestEnding
from dequeuer.handlers.async_api.inline import InlineRequest
from dequeuer.handlers.async_api.request_store import RequestStore, Submitted
from dequeuer.handlers.async_api.result import ResultWriter
from dequeuer.handlers.backoff import MAX_BACKOFF_S, backoff_s
from dequeuer.handlers.base import Target
from dequeuer.handlers.response_policy import ResponsePolicy
from dequeuer.sinks.base import Store
from dequeuer.sinks.layout import RequestKeys, is_request_id

REQUEST_ID_HEADER = "X-Cortex-Request-ID"
INLINE_BYTES = 64 * 1024
"""Payloads up to this size are read before they are sent; larger ones are streamed."""


class _FailedError(Exception):
    """The request has failed for good; carries the HTTP status where there was one."""

    def __init__(self, error: str, status_code: int | None = None) -> None:
        super().__init__(error)
        self.status_code = status_code


class AsyncHandler:
    """Reads the request, sends it to the container, stores the answer and the status."""

    def __init__(  # noqa: PLR0913 - one parameter a party
        self,
        *,
        cluster_uid: str,
        api_name: str,
        store: Store,
        target: Target,
        results: ResultWriter,
        policy: ResponsePolicy,
        drain: Drain,
        observer: Observer,
    ) -> None:
        self._cluster_uid = cluster_uid
        self._api_name = api_name
        self._store = store
        self._target = target
        self._results = results
        self._policy = policy
        self._drain = drain
        self._observer = observer

    def needs_slot(self, _message: Message) -> bool:
        """Every request occupies the container."""
        return True

    def ref(self, message: Message) -> str:
        """The request id, when it is one."""
        request_id = request_id_of(message.body)
        return request_id if is_request_id(request_id) else ""

    async def handle(self, message: Message, fence: Fence) -> Outcome:
        """Work on one request."""
        try:
            request = self._open(message, fence)
        except InvalidInputError as error:
            return Reject(after_s=backoff_s(message.receive_count), reason=str(error), poison=True)
        try:
            return await self._conclude(message, request, RequestEnding(message, request, fence.asked_at), fence)
        except StoreUnavailableError as error:
            return Retry(after_s=backoff_s(message.receive_count), reason=f"the store is away: {error}")
        except StoreDeniedError as error:
            return await self._refused(message, request, fence, error)

    async def _refused(self, message: Message, request: RequestStore, fence: Fence, error: StoreDeniedError) -> Outcome:
        """Release what cannot be read, or what was answered and is too large to be kept; fail it in the end.

        When the failure cannot be written either the message stays in the queue.
        """
        reason = f"the store refuses: {error}"
        if message.receive_count >= self._policy.max_attempts:
            try:
                return await RequestEnding(message, request, fence.asked_at).failed(reason, None)
            except (StoreDeniedError, StoreUnavailableError):
                pass
        return Retry(after_s=MAX_BACKOFF_S if request.has_response else backoff_s(message.receive_count), reason=reason)

    def _open(self, message: Message, fence: Fence) -> RequestStore:
        """Find out which request a message is about; raises `InvalidInputError` when it is about none."""
        envelope = decode_envelope(message.body) if is_envelope(message.body) else None
        request_id = message.body if envelope is None else envelope.request_id
        if not is_request_id(request_id):
            # Of an envelope nothing is quoted: it holds a payload and headers.
            what = clip(request_id) if envelope is None else "that of an envelope"
            raise InvalidInputError(f"the message is not a request id: {what}")
        keys = RequestKeys(self._cluster_uid, self._api_name, request_id)
        if envelope is None:
            return RequestStore(self._store, keys, fence, may_repeat=message.attributes.get(REPEAT_ATTRIBUTE) == "true")
        return InlineRequest(self._store, keys, fence, envelope)

    async def _conclude(
        self, message: Message, request: RequestStore, conclusion: RequestEnding, fence: Fence
    ) -> Outcome:
        try:
            return await self._work(message, request, conclusion, fence)
        except _FailedError as error:
            return await conclusion.failed(str(error), error.status_code)
        except ContainerUnavailableError as error:
            if self._drain.requested:
                # The pod is going down, its container too: somebody else's turn, at once and unpunished.
                return Retry(after_s=0, reason=str(error))
            if error.counts and message.receive_count >= self._policy.max_attempts:
                return await conclusion.failed(str(error), None)
            return Retry(after_s=backoff_s(message.receive_count), reason=str(error), container_unavailable=True)

    async def _work(self, message: Message, request: RequestStore, conclusion: RequestEnding, fence: Fence) -> Outcome:
        if (message.receive_count > 1 or request.may_be_duplicate) and (known := await request.known()):
            return await conclusion.found(known)
        try:
            submitted = await request.read()
            # Headers go once a request has failed: without them it may be a duplicate of finished work.
            if submitted.headers is None and (known := await request.known()):
                return await conclusion.found(known)
            return await self._send(message, request, submitted, fence) or await conclusion.completed()
        except StoreMissingError:
            if known := await request.known():
                return await conclusion.found(known)
            raise _FailedError("the payload is missing") from None
        except InvalidInputError as error:
            raise _FailedError(str(error)) from error

    async def _send(self, message: Message, request: RequestStore, submitted: Submitted, fence: Fence) -> Retry | None:
        """Have the container work and store its result; an outcome only when it said "not now"."""
        payload = submitted.payload
        headers = list(submitted.headers or ())
        if payload.content_type and not any(name.lower() == "content-type" for name, _ in headers):
            headers.append(("Content-Type", payload.content_type))
        headers.append((REQUEST_ID_HEADER, request.request_id))
        body: bytes | AsyncIterator[bytes] = payload.chunks
        if payload.size <= INLINE_BYTES:
            body = b"".join([chunk async for chunk in payload.chunks])
        with _InProgress(request, self._policy.in_progress_after_s) as work:
            self._observer(Posted(queued_s=clock.wall() - message.sent_at if message.sent_at else None))
            try:
                async with self._target.post("/", headers, body, payload.size) as answer:
                    request.keep()
                    duration_s = work.lasted_s()
                    self._observer(ResponseStarted(kind="async", status_code=answer.status, duration_s=duration_s))
                    if retry := self._policy.not_now(answer, message.receive_count):
                        return retry
                    if answer.status != 200:
                        raise _FailedError(f"the container answered {answer.status}, not 200", answer.status)
                    result = await self._results.write(answer, request)
            except ContainerTimeoutError as error:
                raise _FailedError(str(error)) from error
            except InvalidResponseError as error:
                raise _FailedError(str(error), 200) from error
            fence.release_slot()
            if result is not None:
                await request.put_result(result)
        return None


class _InProgress:
    """Writes `status/in_progress` if the body still runs after a moment; short work saves the request."""

    __slots__ = ("_loop", "_request", "_started", "_timer", "_writing")

    def __init__(self, request: RequestStore, after_s: float) -> None:
        self._request = request
        self._writing: asyncio.Task[None] | None = None
        self._loop = loop = asyncio.get_running_loop()
        self._started = loop.time()
        self._timer = loop.call_later(after_s, self._begin)

    def lasted_s(self) -> float:
        """Return how long it has taken so far."""
        return self._loop.time() - self._started

    def _begin(self) -> None:
        self._writing = self._loop.create_task(_quietly(self._request), name="in-progress")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        if self._writing is not None:
            self._writing.cancel()


async def _quietly(request: RequestStore) -> None:
    try:
        await request.mark_in_progress()
    except (StoreUnavailableError, StoreDeniedError, LeaseLostError):
        # It only informs whoever looks meanwhile; the store has reported the failure.
        return
