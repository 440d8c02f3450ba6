"""Any queue: the body of a message is sent to the container; 200 means that the message is done."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import partial

from dequeuer.core import clock
from dequeuer.core.drain import Drain
from dequeuer.core.errors import (
    ContainerTimeoutError,
    ContainerUnavailableError,
    DequeuerError,
    InvalidInputError,
    InvalidResponseError,
    StoreDeniedError,
    StoreMissingError,
    StoreUnavailableError,
)
from dequeuer.core.events import Observer, Posted, ResponseStarted
from dequeuer.core.message import Done, Fence, FinalState, Message, Outcome, Reject, Retry
from dequeuer.handlers.backoff import MAX_BACKOFF_S, backoff_s
from dequeuer.handlers.base import Target
from dequeuer.handlers.queue_api.delivery import BodyFormat, Delivery, delivery_of
from dequeuer.handlers.queue_api.headers import path_of, request_headers
from dequeuer.handlers.queue_api.payloads import Payloads
from dequeuer.handlers.queue_api.pointer import SIZE_ATTRIBUTES, Pointer, is_pointer, pointer_of
from dequeuer.handlers.queue_api.results import QueueResult, QueueResults
from dequeuer.handlers.response_policy import Failure, ResponsePolicy

MAX_BUFFERED_PAYLOAD_BYTES = 64 * 1024
"""Payloads up to this size are read before they are sent; larger ones are streamed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestForm:
    """How requests look.

    Attributes:
        path: of the POST.
        takes_paths: whether the attribute `beanstalk.sqsd.path` of a message replaces `path`.
        content_type: of every body.
        body_format: what bodies are.
    """

    path: str
    takes_paths: bool
    content_type: str
    body_format: BodyFormat


@dataclass(slots=True, kw_only=True)
class _Work:
    """A message that is ready to be sent. `pointer` None: `body` is the body. `result` None: none is kept."""

    path: str
    headers: list[tuple[str, str]]
    body: bytes
    pointer: Pointer | None
    result: QueueResult | None
    has_response: bool = False


class QueueHandler:
    """Sends messages to the container.

    Args:
        form: of the requests.
        target: the container.
        payloads: reads what pointers name; None: pointers are bodies like others.
        results: keeps the responses; None: they are ignored.
        policy: what a response means.
        drain: whether the process stops.
        observer: gets the events of requests and responses.
    """

    def __init__(  # noqa: PLR0913 - one parameter for each collaborator
        self,
        *,
        form: RequestForm,
        target: Target,
        payloads: Payloads | None,
        results: QueueResults | None,
        policy: ResponsePolicy,
        drain: Drain,
        observer: Observer,
    ) -> None:
        self._form = form
        self._target = target
        self._payloads = payloads
        self._results = results
        self._policy = policy
        self._drain = drain
        self._observer = observer

    def needs_slot(self, _message: Message) -> bool:
        """Return True: every message occupies the container."""
        return True

    def ref(self, _message: Message) -> str:
        """Return "": a message has no name but its id, which is logged anyway."""
        return ""

    async def handle(self, message: Message, fence: Fence) -> Outcome:
        """Handle one message."""
        try:
            delivery = delivery_of(message, self._form.body_format)
            if delivery is None:
                return Done(state="succeeded", reason="the test event of S3: the container is not called")
            work = self._prepare(message, delivery, fence)
        except InvalidInputError as error:
            return _poison(message, str(error))
        try:
            return await self._process(message, work, fence)
        except DequeuerError as error:
            return self._outcome_of(error, message, work)

    async def _process(self, message: Message, work: _Work, fence: Fence) -> Outcome:
        if work.result is not None and message.receive_count > 1 and await work.result.exists():
            return self._done("already_finished", work)
        body, size = await self._read(work)
        return await self._attempt(message, work, body, size, fence)

    def _outcome_of(self, error: DequeuerError, message: Message, work: _Work) -> Outcome:
        """Return what an error means for the message. Raises those that are not about it, such as a lost lease."""
        count, policy = message.receive_count, self._policy
        match error:
            case InvalidInputError():
                return _poison(message, str(error))
            case ContainerUnavailableError():
                released = policy.retry_unavailable(error, count, is_draining=self._drain.requested)
                return released or self._failed(message, str(error), "unreachable")
            case ContainerTimeoutError():
                return self._failed(message, str(error), "timeout")
            case InvalidResponseError():
                return self._failed(message, str(error), "invalid_result")
            case StoreMissingError():
                return self._failed(message, "the payload is missing", "missing_payload")
            case StoreUnavailableError():
                return Retry(after_s=backoff_s(count), reason=f"the store is unavailable: {error}")
            case StoreDeniedError() if work.has_response:
                return Retry(after_s=MAX_BACKOFF_S, reason=f"the store refuses the result: {error}")
            case StoreDeniedError() if count < policy.max_attempts:
                return Retry(after_s=backoff_s(count), reason=f"the store refuses the message: {error}")
            case StoreDeniedError():
                return self._failed(message, f"the store refuses the message: {error}", "store_refused")
        raise error

    def _prepare(self, message: Message, delivery: Delivery, fence: Fence) -> _Work:
        """Check a message, without a call. Raises `InvalidInputError` when it can never be sent."""
        form, attributes, pointer = self._form, delivery.attributes, None
        if self._payloads is not None and is_pointer(attributes):
            pointer = pointer_of(delivery.body)
            self._payloads.check(pointer)
            # As the libraries do: the receiver does not see that the body was in S3.
            attributes = {name: value for name, value in attributes.items() if name not in SIZE_ATTRIBUTES}
        try:
            body = b"" if pointer is not None else delivery.body.encode()
        except UnicodeEncodeError:
            raise InvalidInputError("the body is not valid Unicode") from None
        headers = request_headers(message, attributes, content_type=form.content_type)
        return _Work(
            path=path_of(attributes, form.path) if form.takes_paths else form.path,
            headers=headers,
            body=body,
            pointer=pointer,
            result=None if self._results is None else self._results.of(message, fence),
        )

    async def _read(self, work: _Work) -> tuple[bytes | AsyncIterator[bytes], int | None]:
        """Return the body, and its size when it is streamed."""
        if self._payloads is None or work.pointer is None:
            return work.body, None
        payload = await self._payloads.open(work.pointer)
        if payload.size > MAX_BUFFERED_PAYLOAD_BYTES:
            return payload.chunks, payload.size
        return b"".join([chunk async for chunk in payload.chunks]), None

    async def _attempt(
        self,
        message: Message,
        work: _Work,
        body: bytes | AsyncIterator[bytes],
        size: int | None,
        fence: Fence,
    ) -> Outcome:
        loop = asyncio.get_running_loop()
        started = loop.time()
        self._observer(Posted(queued_s=clock.wall() - message.sent_at if message.sent_at else None))
        async with self._target.post(work.path, work.headers, body, size) as response:
            work.has_response = True
            duration_s = loop.time() - started
            self._observer(ResponseStarted(kind="queue", status_code=response.status, duration_s=duration_s))
            match self._policy.verdict(response, message.receive_count):
                case Retry() as retry:
                    return retry
                case Failure(reason=reason):
                    return self._failed(message, reason, "container_status")
            if work.result is None:
                await response.discard()
            else:
                await work.result.read(response)
        if work.result is None:
            return self._done("succeeded", work)
        fence.release_slot()
        await work.result.finish()
        return self._done("completed", work)

    def _done(self, state: FinalState, work: _Work) -> Done:
        if self._payloads is None or work.pointer is None or not self._payloads.deletes:
            return Done(state=state)
        return Done(state=state, after_ack=partial(self._payloads.delete, work.pointer))

    def _failed(self, message: Message, reason: str, code: str) -> Retry | Reject:
        """Return the outcome of a failed attempt. Without a redrive policy `max_attempts` of them end the message."""
        after_s = backoff_s(message.receive_count)
        if message.max_receives is None and message.receive_count < self._policy.max_attempts:
            return Retry(after_s=after_s, reason=reason)
        return Reject(after_s=after_s, reason=reason, code=code)


def _poison(message: Message, reason: str) -> Reject:
    return Reject(after_s=backoff_s(message.receive_count), reason=reason, poison=True, code="invalid_message")


async def fail_message(message: Message, _fence: Fence, reason: str) -> Outcome:
    """Count a failed attempt: `FinalFailure` for a message whose last attempt ended in a bug."""
    return Reject(after_s=backoff_s(message.receive_count), reason=reason, code="bug")
