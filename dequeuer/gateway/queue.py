"""Sends messages to SQS."""

from __future__ import annotations

from typing import Any, Protocol

from dequeuer.core.errors import LeaseLostError, SourceDeniedError, SourceUnavailableError
from dequeuer.gateway.retry import retry_briefly
from dequeuer.sources.sqs.errors import Translate
from dequeuer.sources.sqs.operations import REPEATED


class Queue(Protocol):
    """Queues, each named by its URL."""

    async def send(self, queue_url: str, request_id: str, body: str, *, may_repeat: bool) -> None:
        """Send the message of a request. When this returns, the message is durable.

        `may_repeat`: the queue may already hold a message for the same request.

        Raises `SourceUnavailableError` (after a few attempts), `SourceGoneError`, `SourceDeniedError`.
        """


class SqsClient(Protocol):
    """The one method of an SQS client that is used."""

    async def send_message(self, **request: Any) -> Any:
        """Send one request to SQS."""


class SqsQueue:
    """`Queue` on SQS. FIFO queues and standard ones work."""

    def __init__(self, client: SqsClient, translate: Translate) -> None:
        """Store the client and the translation of its exceptions.

        The client must not retry by itself, and each of its calls must end within seconds.
        """
        self._client = client
        self._translate = translate

    async def send(self, queue_url: str, request_id: str, body: str, *, may_repeat: bool) -> None:
        """Send the message; retry for a few seconds while SQS is unavailable."""
        request: dict[str, Any] = {"QueueUrl": queue_url, "MessageBody": body}
        if may_repeat:
            request["MessageAttributes"] = REPEATED
        if queue_url.endswith(".fifo"):
            # Each request has its own message group, as in Cortex: otherwise requests would wait for each other.
            request |= {"MessageGroupId": request_id, "MessageDeduplicationId": request_id}
        await retry_briefly(SourceUnavailableError, self._send_once, request)

    async def _send_once(self, request: dict[str, Any]) -> None:
        try:
            await self._client.send_message(**request)
        except Exception as error:
            _, translated = self._translate(error)
            if isinstance(translated, LeaseLostError):  # SQS refused a parameter; sending involves no receipt handle
                translated = SourceDeniedError(str(translated))
            raise translated from error
