"""Calls to S3 and SQS for a client that waits: retried for a few seconds, with a limit of time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import ParamSpec, TypeVar

from dequeuer.core.errors import (
    LeaseLostError,
    SourceDeniedError,
    SourceGoneError,
    SourceUnavailableError,
    StoreDeniedError,
    StoreUnavailableError,
)
from dequeuer.gateway.retry import retry_briefly
from dequeuer.jobs.errors import JobsUnavailableError
from dequeuer.sources.sqs.errors import Translate
from dequeuer.sources.sqs.operations import SqsOperations, count

P = ParamSpec("P")
T = TypeVar("T")

CALL_TIMEOUT_S = 20.0
"""With its retries."""
_COUNTS = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")


async def call(function: Callable[P, Awaitable[T]], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """Call `function`, which must do no harm when it is repeated. Raises `JobsUnavailableError`."""
    try:
        async with asyncio.timeout(CALL_TIMEOUT_S):
            return await retry_briefly((StoreUnavailableError, SourceUnavailableError), function, *args, **kwargs)
    except (
        StoreUnavailableError,
        SourceUnavailableError,
        StoreDeniedError,
        SourceDeniedError,
        TimeoutError,
    ) as error:
        raise unavailable(error) from error


def unavailable(error: Exception) -> JobsUnavailableError:
    """Return the error for the client. Hazard: the cause may only be logged, never sent."""
    if isinstance(error, StoreDeniedError):
        return JobsUnavailableError("the store refuses the gateway: its bucket or permissions are wrong")
    if isinstance(error, SourceDeniedError):
        return JobsUnavailableError("the queue refuses the gateway: its permissions are wrong")
    return JobsUnavailableError("the store or the queue is not available: try again")


class SqsCounts:
    """`jobs.status_reading.QueueCounts` on SQS."""

    def __init__(self, client: SqsOperations, translate: Translate) -> None:
        self._client = client
        self._translate = translate

    async def count(self, queue_url: str) -> int | None:
        """Return how many messages are visible or in flight."""
        try:
            response = await self._client.get_queue_attributes(QueueUrl=queue_url, AttributeNames=list(_COUNTS))
        except Exception as error:
            _, translated = self._translate(error)
            if isinstance(translated, SourceGoneError):
                return None
            if isinstance(translated, LeaseLostError):  # SQS refused a parameter; counting involves no receipt handle
                translated = SourceDeniedError(str(translated))
            raise translated from error
        attributes = response.get("Attributes") or {}
        return sum(count(attributes, name) for name in _COUNTS)
