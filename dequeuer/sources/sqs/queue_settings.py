"""Reads and changes the attributes and the tags of a queue."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from dequeuer.core.errors import SourceDeniedError, SourceGoneError, SourceUnavailableError
from dequeuer.sources.sqs.errors import Translate
from dequeuer.sources.sqs.operations import Json, QueueSetUp


class QueueSettings:
    """Settings of queues by URL. All methods raise `SourceUnavailableError`, `SourceGoneError`, `SourceDeniedError`."""

    def __init__(self, client: QueueSetUp, translate: Translate) -> None:
        self._client = client
        self._translate = translate

    async def attributes(self, queue_url: str) -> Mapping[str, str]:
        """Return all attributes of a queue."""
        call = self._client.get_queue_attributes
        return _texts(await self._call(call, QueueUrl=queue_url, AttributeNames=["All"]), "Attributes")

    async def set_attributes(self, queue_url: str, attributes: Mapping[str, str]) -> None:
        """Replace some attributes; the others stay. A refused value raises `SourceDeniedError`."""
        await self._call(self._client.set_queue_attributes, QueueUrl=queue_url, Attributes=dict(attributes))

    async def tags(self, queue_url: str) -> Mapping[str, str]:
        """Return the tags of a queue."""
        return _texts(await self._call(self._client.list_queue_tags, QueueUrl=queue_url), "Tags")

    async def tag(self, queue_url: str, tags: Mapping[str, str]) -> None:
        """Add tags, or replace their values; the others stay."""
        await self._call(self._client.tag_queue, QueueUrl=queue_url, Tags=dict(tags))

    async def _call(self, operation: Callable[..., Awaitable[Json]], **request: object) -> Json:
        try:
            return await operation(**request)
        except Exception as error:
            kind, translated = self._translate(error)
            if kind == "refused":  # a value that SQS does not allow; a lease, which other calls have, is not at fault
                raise SourceDeniedError(str(translated)) from error
            if isinstance(translated, SourceUnavailableError | SourceGoneError | SourceDeniedError):
                raise translated from error
            raise SourceUnavailableError(str(translated)) from error


def _texts(response: Json, name: str) -> Mapping[str, str]:
    """Return an object of a response; entries that are not text are left out."""
    found = response.get(name)
    entries = found.items() if isinstance(found, Mapping) else ()
    return {str(key): value for key, value in entries if isinstance(value, str)}
