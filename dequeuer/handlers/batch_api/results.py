"""Results by item: the order of the writes, so that each item has exactly one line, also when messages come twice.

A batch has up to two objects, each created on the condition that there is none. `results/<batch>.jsonl` comes first:
the delivery that creates it decides which items have a result. `errors/<batch>.jsonl` is created when items without a
result have failed for good, or when the answer that made the results is not known any more. Items that are in neither
object are sent again as a batch of their own, with objects of its own (`<batch>-1`). Only then is the message
acknowledged. A delivery that finds the results there takes what follows from the two objects, never from its own
answer. So no item is in two objects, and after a crash between any two calls the next delivery finishes what is left.

A batch that failed for good has an empty results object.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Final, ParamSpec, Protocol, TypeVar

from dequeuer.core.errors import StoreDeniedError, StoreMissingError, StoreUnavailableError
from dequeuer.core.events import ItemsFailed, Observer
from dequeuer.core.message import Fence, Message
from dequeuer.core.retry import retry_until_available
from dequeuer.formats.json_lines import line_indexes
from dequeuer.formats.json_spans import elements
from dequeuer.handlers.base import Response
from dequeuer.handlers.batch_api.answer import Answer, AnswerReader, ItemFailure
from dequeuer.handlers.batch_api.batch import (
    BATCH_INDEX,
    ITEM_INDEXES,
    RETRY_NUMBER,
    Batch,
    batch_name,
    batch_of,
    count_items,
    format_ranges,
)
from dequeuer.handlers.batch_api.records import FailureRecords
from dequeuer.sinks.base import Store
from dequeuer.sinks.layout import OutputKeys
from dequeuer.sources.sqs.sending import OutgoingMessage

P = ParamSpec("P")
T = TypeVar("T")

LINES_TYPE: Final = "application/x-ndjson"
ITEM_FAILED: Final = "item_failed"
"""The code of the error of an item that the container named among its failures."""
_LOST: Final = ItemFailure("the container named this item as failed; its error is lost", retry=True)
_NOT_CREATED: Final = "the object was neither written nor is it there"


class RetrySender(Protocol):
    """Sends messages to the queue of the job. Raises `SourceGoneError`, `SourceDeniedError`."""

    @property
    def max_message_bytes(self) -> int:
        """Limit of a message, as of `open`."""

    async def open(self) -> None:
        """Read the limit. Waits while the queue is unavailable."""

    async def send(self, messages: Sequence[OutgoingMessage]) -> None:
        """Send messages. When this returns, they are in the queue. Waits while it is unavailable."""


class JobResults:
    """The results of one job. `begin` returns the `BatchResults` of one delivery.

    Args:
        store: the bucket of the results.
        keys: of the results.
        sender: of the job's queue.
        api_name: of the job; an attribute of the messages that are sent.
        job_id: of the job; an attribute, too.
        reader: reads the answers of the container.
        max_attempts: how often an item that asks for it is tried.
        records: of the job's batches of which items failed.
        observer: gets `ItemsFailed`.
    """

    def __init__(  # noqa: PLR0913 - one parameter for each collaborator
        self,
        *,
        store: Store,
        keys: OutputKeys,
        sender: RetrySender,
        api_name: str,
        job_id: str,
        reader: AnswerReader,
        max_attempts: int,
        records: FailureRecords,
        observer: Observer,
    ) -> None:
        self.store = store
        self.keys = keys
        self.reader = reader
        self.max_attempts = max_attempts
        self.records = records
        self.observer = observer
        self._sender = sender
        self._attributes = {"api_name": api_name, "job_id": job_id}
        self._job_id = job_id
        self._is_sender_open = False

    async def begin(self, message: Message, body: bytes, fence: Fence) -> BatchResults:
        """Return the results of one delivery. `body`: the items, a JSON array.

        Raises:
            InvalidInputError: the message does not say which items of the job it has.
        """
        return BatchResults(self, batch_of(message, await count_items(body)), body, fence)

    async def max_message_bytes(self) -> int:
        """Return the limit of a message. Raises as `RetrySender`."""
        if not self._is_sender_open:
            await self._sender.open()
            self._is_sender_open = True
        return self._sender.max_message_bytes

    def retry_message(self, batch: Batch, body: bytes, positions: Sequence[int]) -> OutgoingMessage:
        """Return the message with which the items at `positions` of a batch are tried again."""
        wanted = set(positions)
        texts = [body[start:end] for at, (start, end) in enumerate(elements(body, body.index(b"["))) if at in wanted]
        retry_number = batch.retry_number + 1
        attributes = {
            **self._attributes,
            BATCH_INDEX: str(batch.index),
            RETRY_NUMBER: str(retry_number),
            ITEM_INDEXES: format_ranges(batch.items[at] for at in positions),
        }
        text = (b"[" + b",".join(texts) + b"]").decode()
        return OutgoingMessage(f"{self._job_id}-{batch_name(batch.index, retry_number)}", text, attributes)

    async def send(self, message: OutgoingMessage) -> None:
        """Send a message. Raises as `RetrySender`."""
        await self._sender.send([message])


class BatchResults:
    """The results of one delivery of a batch.

    While the store is unavailable, methods wait. A large answer is the exception: it is written in one attempt, and
    `read` raises `StoreUnavailableError`. `StoreDeniedError` is raised until the answer is read; `finish`, `fail`, and
    `has_ended` once it has found results, wait for the end of a refusal, too. Methods raise `LeaseLostError` at any
    time, and the errors of `RetrySender`.
    """

    def __init__(self, job: JobResults, batch: Batch, body: bytes, fence: Fence) -> None:
        self._job = job
        self._batch = batch
        self._body = body
        self._fence = fence
        self._results = job.keys.results(batch.name)
        self._errors = job.keys.errors(batch.name)
        self._retry_on: tuple[type[Exception], ...] = (StoreUnavailableError,)

    @property
    def is_retry(self) -> bool:
        """Whether these are items of a batch that are tried again."""
        return self._batch.retry_number > 0

    async def has_ended(self) -> bool:
        """Finish what an earlier delivery has left undone; return False when the container must be called."""
        if not await self._exists(self._results):
            return False
        self._wait_for_refusals()
        await self._settle_rest(None)
        return True

    async def read(self, response: Response) -> Answer:
        """Read an answer, and store one that does not stay in memory. `finish` must follow.

        Raises:
            InvalidResponseError, ContainerUnavailableError, ContainerTimeoutError: nothing is stored.
        """
        answer = await self._job.reader.read(response, self._batch.items)
        if answer.stream is None:
            return answer
        try:
            answer.is_ours = await self._put_stream(answer.stream)
        except BaseException:
            self._job.reader.release(answer)
            raise
        return answer

    async def _put_stream(self, lines: AsyncIterator[bytes]) -> bool:
        """Write lines in one attempt: they can be read only once, and the container cannot wait while S3 refuses."""
        check = self._fence.check
        is_written = await self._job.store.put_stream(self._results, lines, LINES_TYPE, check=check)
        if not is_written and not await self._exists(self._results):
            raise StoreUnavailableError(_NOT_CREATED)
        return is_written

    async def finish(self, answer: Answer) -> None:
        """Store what is not stored yet, and send again what is to be tried again."""
        self._wait_for_refusals()
        try:
            is_ours = answer.is_ours
            if answer.stream is None:
                is_ours = await self._create(self._results, answer.lines)
        finally:
            self._job.reader.release(answer)
        if not is_ours or answer.failures:
            await self._settle_rest(answer.failures if is_ours else None)

    async def fail(self, error: Mapping[str, object]) -> int:
        """Store that the batch failed for good; return how many of its items did.

        When another delivery has created one of the objects before, that object decides: items may have results, or
        are tried again.
        """
        self._wait_for_refusals()
        items = self._batch.items
        if await self._create(self._results, b"") and await self._create(
            self._errors, _error_lines(dict.fromkeys(items, error))
        ):
            return len(items)
        return await self._settle_rest(None)

    async def count_missing(self) -> int:
        """Return how many items have no result."""
        stored = await self._indexes(self._results)
        return sum(item not in stored for item in self._batch.items)

    async def _settle_rest(self, failures: Mapping[int, ItemFailure] | None) -> int:
        """Decide about the items without a result; return how many failed for good.

        `failures`: of the answer that made the results; None: not known.
        """
        items = self._batch.items
        stored = await self._indexes(self._results)
        rest = [at for at, item in enumerate(items) if item not in stored]
        if not rest:
            return 0
        failed = 0
        final = await self._final(rest, failures)
        if final or failures is None:
            # Created also when it is empty. Without it, the delivery that has the answer could still record these items
            # as failed, while this one sends them again.
            if await self._create(self._errors, _error_lines({items[at]: final[at] for at in final})):
                decided = {items[at] for at in final}
            else:
                decided = await self._indexes(self._errors)
            if failed := sum(items[at] in decided for at in rest):
                await self._record(failed)
            rest = [at for at in rest if items[at] not in decided]
        if rest:
            self._fence.check()
            await self._job.send(self._job.retry_message(self._batch, self._body, rest))
        return failed

    async def _record(self, failed: int) -> None:
        batch = self._batch
        attempts = batch.retry_number + 1
        error = {"code": ITEM_FAILED, "message": "the container named items as failed", "attempts": attempts}
        if await self._job.records.create(
            batch.name,
            index=batch.index,
            retry_number=batch.retry_number,
            items=failed,
            error=error,
            fence=self._fence,
        ):
            self._job.observer(ItemsFailed(items=failed))

    async def _final(
        self, rest: Sequence[int], failures: Mapping[int, ItemFailure] | None
    ) -> Mapping[int, Mapping[str, object]]:
        """Return the errors of the items that are not tried again, by position."""
        attempts = self._batch.retry_number + 1
        known = {at: (failures or {}).get(at, _LOST) for at in rest}
        again = [at for at in rest if known[at].retry] if attempts < self._job.max_attempts else []
        if again:
            message = self._job.retry_message(self._batch, self._body, again)
            if message.size > await self._job.max_message_bytes():
                again = []
        kept = set(again)
        return {
            at: {"code": ITEM_FAILED, "message": known[at].message, "attempts": attempts}
            for at in rest
            if at not in kept
        }

    # Calls of the store

    def _wait_for_refusals(self) -> None:
        """From now on also wait until a refusal of the store is over: the container's work would be lost."""
        self._retry_on = (StoreUnavailableError, StoreDeniedError)

    async def _call(self, call: Callable[P, Awaitable[T]], /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await retry_until_available(self._retry_on, call, *args, **kwargs)

    async def _exists(self, key: str) -> bool:
        return key in await self._call(self._job.store.list, key)

    async def _create(self, key: str, body: bytes) -> bool:
        """Write an object unless it is there; return whether it was written."""
        return await self._call(self._create_once, key, body)

    async def _create_once(self, key: str, body: bytes) -> bool:
        is_written = await self._job.store.create(key, body, LINES_TYPE, check=self._fence.check)
        # The store can also refuse because two deliveries write at the same time and neither has won: then try again.
        if not is_written and key not in await self._job.store.list(key):
            raise StoreUnavailableError(_NOT_CREATED)
        return is_written

    async def _indexes(self, key: str) -> set[int]:
        async def read() -> set[int]:
            try:
                return await line_indexes((await self._job.store.get(key)).chunks)
            except StoreMissingError:
                return set()

        return await self._call(read)


def _error_lines(errors: Mapping[int, Mapping[str, object]]) -> bytes:
    lines = (json.dumps({"index": item, "error": error}, separators=(",", ":")) for item, error in errors.items())
    return "".join(f"{line}\n" for line in lines).encode()
