"""Ends a request whose last attempt ended in a bug: without the handler, which may have the bug."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import partial

from dequeuer.core.errors import StoreDeniedError, StoreUnavailableError, clip
from dequeuer.core.message import Done, Fence, FinalState, Message, Outcome, Reject, Retry
from dequeuer.formats.envelope import decode_envelope, is_envelope, request_id_of
from dequeuer.formats.failure import RequestFailure, encode_failure
from dequeuer.handlers.async_api.request_store import delete_best_effort
from dequeuer.handlers.backoff import backoff_s
from dequeuer.sinks.base import Store
from dequeuer.sinks.layout import RequestKeys

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class FailRequest:
    """`FinalFailure` of the async API: writes `status/failed`, unless the request has a result or a final status.

    The input is deleted as after any other end. If the bug is in the deletion, the end is not changed by that.
    """

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
        if keys.completed in names:
            return self._done("already_finished", reason, keys.payload, keys.headers)
        if keys.failed in names:
            return self._done("already_finished", reason, keys.headers)
        if keys.result not in names:
            await self._store_payload(message, keys, fence)
            failure = encode_failure(RequestFailure(error=reason, code="bug"), message.receive_count)
            await self.store.put(keys.failed, failure, "application/json", check=fence.check)
            if keys.result not in await self.store.list(keys.prefix):
                return self._done("failed", reason, keys.headers)
            # Another delivery has written a result at the same time: the result is kept.
            fence.check()
            await self.store.delete([keys.failed])
        await self.store.put(keys.completed, b"", "text/plain", check=fence.check)
        return self._done("completed", reason, keys.payload, keys.headers)

    def _done(self, state: FinalState, reason: str, *input_keys: str) -> Done:
        """Return the end of the request. `input_keys`: objects that are deleted after the acknowledgement."""
        return Done(state=state, after_ack=partial(delete_best_effort, self.store, input_keys), reason=reason)

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
