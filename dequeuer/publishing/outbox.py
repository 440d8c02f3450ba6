"""`Outbox` of events on a topic of SNS, and on a bus of EventBridge."""

from __future__ import annotations

from typing import Final

from dequeuer.core.errors import SourceUnavailableError
from dequeuer.core.events import Observer
from dequeuer.formats.json_reading import object_or_none
from dequeuer.publishing.operations import EventBusOperations, PublishingError, SnsOperations
from dequeuer.sources.sqs.errors import Translate
from dequeuer.sources.sqs.outbox import reported

SOURCE: Final = "dequeuer"
"""Of the events of EventBridge: what rules filter by, besides the type."""


class TopicOutbox:
    """Publishes to a standard topic. Subscriptions can filter by the attributes `type` and `api_name`.

    Args:
        client: open for as long as this is used. It must not retry by itself.
        translate: maps its exceptions.
        topic_arn: the topic.
        api_name: of the requests.
        observer: gets one `SourceCalled` a message.
    """

    def __init__(
        self, client: SnsOperations, translate: Translate, topic_arn: str, api_name: str, observer: Observer
    ) -> None:
        self._client = client
        self._translate = translate
        self._topic_arn = topic_arn
        self._api_name = api_name
        self._observer = observer

    async def send(self, body: str) -> None:
        """Publish the body of a webhook. Raises `SourceUnavailableError`, `SourceDeniedError`: also without a topic."""
        attributes = {"type": type_of(body), "api_name": self._api_name}
        publishing = self._client.publish(
            TopicArn=self._topic_arn,
            Message=body,
            MessageAttributes={name: {"DataType": "String", "StringValue": text} for name, text in attributes.items()},
        )
        await reported("publish", publishing, self._translate, self._observer)


class BusOutbox:
    """Puts events on a bus: the type of the body is the detail type, the body is the detail.

    Args:
        client: open for as long as this is used. It must not retry by itself.
        translate: maps its exceptions.
        bus_arn: the bus.
        observer: gets one `SourceCalled` a message.
    """

    def __init__(self, client: EventBusOperations, translate: Translate, bus_arn: str, observer: Observer) -> None:
        self._client = client
        self._translate = translate
        self._bus_arn = bus_arn
        self._observer = observer

    async def send(self, body: str) -> None:
        """Put the body of a webhook. Raises `SourceUnavailableError`, or `SourceDeniedError`: also without a bus."""
        await reported("put_events", self._put(body), self._translate, self._observer)

    async def _put(self, body: str) -> None:
        entry = {"Source": SOURCE, "DetailType": type_of(body), "Detail": body, "EventBusName": self._bus_arn}
        response = await self._client.put_events(Entries=[entry])
        if response.get("FailedEntryCount") == 0:
            return
        # The request is accepted although its entry is not: status 200, and the error inside.
        match response.get("Entries"):
            case [{"ErrorCode": str(code)} as result, *_]:
                raise PublishingError(400, code, str(result.get("ErrorMessage", "")))
        raise SourceUnavailableError("EventBridge does not say that it has taken the event")


def type_of(body: str) -> str:
    """Return the type of the body of a webhook."""
    return str((object_or_none(body) or {}).get("type", ""))
