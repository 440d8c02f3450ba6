"""Calls to S3 and SQS for a client that waits: retried for a few seconds, with a limit of time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import ParamSpec, TypeVar

from dequeuer.core.errors import (
    SourceDeniedError,
    SourceUnavailableError,
    StoreDeniedError,
    StoreUnavailableError,
)
from dequeuer.gateway.retry import retry_briefly
from dequeuer.jobs.errors import JobsUnavailableError
from dequeuer.sources.sqs.management import Queues

P = ParamSpec("P")
T = TypeVar("T")

CALL_TIMEOUT_S = 20.0
"""With its retries."""


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

    def __init__(self, queues: Queues) -> None:
        self._queues = queues

    async def count(self, queue_url: str) -> int | None:
        """Return how many messages are visible or in flight."""
        depth = await self._queues.depth(queue_url)
        return None if depth is None else depth.visible + depth.in_flight
