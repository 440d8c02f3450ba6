"""What the SDK's client of SQS is asked, and reading its answers: they come from outside, and may be anything."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Protocol, TypeAlias

from dequeuer.core.errors import SourceUnavailableError

_NUMBER = re.compile(r"[0-9]{1,15}\Z")

Json: TypeAlias = Mapping[str, Any]


class SqsOperations(Protocol):
    """The calls of the SDK's client that are made here. Answers are JSON objects."""

    async def receive_message(self, **request: object) -> Json: ...  # noqa: D102 - the SDK documents it
    async def delete_message_batch(self, **request: object) -> Json: ...  # noqa: D102 - the SDK documents it
    async def change_message_visibility_batch(self, **request: object) -> Json: ...  # noqa: D102 - the SDK documents it
    async def get_queue_attributes(self, **request: object) -> Json: ...  # noqa: D102 - the SDK documents it
    async def send_message(self, **request: object) -> Json: ...  # noqa: D102 - the SDK documents it


def objects(response: Json, name: str) -> list[Json]:
    """Return the objects of a list in a response; whatever else is there is left out."""
    entries = response.get(name)
    return [entry for entry in entries if isinstance(entry, Mapping)] if isinstance(entries, list) else []


def entry_id(entry: Json) -> str:
    """Return the id of an entry of a batch; empty when there is none."""
    named = entry.get("Id")
    return named if isinstance(named, str) else ""


def text(value: object) -> str:
    """Return a text; raises `TypeError` when it is none."""
    if not isinstance(value, str):
        raise TypeError(type(value).__name__)
    return value


def number(value: object) -> int | None:
    """Return a number that is written as a text; None when it is none."""
    written = str(value)
    return int(written) if _NUMBER.match(written) else None


def count(attributes: Mapping[str, object], name: str) -> int:
    """Return a number of messages. One that is not told must not pass for zero: that ends a job."""
    told = number(attributes.get(name))
    if told is None:
        raise SourceUnavailableError(f"the queue did not tell {name}")
    return told
