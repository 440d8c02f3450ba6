"""Calls to SQS about the queue of an API and its dead-letter queue, for a client that waits."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from dequeuer.core.errors import SourceUnavailableError
from dequeuer.gateway.retry import retry_briefly
from dequeuer.sources.sqs.errors import Translate, error_of_send
from dequeuer.sources.sqs.operations import Json, SqsOperations

CALL_TIMEOUT_S: Final = 20.0
"""With its retries."""


async def call_queue(translate: Translate, operation: Callable[..., Awaitable[Json]], /, **request: object) -> Json:
    """Call an operation that may be repeated, and repeat it for a few seconds while the queue is not available.

    Raises:
        SourceUnavailableError, SourceDeniedError, SourceGoneError: what it ended with.
        TimeoutError: the time is over.
    """
    async with asyncio.timeout(CALL_TIMEOUT_S):
        return await retry_briefly(SourceUnavailableError, _once, translate, operation, request)


async def _once(translate: Translate, operation: Callable[..., Awaitable[Json]], request: Mapping[str, object]) -> Json:
    try:
        return await operation(**request)
    except Exception as error:
        raise error_of_send(translate(error)[1]) from error


async def read_attributes(client: SqsOperations, translate: Translate, queue_url: str, /, *names: str) -> Json:
    """Return these attributes of a queue, as far as it has them. Raises as `call_queue`."""
    request = {"QueueUrl": queue_url, "AttributeNames": list(names)}
    attributes = (await call_queue(translate, client.get_queue_attributes, **request)).get("Attributes")
    return attributes if isinstance(attributes, Mapping) else {}


def dead_letter_queue(queue_url: str, policy: object) -> tuple[str, str] | None:
    """Return URL and name of the dead-letter queue of a queue with a redrive policy; None when it has none.

    It is in the account and the region of its queue.
    """
    try:
        read: Any = json.loads(str(policy or "{}"))
    except ValueError:
        return None
    arn = read.get("deadLetterTargetArn") if isinstance(read, dict) else None
    if not isinstance(arn, str) or not arn:
        return None
    name = arn.rpartition(":")[2]
    return f"{queue_url.rpartition('/')[0]}/{name}", name
