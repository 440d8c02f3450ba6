"""Sends single messages to one queue, for what must be durable before the caller goes on."""

from __future__ import annotations

import asyncio

from dequeuer.core import clock
from dequeuer.core.errors import DequeuerError, SourceDeniedError, SourceGoneError
from dequeuer.core.events import Observer, SourceCalled
from dequeuer.sources.sqs.errors import Translate, error_of_send
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
        started = clock.monotonic()
        try:
            async with asyncio.timeout(CALL_TIMEOUT_S):
                await self._client.send_message(QueueUrl=self._queue_url, MessageBody=body)
        except Exception as error:
            kind, translated = self._translate(error)
            self._observer(
                SourceCalled(
                    op="send",
                    messages=0,
                    duration_s=clock.monotonic() - started,
                    error=kind,
                    detail=str(translated),
                    code=translated.code if isinstance(translated, SourceDeniedError) else "",
                )
            )
            raise self._without_end(translated) from error
        self._observer(SourceCalled(op="send", messages=1, duration_s=clock.monotonic() - started, error=None))

    def _without_end(self, error: DequeuerError) -> DequeuerError:
        """Return the error, but none that would end the work: the queue of the requests is still there."""
        if isinstance(error, SourceGoneError):
            return SourceDeniedError(f"the queue {self._queue_url} does not exist", "QueueDoesNotExist")
        return error_of_send(error)
