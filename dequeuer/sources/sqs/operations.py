"""The SQS operations that are used, and reading fields of their responses, which are untrusted input."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, Protocol, TypeAlias

from dequeuer.core.errors import SourceUnavailableError
from dequeuer.core.message import REPEAT_ATTRIBUTE
from dequeuer.sources.base import Depth

_NUMBER = re.compile(r"[0-9]{1,15}\Z")

Json: TypeAlias = Mapping[str, Any]

DEPTH_ATTRIBUTES: Final = (
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible",
    "ApproximateNumberOfMessagesDelayed",
)
"""What `depth_of` needs."""
REPEATED: Final = {REPEAT_ATTRIBUTE: {"DataType": "String", "StringValue": "true"}}
"""The attribute of a message that may be sent more than once."""


class SqsOperations(Protocol):
    """The operations, named and called as in the SDK's client. Responses are JSON objects."""

    async def receive_message(self, **request: object) -> Json: ...  # noqa: D102 - the SDK documents it
    async def delete_message_batch(self, **request: object) -> Json: ...  # noqa: D102 - the SDK documents it
    async def change_message_visibility_batch(self, **request: object) -> Json: ...  # noqa: D102 - the SDK documents it
    async def get_queue_attributes(self, **request: object) -> Json: ...  # noqa: D102 - the SDK documents it
    async def send_message(self, **request: object) -> Json: ...  # noqa: D102 - the SDK documents it


class SendOperations(Protocol):
    """The operations that sending many messages needs; see `SqsOperations`."""

    async def send_message_batch(self, **request: object) -> Json: ...  # noqa: D102 - the SDK documents it
    async def get_queue_attributes(self, **request: object) -> Json: ...  # noqa: D102 - the SDK documents it


class QueueManagement(Protocol):
    """The operations on whole queues, named and called as in the SDK's client. Names are of one region."""

    async def create_queue(self, **request: object) -> Json: ...  # noqa: D102 - the SDK documents it
    async def get_queue_url(self, **request: object) -> Json: ...  # noqa: D102 - the SDK documents it
    async def get_queue_attributes(self, **request: object) -> Json: ...  # noqa: D102 - the SDK documents it
    async def purge_queue(self, **request: object) -> Json: ...  # noqa: D102 - the SDK documents it
    async def delete_queue(self, **request: object) -> Json: ...  # noqa: D102 - the SDK documents it


class QueueSetUp(Protocol):
    """The operations on the settings of queues; see `QueueManagement`."""

    async def get_queue_attributes(self, **request: object) -> Json: ...  # noqa: D102 - the SDK documents it
    async def set_queue_attributes(self, **request: object) -> Json: ...  # noqa: D102 - the SDK documents it
    async def list_queue_tags(self, **request: object) -> Json: ...  # noqa: D102 - the SDK documents it
    async def tag_queue(self, **request: object) -> Json: ...  # noqa: D102 - the SDK documents it


class SqsClient(SqsOperations, SendOperations, QueueManagement, Protocol):
    """The operations of programs that work. Each caller takes the protocol that it needs."""


class QueueAdministration(QueueManagement, QueueSetUp, Protocol):
    """All operations on whole queues."""


class SqsAdminClient(SqsClient, QueueAdministration, Protocol):
    """All operations."""


def objects(response: Json, name: str) -> list[Json]:
    """Return the objects of a list in a response; entries of other types are left out."""
    entries = response.get(name)
    return [entry for entry in entries if isinstance(entry, Mapping)] if isinstance(entries, list) else []


def entry_id(entry: Json) -> str:
    """Return the id of an entry of a batch request; empty when there is none."""
    named = entry.get("Id")
    return named if isinstance(named, str) else ""


def text(value: object) -> str:
    """Return a string. Raises `TypeError` for other types."""
    if not isinstance(value, str):
        raise TypeError(type(value).__name__)
    return value


def number(value: object) -> int | None:
    """Return a whole number that is written as text; None when it is not one."""
    written = str(value)
    return int(written) if _NUMBER.match(written) else None


def count(attributes: Mapping[str, object], name: str) -> int:
    """Return a number of messages. A missing one raises `SourceUnavailableError`: taken as 0, it would end a job."""
    messages = number(attributes.get(name))
    if messages is None:
        raise SourceUnavailableError(f"the response of the queue has no {name}")
    return messages


def depth_of(attributes: Mapping[str, object]) -> Depth:
    """Return how many messages a queue holds; see `count`."""
    visible, in_flight, delayed = (count(attributes, name) for name in DEPTH_ATTRIBUTES)
    return Depth(visible=visible, in_flight=in_flight, delayed=delayed)
