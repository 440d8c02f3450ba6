"""Messages whose handling ends in a bug: each bug costs one attempt, and the last attempt ends the message."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from dequeuer.core.errors import LeaseLostError, SourceGoneError, StoreDeniedError, StoreUnavailableError, clip
from dequeuer.core.events import BatchEnded, Observer
from dequeuer.core.message import Done, Fence, Message, Outcome, Reject, Retry
from dequeuer.formats.envelope import decode_envelope, is_envelope, request_id_of
from dequeuer.handlers.async_api.failure import failure_body
from dequeuer.handlers.backoff import backoff_s
from dequeuer.handlers.base import Handler
from dequeuer.sinks.base import Store
from dequeuer.sinks.layout import RequestKeys

_log = logging.getLogger(__name__)

FinalFailure = Callable[[Message, Fence, str], Awaitable[Outcome]]
"""Ends a message without the code that has failed. Takes message, fence and reason; an exception is another bug."""


class BugBoundary:
    """`Handler` around another one: a bug costs a message one attempt, and `max_attempts` bugs end it."""

    def __init__(self, handler: Handler, fail: FinalFailure, max_attempts: int) -> None:
        self._handler = handler
        self._fail = fail
        self._max_attempts = max_attempts
        self.needs_slot = handler.needs_slot
        self.ref = handler.ref

    async def handle(self, message: Message, fence: Fence) -> Outcome:
        """Handle a message."""
        try:
            return await self._handler.handle(message, fence)
        except (LeaseLostError, SourceGoneError):
            raise  # no bug: the worker ends the message
        except Exception as error:  # noqa: BLE001 - any other exception is a bug: see above
            reason = f"a bug: {type(error).__name__}"
            if message.receive_count < self._max_attempts:
                _log.exception("a bug: the message is released")
                return Retry(after_s=backoff_s(message.receive_count), reason=reason)
            _log.exception("a bug: the message has used up its attempts")
        return await self._fail(message, fence, reason)


@dataclass(frozen=True, slots=True, kw_only=True)
class FailRequest:
    """`FinalFailure` of the async API: writes `status/failed`, unless the request has a result or a final status."""

    cluster_uid: str
    api_name: str
    store: Store

    async def __call__(self, message: Message, fence: Fence, reason: str) -> Outcome:
        """End the request. While the store cannot be used, the message is released."""
        request_id = request_id_of(message.body)
        if not request_id:
            return Reject(after_s=backoff_s(message.receive_count), reason=reason, poison=True)
        keys = RequestKeys(self.cluster_uid, self.api_name, request_id)
        try:
            return await self._end(message, keys, fence, reason)
        except (StoreUnavailableError, StoreDeniedError) as error:
            return Retry(after_s=backoff_s(message.receive_count), reason=clip(f"{reason}; the store: {error}"))

    async def _end(self, message: Message, keys: RequestKeys, fence: Fence, reason: str) -> Outcome:
        names = set(await self.store.list(keys.prefix))
        if names & {keys.completed, keys.failed}:
            return Done(state="already_finished", reason=reason)
        if keys.result not in names:
            await self._store_payload(message, keys, fence)
            failure = failure_body(reason, None, message.receive_count)
            await self.store.put(keys.failed, failure, "application/json", check=fence.check)
            if keys.result not in await self.store.list(keys.prefix):
                return Done(state="failed", reason=reason)
            # Another delivery has written a result at the same time: the result is kept.
            fence.check()
            await self.store.delete([keys.failed])
        await self.store.put(keys.completed, b"", "text/plain", check=fence.check)
        return Done(state="completed", reason=reason)

    async def _store_payload(self, message: Message, keys: RequestKeys, fence: Fence) -> None:
        """Store the payload of an envelope: otherwise it is lost when its message is deleted."""
        if not is_envelope(message.body):
            return
        try:
            envelope = decode_envelope(message.body)
        except Exception:  # noqa: BLE001 - reading it may be the bug; the failure is stored all the same
            _log.exception("the payload of a failed message could not be read")
            return
        content_type = envelope.content_type or "application/octet-stream"
        await self.store.put(keys.payload, envelope.payload, content_type, check=fence.check)


@dataclass(frozen=True, slots=True, kw_only=True)
class FailBatch:
    """`FinalFailure` of the batch API: a failed attempt."""

    observer: Observer

    async def __call__(self, message: Message, _fence: Fence, reason: str) -> Outcome:
        """Count the failed attempt."""
        self.observer(BatchEnded(succeeded=False, duration_s=0.0))
        return Reject(after_s=backoff_s(message.receive_count), reason=reason, code="bug")
