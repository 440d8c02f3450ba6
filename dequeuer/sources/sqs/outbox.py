"""Sends single messages to one queue, for what must be durable before the caller goes on."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable

from dequeuer.core import clock
from dequeuer.core.errors import SourceDeniedError, SourceGoneError
from dequeuer.core.events import Observer, SourceCalled, SourceOp
from dequeuer.sources.sqs.errors import Translate, error_of_send, failed_call
from dequeuer.sources.sqs.operations import SqsOperations

CALL_TIMEOUT_S = 10.0


class SqsOutbox:
    """`Outbox` on a standard queue of SQS.

    Args:
        client: open for as long as this is used. It must not retry by itself.
        translate: maps its exceptions.
        queue_url: the queue.
        observer: gets one `SourceCalled` a message.
    """

    def __init__(self, client: SqsOperations, translate: Translate, queue_url: str, observer: Observer) -> None:
        self._client = client
        self._translate = translate
        self._queue_url = queue_url
        self._observer = observer

    async def send(self, body: str) -> None:
        """Send a message. Raises `SourceUnavailableError`, or `SourceDeniedError`: also when there is no queue."""
        sending = self._client.send_message(QueueUrl=self._queue_url, MessageBody=body)
        try:
            await reported("send", sending, self._translate, self._observer)
        except SourceGoneError as error:
            # It would end the work, and the queue of the requests is still there.
            raise SourceDeniedError(f"the queue {self._queue_url} does not exist", "QueueDoesNotExist") from error


async def reported(op: SourceOp, sending: Awaitable[object], translate: Translate, observer: Observer) -> None:
    """Wait for the end of a call that sends one message, for 10 s at most, and report it as `SourceCalled`.

    Raises `SourceUnavailableError`, `SourceDeniedError`, `SourceGoneError`.
    """
    started = clock.monotonic()
    try:
        async with asyncio.timeout(CALL_TIMEOUT_S):
            await sending
    except Exception as error:
        kind, translated = translate(error)
        observer(failed_call(op, kind, translated, duration_s=clock.monotonic() - started))
        raise error_of_send(translated) from error
    observer(SourceCalled(op=op, messages=1, duration_s=clock.monotonic() - started, error=None))
