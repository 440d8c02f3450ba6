"""Sends messages to SQS."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final, Protocol

from dequeuer.core.errors import SourceDeniedError, SourceUnavailableError
from dequeuer.core.events import Observer, ignore
from dequeuer.gateway.retry import retry_briefly
from dequeuer.sources.sqs.errors import Translate
from dequeuer.sources.sqs.operations import REPEATED
from dequeuer.sources.sqs.outbox import reported

NO_ATTRIBUTES: Final[Mapping[str, str]] = MappingProxyType({})

_GROUP: Final = "MessageGroupId"


class GroupsRefusedError(SourceDeniedError):
    """The queue takes no message groups: older servers know them for FIFO queues only."""


class Queue(Protocol):
    """Queues, each named by its URL."""

    async def send(  # noqa: PLR0913 - what a message consists of
        self,
        queue_url: str,
        request_id: str,
        body: str,
        *,
        may_repeat: bool,
        attributes: Mapping[str, str] = NO_ATTRIBUTES,
        group: str = "",
    ) -> None:
        """Send the message of a request. When this returns, the message is durable.

        Args:
            queue_url: where to.
            request_id: of the request.
            body: of the message.
            may_repeat: the queue may already hold a message for the same request.
            attributes: of the message, texts by name.
            group: whose message it is, in a standard queue; "": nobody's.

        Raises `SourceUnavailableError` (after a few attempts), `SourceGoneError`, `SourceDeniedError`,
        `GroupsRefusedError`.
        """


class SqsClient(Protocol):
    """The one method of an SQS client that is used."""

    async def send_message(self, **request: Any) -> Any:
        """Send one request to SQS."""


class SqsQueue:
    """`Queue` on SQS. FIFO queues and standard ones work."""

    def __init__(self, client: SqsClient, translate: Translate, observer: Observer = ignore) -> None:
        """Store the client, the translation of its exceptions, and who gets a `SourceCalled` for each call.

        The client must not retry by itself.
        """
        self._client = client
        self._translate = translate
        self._observer = observer

    async def send(  # noqa: PLR0913 - what a message consists of
        self,
        queue_url: str,
        request_id: str,
        body: str,
        *,
        may_repeat: bool,
        attributes: Mapping[str, str] = NO_ATTRIBUTES,
        group: str = "",
    ) -> None:
        """Send the message; retry for a few seconds while SQS is unavailable."""
        request: dict[str, Any] = {"QueueUrl": queue_url, "MessageBody": body}
        all_attributes: dict[str, object] = {
            name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()
        }
        if may_repeat:
            all_attributes |= REPEATED
        if all_attributes:
            request["MessageAttributes"] = all_attributes
        is_fifo = queue_url.endswith(".fifo")
        is_grouped = bool(group) and not is_fifo
        if is_fifo:
            # Each request has its own message group, as in Cortex: otherwise requests would wait for each other.
            request |= {_GROUP: request_id, "MessageDeduplicationId": request_id}
        elif is_grouped:
            request[_GROUP] = group
        await retry_briefly(SourceUnavailableError, self._send_once, request, is_grouped)

    async def _send_once(self, request: Mapping[str, Any], is_grouped: bool) -> None:  # noqa: FBT001 - for `retry_briefly`
        try:
            await reported("send", self._client.send_message(**request), self._translate, self._observer)
        except SourceDeniedError as error:
            # The text names the parameter; the code is that of any parameter that is refused.
            if is_grouped and _GROUP in str(error):
                raise GroupsRefusedError(str(error), error.code) from error
            raise
