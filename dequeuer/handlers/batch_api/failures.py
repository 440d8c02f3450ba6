"""Records a batch before the outcome of its handler takes it out of the queue for good."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final

from dequeuer.core.errors import InvalidInputError, SourceDeniedError, SourceGoneError, clip
from dequeuer.core.events import BatchFailed, ItemsFailed, Observer
from dequeuer.core.message import Done, Fence, Message, Outcome, Reject, Retry, is_last_receive
from dequeuer.formats.json_text import is_json_array
from dequeuer.handlers.backoff import MAX_BACKOFF_S
from dequeuer.handlers.base import Handler
from dequeuer.handlers.batch_api.batch import (
    BATCH_INDEX,
    RETRY_NUMBER,
    batch_name,
    count_items,
    number_of,
)
from dequeuer.handlers.batch_api.records import FailureRecords
from dequeuer.handlers.batch_api.results import BatchResults, JobResults

_UNSAFE: Final = re.compile(r"[^A-Za-z0-9-]")


class FailureRecorder:
    """`Handler` around another one: an outcome after which a batch is not delivered again is recorded before it.

    A batch whose last receive ends without an outcome is not recorded: its sidecar was killed, its lease was lost, or
    it was released before its work had ended and the queue did not take it as a new message (`Settler.release_now`).
    It is only in the dead-letter queue.

    A record is named as the objects of the batch, or `message-<id>` when its message names no batch. While the store
    cannot be used, the message is kept. When the queue refuses the message for items that are tried again, these items
    are recorded at the last receive.

    Args:
        handler: the other one.
        is_completion: tells completion messages from batches.
        records: of the job.
        results: of the job, when they are kept: all items of the batch get their error.
        observer: gets `BatchFailed`, and `ItemsFailed` for items that are tried again.
    """

    def __init__(
        self,
        handler: Handler,
        *,
        is_completion: Callable[[Message], bool],
        records: FailureRecords,
        results: JobResults | None,
        observer: Observer,
    ) -> None:
        self._handler = handler
        self._is_completion = is_completion
        self._records = records
        self._results = results
        self._observer = observer
        self.needs_slot = handler.needs_slot
        self.ref = handler.ref

    async def handle(self, message: Message, fence: Fence) -> Outcome:
        """Handle a message."""
        outcome = await self._handler.handle(message, fence)
        if not isinstance(outcome, (Reject, Retry)) or self._is_completion(message):
            return outcome
        is_deleted = message.max_receives is None and isinstance(outcome, Reject)
        if is_deleted or is_last_receive(message):
            return await self._record(message, outcome, fence)
        return outcome

    async def _record(self, message: Message, outcome: Reject | Retry, fence: Fence) -> Outcome:
        code = outcome.code if isinstance(outcome, Reject) else "released"
        error = {"code": code, "message": clip(outcome.reason), "attempts": message.receive_count}
        body = message.body.encode(errors="surrogatepass")
        items = await count_items(body) if is_json_array(body) else 0
        failed = items
        results = await self._results_of(message, body, fence) if items else None
        if results is not None:
            try:
                failed = await results.fail(error)
            except (SourceDeniedError, SourceGoneError) as refused:
                reason = f"{clip(outcome.reason)}; the queue: {refused}"
                return await self._record_unsent(message, results, reason, fence)
            if not failed:
                # Each item has its result or is tried again: an earlier delivery has come that far.
                return Done(state="already_finished", reason=outcome.reason)
        is_retry = bool(number_of(message, RETRY_NUMBER))
        if await self._create(message, failed, error, fence):
            # What is tried again is no batch of the job: its own batch has succeeded already, except for these items.
            self._observer(ItemsFailed(items=failed) if is_retry else BatchFailed())
        return outcome

    async def _record_unsent(self, message: Message, results: BatchResults, reason: str, fence: Fence) -> Outcome:
        """Release a batch of which items have no result and cannot be sent again; at its last receive they failed."""
        if message.max_receives is not None:
            failed = await results.count_missing()
            error = {"code": "released", "message": clip(reason), "attempts": message.receive_count}
            if await self._create(message, failed, error, fence):
                self._observer(ItemsFailed(items=failed))
        return Retry(after_s=MAX_BACKOFF_S, reason=reason)

    async def _create(self, message: Message, items: int, error: Mapping[str, object], fence: Fence) -> bool:
        index, retry_number = number_of(message, BATCH_INDEX), number_of(message, RETRY_NUMBER) or 0
        name = f"message-{_UNSAFE.sub('', message.id)[:64]}" if index is None else batch_name(index, retry_number)
        return await self._records.create(
            name, index=index, retry_number=retry_number, items=items, error=error, fence=fence
        )

    async def _results_of(self, message: Message, body: bytes, fence: Fence) -> BatchResults | None:
        """Return the results of a batch; None when they are not kept, or its message does not say which batch it is."""
        if self._results is None:
            return None
        try:
            return await self._results.begin(message, body, fence)
        except InvalidInputError:
            return None
