"""Sends many messages to a queue: ten in a request, some requests at a time, every entry judged."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple, Protocol

from dequeuer.core import clock
from dequeuer.core.errors import SourceUnavailableError
from dequeuer.core.events import Observer, SourceCalled, SourceOp
from dequeuer.core.queue_limits import MAX_BATCH_SIZE
from dequeuer.core.retry import Backoff, retry_until_available
from dequeuer.sources.sqs.errors import Translate, error_of_send, from_code
from dequeuer.sources.sqs.operations import Json, SendOperations, entry_id, number, objects

MAX_REQUESTS: Final = 16
"""In flight at a time."""
CALL_TIMEOUT_S: Final = 30.0
BACKOFF: Final = Backoff(initial_s=0.2, max_s=10.0)
DEFAULT_MAX_MESSAGE_BYTES: Final = 256 * 1024
"""Of queues that do not tell their limit."""


class OutgoingMessage(NamedTuple):
    """A message to be sent.

    Attributes:
        id: FIFO queues take it as the group and for deduplication: sent again within five minutes, it is there once.
        body: text without characters that SQS refuses.
        attributes: texts by name.
    """

    id: str
    body: str
    attributes: Mapping[str, str]

    @property
    def size(self) -> int:
        """Bytes that SQS counts."""
        return len(self.body.encode()) + attributes_size(self.attributes)


def attributes_size(attributes: Mapping[str, str]) -> int:
    """Return how many bytes of a message its attributes take."""
    return sum(len(name) + len("String") + len(value.encode()) for name, value in attributes.items())


class MessageSender:
    """Sends messages to one queue.

    Args:
        client: open for as long as this is used. It must not retry by itself.
        translate: maps its exceptions.
        queue_url: the queue; a name that ends in `.fifo` is a FIFO queue.
        observer: gets one `SourceCalled` a request.
    """

    def __init__(self, client: SendOperations, translate: Translate, queue_url: str, observer: Observer) -> None:
        self._client = client
        self._translate = translate
        self._queue_url = queue_url
        self._is_fifo = queue_url.endswith(".fifo")
        self._observer = observer
        self._max_bytes = DEFAULT_MAX_MESSAGE_BYTES

    @property
    def max_message_bytes(self) -> int:
        """The queue's own limit of body and attributes, as of `open`; also that of a request together."""
        return self._max_bytes

    async def open(self) -> None:
        """Read the limit of the queue. Waits while it is unavailable. Raises `SourceGoneError`, `SourceDeniedError`."""
        response = await retry_until_available(SourceUnavailableError, self._read_attributes)
        attributes = response.get("Attributes")
        told = number(attributes.get("MaximumMessageSize")) if isinstance(attributes, Mapping) else None
        self._max_bytes = told or DEFAULT_MAX_MESSAGE_BYTES

    async def send(self, messages: Sequence[OutgoingMessage]) -> None:
        """Send messages, in any order. When this returns, all of them are in the queue.

        It waits without limit while the queue is unavailable or throttles. A message that may have been sent is sent
        again.

        Raises:
            SourceGoneError: there is no such queue.
            SourceDeniedError: it refuses a message, or all.
        """
        requests = self._packed(messages)

        async def work() -> None:
            for request in requests:
                await self._deliver(request)

        workers = [asyncio.create_task(work(), name="send") for _ in range(MAX_REQUESTS)]
        try:
            await asyncio.gather(*workers)
        finally:
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)

    def _packed(self, messages: Sequence[OutgoingMessage]) -> Iterator[list[OutgoingMessage]]:
        """Yield the messages of each request: ten at most, and together no larger than one may be."""
        request: list[OutgoingMessage] = []
        total = 0
        for message in messages:
            size = message.size
            if request and (len(request) == MAX_BATCH_SIZE or total + size > self._max_bytes):
                yield request
                request, total = [], 0
            request.append(message)
            total += size
        if request:
            yield request

    async def _deliver(self, messages: list[OutgoingMessage]) -> None:
        failures = 0
        while True:
            messages = await self._attempt(messages)
            if not messages:
                return
            await asyncio.sleep(BACKOFF.pause_s(failures))
            failures += 1

    async def _attempt(self, messages: list[OutgoingMessage]) -> list[OutgoingMessage]:
        """Send messages once; return those that are to be sent again."""
        entries = [self._entry(str(at), message) for at, message in enumerate(messages)]
        try:
            response = await self._call("send", len(messages), self._client.send_message_batch, Entries=entries)
        except SourceUnavailableError:
            return messages
        sent = {entry_id(entry) for entry in objects(response, "Successful")}
        for entry in objects(response, "Failed"):
            self._judge(entry)
        return [message for at, message in enumerate(messages) if str(at) not in sent]

    def _judge(self, entry: Json) -> None:
        """Report an entry that failed. Raises when sending it again does not help."""
        code = str(entry.get("Code", ""))
        # A fault of the sender is one of a request with status 400, unless the code says that it passes.
        status = 400 if entry.get("SenderFault") is True else 500
        kind, error = from_code(code, f"{code}: {entry.get('Message', '')}", status, self._queue_url)
        error = error_of_send(error)
        self._observer(SourceCalled(op="send", messages=0, duration_s=0.0, error=kind, detail=str(error), code=code))
        if not isinstance(error, SourceUnavailableError):
            raise error

    def _entry(self, entry_name: str, message: OutgoingMessage) -> dict[str, object]:
        entry: dict[str, object] = {
            "Id": entry_name,
            "MessageBody": message.body,
            "MessageAttributes": {
                name: {"DataType": "String", "StringValue": value} for name, value in message.attributes.items()
            },
        }
        if self._is_fifo:
            entry |= {"MessageGroupId": message.id, "MessageDeduplicationId": message.id}
        return entry

    async def _read_attributes(self) -> Json:
        names = ["MaximumMessageSize"]
        return await self._call("depth", 0, self._client.get_queue_attributes, AttributeNames=names)

    async def _call(self, op: SourceOp, messages: int, operation: _Operation, **request: object) -> Json:
        started = clock.monotonic()
        try:
            async with asyncio.timeout(CALL_TIMEOUT_S):
                response = await operation(QueueUrl=self._queue_url, **request)
        except Exception as error:
            kind, translated = self._translate(error)
            translated = error_of_send(translated)
            self._observer(
                SourceCalled(
                    op=op,
                    messages=messages,
                    duration_s=clock.monotonic() - started,
                    error=kind,
                    detail=str(translated),
                    code=getattr(translated, "code", ""),
                )
            )
            raise translated from error
        self._observer(SourceCalled(op=op, messages=messages, duration_s=clock.monotonic() - started, error=None))
        return response


class _Operation(Protocol):
    async def __call__(self, **request: object) -> Json: ...
