"""How many messages the queue of an async API has, and its dead-letter queue. Nothing is received for it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Final

from dequeuer.concurrency.turns import turn
from dequeuer.core.errors import DequeuerError, SourceDeniedError, SourceGoneError
from dequeuer.gateway.problems import ProblemError
from dequeuer.gateway.queue_calls import dead_letter_queue, read_attributes
from dequeuer.sources.base import Depth
from dequeuer.sources.sqs.errors import Translate
from dequeuer.sources.sqs.operations import DEPTH_ATTRIBUTES, SqsOperations, depth_of

MAX_COUNTS: Final = 8
"""Queues that are asked at the same time."""
TURN_TIMEOUT_S: Final = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueCounts:
    """About how many messages there are, as SQS counts them.

    Attributes:
        name: of the queue.
        depth: of the queue.
        dead: messages of its dead-letter queue, those of other queues that share it, too; None: it has none, or the
            gateway may not count it.
    """

    name: str
    depth: Depth
    dead: int | None


class QueueCounter:
    """Counts."""

    def __init__(self, client: SqsOperations, translate: Translate) -> None:
        self._client = client
        self._translate = translate
        self._turns = asyncio.Semaphore(MAX_COUNTS)

    async def count(self, queue_url: str) -> QueueCounts:
        """Return the counts of a queue, for two calls of SQS. Raises `ProblemError`."""
        busy = ProblemError(503, "queue_unavailable", f"{MAX_COUNTS} queues are being asked already: try again")
        async with turn(self._turns, TURN_TIMEOUT_S, busy):
            try:
                return await self._count(queue_url)
            except (DequeuerError, TimeoutError) as error:
                raise _problem(error) from error

    async def _count(self, queue_url: str) -> QueueCounts:
        attributes = await read_attributes(self._client, self._translate, queue_url, *DEPTH_ATTRIBUTES, "RedrivePolicy")
        found = dead_letter_queue(queue_url, attributes.get("RedrivePolicy"))
        return QueueCounts(
            name=queue_url.rpartition("/")[2],
            depth=depth_of(attributes),
            dead=None if found is None else await self._dead(found[0]),
        )

    async def _dead(self, queue_url: str) -> int | None:
        try:
            depth = depth_of(await read_attributes(self._client, self._translate, queue_url, *DEPTH_ATTRIBUTES))
        except (SourceDeniedError, SourceGoneError):
            return None
        return depth.visible + depth.in_flight + depth.delayed


def _problem(error: Exception) -> ProblemError:
    """Return the error for the client. Hazard: the cause may only be logged, never sent."""
    if isinstance(error, SourceGoneError):
        return ProblemError(409, "no_queue", "the queue of this API does not exist")
    if isinstance(error, SourceDeniedError):
        text = "the queue refuses the gateway: allow sqs:GetQueueAttributes on the queue and on its dead-letter queue"
        return ProblemError(503, "queue_refused", text)
    return ProblemError(503, "queue_unavailable", "the queue is not available: try again")
