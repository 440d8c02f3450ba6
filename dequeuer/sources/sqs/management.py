"""Creates, counts, empties and deletes queues."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from dequeuer.core.errors import DequeuerError, SourceDeniedError, SourceGoneError, SourceUnavailableError
from dequeuer.sources.base import Depth
from dequeuer.sources.sqs.errors import Translate
from dequeuer.sources.sqs.operations import DEPTH_ATTRIBUTES, Json, QueueManagement, depth_of, text

_OTHER_ATTRIBUTES: Final = ("QueueNameExists", "QueueAlreadyExists")


class QueueRefusedError(DequeuerError):
    """The queue cannot be created as it is described, for example because its dead-letter queue does not exist."""


class Queues:
    """Queues by name and URL. All methods raise `SourceUnavailableError` and `SourceDeniedError`."""

    def __init__(self, client: QueueManagement, translate: Translate) -> None:
        self._client = client
        self._translate = translate

    async def ensure(self, name: str, attributes: Mapping[str, str], tags: Mapping[str, str]) -> str:
        """Return the URL of a queue; create it when it does not exist. One of that name is taken as it is.

        Raises:
            QueueRefusedError: its attributes are refused.
        """
        try:
            response = await self._client.create_queue(QueueName=name, Attributes=dict(attributes), tags=dict(tags))
        except Exception as error:
            kind, translated = self._translate(error)
            if _says(error, *_OTHER_ATTRIBUTES):
                response = await self._call(self._client.get_queue_url, QueueName=name)
            elif _says(error, "QueueDeletedRecently"):
                # As an error of other calls it says that the queue does not exist.
                raise SourceUnavailableError(
                    "QueueDeletedRecently: a queue of this name was deleted; SQS creates another one 60 s later"
                ) from error
            elif kind in {"refused", "missing"} or _says(error, "InvalidParameterValue", "InvalidAttributeValue"):
                raise QueueRefusedError(str(translated)) from error
            else:
                raise _temporary(translated) from error
        return _url(response)

    async def find(self, name: str) -> str | None:
        """Return the URL of a queue; None when there is none."""
        try:
            return _url(await self._call(self._client.get_queue_url, QueueName=name))
        except SourceGoneError:
            return None

    async def depth(self, queue_url: str) -> Depth | None:
        """Return how many messages a queue holds; None when it does not exist."""
        try:
            response = await self._call(
                self._client.get_queue_attributes, QueueUrl=queue_url, AttributeNames=list(DEPTH_ATTRIBUTES)
            )
        except SourceGoneError:
            return None
        attributes = response.get("Attributes")
        return depth_of(attributes if isinstance(attributes, Mapping) else {})

    async def purge(self, queue_url: str) -> None:
        """Delete the messages of a queue. One that does not exist, or that was purged a moment ago, is no error."""
        try:
            await self._call(self._client.purge_queue, QueueUrl=queue_url)
        except SourceGoneError:
            return
        except SourceUnavailableError as error:
            if not _says(error.__cause__, "PurgeQueueInProgress"):
                raise

    async def delete(self, queue_url: str) -> None:
        """Delete a queue. One that does not exist is no error."""
        try:
            await self._call(self._client.delete_queue, QueueUrl=queue_url)
        except SourceGoneError:
            return

    async def _call(self, operation: Callable[..., Awaitable[Json]], **request: object) -> Json:
        try:
            return await operation(**request)
        except Exception as error:
            raise _temporary(self._translate(error)[1]) from error


def _temporary(error: DequeuerError) -> DequeuerError:
    """Return an error that the methods may raise: a receipt handle, which other calls have, cannot be at fault here."""
    if isinstance(error, SourceUnavailableError | SourceDeniedError | SourceGoneError):
        return error
    return SourceUnavailableError(str(error))


def _says(error: BaseException | None, *codes: str) -> bool:
    # Both clients begin the text of an error with its code, with or without a namespace.
    return any(code in str(error) for code in codes)


def _url(response: Json) -> str:
    try:
        return text(response.get("QueueUrl"))
    except TypeError as error:
        raise SourceUnavailableError("the response of the queue has no URL") from error
