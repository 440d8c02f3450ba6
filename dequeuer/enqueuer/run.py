"""Fills the queue of one job. The order of its writes makes a start after a kill at any moment finish the work.

1. `checkpoint.json` says where the next window begins and which files it is made from.
2. The items that were left out in it are stored, then its batches are sent. Back to 1 until there are no more.
3. `checkpoint.json` says that all batches are in the queue, `max_batch_count` how many.
4. The completion message is sent. 5. `payload.json` is deleted: without it there is nothing left to do.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import replace
from typing import Final

from dequeuer.core.errors import FatalError, StoreDeniedError, StoreMissingError, StoreUnavailableError
from dequeuer.core.retry import retry_until_available
from dequeuer.enqueuer.files import SourceBuckets
from dequeuer.enqueuer.model import Batch, EnqueueFaultError, Window
from dequeuer.enqueuer.payload import JobPayload, parse_payload
from dequeuer.enqueuer.progress import Progress
from dequeuer.enqueuer.sources import portions
from dequeuer.enqueuer.survey import counts_bytes, survey
from dequeuer.enqueuer.windows import windows
from dequeuer.jobs.checkpoint import Checkpoint, InvalidCheckpointError, dump_checkpoint, parse_checkpoint
from dequeuer.jobs.enqueue_error import EnqueueError, dump_error, error_fields
from dequeuer.jobs.layout import JobKeys
from dequeuer.sinks.base import Store
from dequeuer.sources.sqs.sending import MessageSender, OutgoingMessage, attributes_size

COMPLETION_BODY: Final = '{"message":"job_complete"}'
_JSON, _TEXT = "application/json", "text/plain"
_LONGEST_INDEX: Final = "9" * 12


class EnqueuerStoppedError(Exception):
    """The process was asked to stop; the checkpoint says where to go on."""


class Enqueuer:
    """Enqueues one job.

    Args:
        store: of the job.
        buckets: of its files.
        sender: of its queue.
        keys: of the job.
        progress: is told what was enqueued.
        should_stop: asked after each window.
    """

    def __init__(  # noqa: PLR0913 - one parameter a part
        self,
        *,
        store: Store,
        buckets: SourceBuckets,
        sender: MessageSender,
        keys: JobKeys,
        progress: Progress,
        should_stop: Callable[[], bool],
    ) -> None:
        self._store = store
        self._buckets = buckets
        self._sender = sender
        self._keys = keys
        self._progress = progress
        self._should_stop = should_stop
        self._attributes = {"api_name": keys.api_name, "job_id": keys.job_id}

    async def run(self) -> int:
        """Enqueue what is not in the queue yet; return the number of batches of the job.

        Raises:
            EnqueuerStoppedError: as `should_stop` says.
            EnqueueFaultError: the job cannot be enqueued.
            FatalError: the queue or the store refuses.
        """
        await self._sender.open()
        text = await self._read(self._keys.payload)
        if text is None:
            return await self._finished_count()
        payload, checkpoint = parse_payload(text), await self._checkpoint()
        self._progress.begin(checkpoint, is_bytes=counts_bytes(payload))
        if not checkpoint.is_complete:
            checkpoint = await self._send_batches(payload, checkpoint)
        await self._put(self._keys.max_batch_count, str(checkpoint.batches).encode(), _TEXT)
        await self._sender.send([self._completion()])
        await self._delete()
        return checkpoint.batches

    async def store_error(self, error: EnqueueError) -> None:
        """Store why the job cannot be enqueued, for its status."""
        await self._put(self._keys.enqueue_error, dump_error(error), _JSON)

    async def _send_batches(self, payload: JobPayload, checkpoint: Checkpoint) -> Checkpoint:
        longest = {**self._attributes, "batch_index": _LONGEST_INDEX, "item_index": _LONGEST_INDEX}
        limit = self._sender.max_message_bytes - attributes_size(longest)
        # Listing takes long for many files: the result is kept in the checkpoint.
        measuring = asyncio.create_task(self._measure(payload), name="survey")
        try:
            return await self._send_windows(payload, checkpoint, limit)
        finally:
            measuring.cancel()
            await asyncio.gather(measuring, return_exceptions=True)

    async def _measure(self, payload: JobPayload) -> None:
        if self._progress.total is None:
            self._progress.total = await survey(payload, self._buckets)

    async def _send_windows(self, payload: JobPayload, checkpoint: Checkpoint, limit: int) -> Checkpoint:
        async with (
            aclosing(portions(payload, self._buckets, checkpoint, limit - len("[]"))) as items,
            aclosing(windows(items, checkpoint, batch_size=payload.batch_size, body_limit=limit)) as made,
            aclosing(_one_ahead(made)) as ready,
        ):
            async for window in ready:
                await self._put_checkpoint(window.before)
                if window.skipped:
                    await self._put_skipped(window)
                await self._sender.send([self._message(batch) for batch in window.batches])
                checkpoint = window.after
                self._progress.add(window)
                if self._should_stop() and not checkpoint.is_complete:
                    await self._put_checkpoint(checkpoint)
                    raise EnqueuerStoppedError
        checkpoint = replace(checkpoint, window=(), is_last=True, is_complete=True)
        await self._put_checkpoint(checkpoint)
        return checkpoint

    def _message(self, batch: Batch) -> OutgoingMessage:
        attributes = {**self._attributes, "batch_index": str(batch.number), "item_index": str(batch.first_item)}
        return OutgoingMessage(f"{self._keys.job_id}-{batch.number}", batch.body, attributes)

    def _completion(self) -> OutgoingMessage:
        return OutgoingMessage(
            f"{self._keys.job_id}-complete", COMPLETION_BODY, {"job_complete": "true", **self._attributes}
        )

    async def _put_checkpoint(self, checkpoint: Checkpoint) -> None:
        known = replace(checkpoint, total=self._progress.total)
        await self._put(self._keys.checkpoint, dump_checkpoint(known), _JSON)

    async def _put_skipped(self, window: Window) -> None:
        lines = [json.dumps({"error": error_fields(skipped.error)}) + "\n" for skipped in window.skipped]
        key = self._keys.skipped(window.before.skipped)
        await self._put(key, "".join(lines).encode(), "application/x-ndjson")

    # Objects of the job. Each call waits while the store is unavailable.

    async def _checkpoint(self) -> Checkpoint:
        text = await self._read(self._keys.checkpoint)
        if text is None:
            return Checkpoint()
        try:
            return parse_checkpoint(text)
        except InvalidCheckpointError as error:
            raise EnqueueFaultError(EnqueueError(message=str(error))) from error

    async def _finished_count(self) -> int:
        text = await self._read(self._keys.max_batch_count)
        if text is None or not text.isdigit():
            raise EnqueueFaultError(EnqueueError(message="the job does not exist: it has no payload.json"))
        return int(text)

    async def _read(self, key: str) -> bytes | None:
        async def read() -> bytes:
            return b"".join([chunk async for chunk in (await self._store.get(key)).chunks])

        try:
            return await retry_until_available(StoreUnavailableError, read)
        except StoreMissingError:
            return None
        except StoreDeniedError as error:
            raise FatalError(f"{key} cannot be read: {error}") from error

    async def _put(self, key: str, body: bytes, content_type: str) -> None:
        try:
            await retry_until_available(StoreUnavailableError, self._store.put, key, body, content_type)
        except StoreDeniedError as error:
            raise FatalError(f"{key} cannot be written: {error}") from error

    async def _delete(self) -> None:
        for key in (self._keys.enqueue_error, self._keys.payload):
            try:
                await retry_until_available(StoreUnavailableError, self._store.delete, [key])
            except StoreDeniedError as error:
                raise FatalError(f"{key} cannot be deleted: {error}") from error


async def _one_ahead(made: AsyncGenerator[Window, None]) -> AsyncGenerator[Window, None]:
    """Yield windows; each is made while the one before is sent."""

    async def next_window() -> Window | None:
        return await anext(made, None)

    coming = asyncio.create_task(next_window(), name="next-window")
    try:
        while (window := await coming) is not None:
            coming = asyncio.create_task(next_window(), name="next-window")
            yield window
    finally:
        coming.cancel()
        await asyncio.gather(coming, return_exceptions=True)
