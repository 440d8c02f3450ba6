"""What a message delivers: its body as it is, or what SNS or S3 have put into it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from dequeuer.core.errors import InvalidInputError
from dequeuer.core.message import Message
from dequeuer.formats.json_reading import object_or_none

BodyFormat: TypeAlias = Literal["raw", "sns", "s3-events"]
"""raw: bodies are not looked at. sns: the notifications of SNS are unwrapped. s3-events: bodies are S3's event
notifications, with or without SNS around them."""

_TEST_EVENT = "s3:TestEvent"
"""S3 sends it when notifications are configured. It has no object."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """The body for the container, and the attributes that belong to it."""

    body: str
    attributes: Mapping[str, str]


def delivery_of(message: Message, body_format: BodyFormat) -> Delivery | None:
    """Return what a message delivers; None for the test event of S3, which nobody has to work on.

    Raises:
        InvalidInputError: the format is `s3-events`, and the body is no event notification.
    """
    delivery = Delivery(body=message.body, attributes=message.attributes)
    if body_format == "raw":
        return delivery
    parsed = object_or_none(delivery.body)
    if (inner := _unwrapped(parsed, message)) is not None:
        delivery, parsed = inner, object_or_none(inner.body) if body_format == "s3-events" else None
    if body_format == "sns":
        return delivery
    if parsed is not None and parsed.get("Event") == _TEST_EVENT:
        return None
    if parsed is None or not isinstance(parsed.get("Records"), list):
        raise InvalidInputError(
            "the message is not an event notification of S3, and DEQUEUER_QUEUE_FORMAT is s3-events"
        )
    return delivery


def _unwrapped(envelope: Mapping[str, object] | None, message: Message) -> Delivery | None:
    """Return what a notification of SNS carries; None: it is none."""
    if envelope is None or envelope.get("Type") != "Notification" or not isinstance(envelope.get("TopicArn"), str):
        return None
    body, published = envelope.get("Message"), envelope.get("MessageAttributes")
    if not isinstance(body, str):
        return None
    attributes = dict(message.attributes)
    for name, one in published.items() if isinstance(published, dict) else ():
        value = one.get("Value") if isinstance(one, dict) else None
        if isinstance(value, str) and str(one.get("Type")).startswith(("String", "Number")):
            attributes[name] = value
    return Delivery(body=body, attributes=attributes)
