"""Sending requests to SQS."""

from __future__ import annotations

from typing import Any, Protocol

from aiohttp import ClientError as HttpClientError
from botocore.exceptions import BotoCoreError, ClientError

from dequeuer.errors import LeaseLostError, SourceDeniedError, SourceUnavailableError
from dequeuer.gateway.patience import briefly
from dequeuer.message import REPEAT_ATTRIBUTE
from dequeuer.sources.sqs_sdk import translate


class Queue(Protocol):
    """Queues, each named by its URL."""

    async def send(self, queue_url: str, request_id: str, body: str, *, may_repeat: bool) -> None:
        """Send a message about a request; `may_repeat`: it may not be the only one. Returned means durable.

        Raises `SourceUnavailableError` (after some tries), `SourceGoneError`, `SourceDeniedError`.
        """


class SqsClient(Protocol):
    """What is used of the SDK's client."""

    async def send_message(self, **request: Any) -> Any:
        """Make one request."""


class SqsQueue:
    """`Queue` on SQS. FIFO queues and standard ones work."""

    def __init__(self, client: SqsClient) -> None:
        """Take a client that does not retry by itself, and whose calls end within seconds."""
        self._client = client

    async def send(self, queue_url: str, request_id: str, body: str, *, may_repeat: bool) -> None:
        """Send, bridging hiccups of a few seconds."""
        request: dict[str, Any] = {"QueueUrl": queue_url, "MessageBody": body}
        if may_repeat:
            request["MessageAttributes"] = {REPEAT_ATTRIBUTE: {"DataType": "String", "StringValue": "true"}}
        if queue_url.endswith(".fifo"):
            # A group of its own, as in Cortex: requests do not wait for one another.
            request |= {"MessageGroupId": request_id, "MessageDeduplicationId": request_id}
        await briefly(SourceUnavailableError, self._send_once, request)

    async def _send_once(self, request: dict[str, Any]) -> None:
        try:
            await self._client.send_message(**request)
        except (ClientError, BotoCoreError, HttpClientError, OSError) as error:
            # OSError includes the time-outs and connection errors of asyncio.
            _, translated = translate(error)
            if isinstance(translated, LeaseLostError):  # a parameter is refused: no receipt is involved here
                translated = SourceDeniedError(str(translated))
            raise translated from error
