"""The operations of SNS and EventBridge that are used, named and called as in the SDK's clients."""

from __future__ import annotations

from typing import Any, Protocol

from dequeuer.sources.sqs.errors import SqsResponseError


class SnsOperations(Protocol):
    """The operation of SNS. It raises what the client raises; see `Translate`."""

    async def publish(self, **request: Any) -> Any: ...  # noqa: D102 - the SDK documents it


class EventBusOperations(Protocol):
    """The operation of EventBridge; its response is a JSON object, which says whether each entry was taken."""

    async def put_events(self, **request: Any) -> Any: ...  # noqa: D102 - the SDK documents it


class PublishingError(SqsResponseError):
    """SNS or EventBridge responded with an error. Its codes mean what those of SQS mean."""
