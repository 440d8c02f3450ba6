"""Sending requests to SQS."""

from __future__ import annotations

from typing import Any, Protocol

from dequeuer.core.errors import LeaseLostError, SourceDeniedError, SourceUnavailableError
from dequeuer.core.message import REPEAT_ATTRIBUTE
from dequeuer.gateway.retry import retry_briefly
from dequeuer.sources.sqs.errors import Translate


class Queue(Protocol):
    """Queues, each named by its URL."""

    async def send(self, queue_url: str, request_id: str, body: str, *, may_repeat: bool) -> None:
        """Send a message about a request; `may_repeat`: it may not be the only one. Returned means durable.

        Raises `SourceUnavailableError` (after some tries), `SourceGoneError`, `SourceDeniedError`.
        """


class SqsClient(Protocol):
    """What is used of a client of SQS."""

    async def send_message(self, **request: Any) -> Any:
        """Make one request."""


class SqsQueue:
    """`Queue` on SQS. FIFO queues and standard ones work."""

    def __init__(self, client: SqsClient, translate: Translate) -> None:
        """Take a client that does not retry by itself, and whose calls end within seconds; its exceptions' map."""
        self._client = client
        self._translate = translate

    async def send(self, queue_url: str, request_id: str, body: str, *, may_repeat: bool) -> None:
        """Send, bridging hiccups of a few seconds."""
        request: dict[str, Any] = {"QueueUrl": queue_url, "MessageBody": body}
        if may_repeat:
            request["MessageAttributes"] = {REPEAT_ATTRIBUTE: {"DataType": "String", "StringValue": "true"}}
        if queue_url.endswith(".fifo"):
            # A group of its own, as in Cortex: requests do not wait for one another.
            request |= {"MessageGroupId": request_id, "MessageDeduplicationId": request_id}
        await retry_briefly(SourceUnavailableError, self._send_once, request)

    async def _send_once(self, request: dict[str, Any]) -> None:
        try:
            await self._client.send_message(**request)
        except Exception as error:
            _, translated = self._translate(error)
            if isinstance(translated, LeaseLostError):  # a parameter is refused: no receipt is involved here
                translated = SourceDeniedError(str(translated))
            raise translated from error
