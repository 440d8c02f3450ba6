"""The dead letters of an async API: the messages that its queue has moved to its dead-letter queue.

SQS offers no look at a queue without receiving: a look hides messages for a moment, and releases them. Messages go back
by a send and a deletion, in this order. SQS has a task that moves a whole queue, but it moves the messages of other
APIs, too, and cannot mark them: a sidecar must know that a message which it receives for the first time may not be the
first of its request, or it would run a request again that has ended.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from typing import Final

import structlog

from dequeuer.concurrency.turns import turn
from dequeuer.core import clock
from dequeuer.core.errors import (
    DequeuerError,
    SourceDeniedError,
    SourceGoneError,
    clip,
)
from dequeuer.core.queue_limits import MAX_BATCH_SIZE
from dequeuer.formats.envelope import request_id_of
from dequeuer.gateway.problems import ProblemError
from dequeuer.gateway.queue_calls import call_queue, dead_letter_queue, read_attributes
from dequeuer.sources.sqs.errors import Translate
from dequeuer.sources.sqs.operations import REPEATED, Json, SqsOperations, number, objects

MAX_LOOK_RECEIVES: Final = 20
"""Of one look, besides the bound of the messages that it wants."""
MAX_LOOK_S: Final = 10.0
"""A look receives no further messages after this time."""
MAX_MOVED: Final = 1000
"""Messages that one redrive moves."""
MAX_REDRIVE_S: Final = 20.0
"""No further messages are received after this time."""
HIDDEN_S: Final = 30
"""How long a received message stays hidden if this process is killed: longer than a look and a redrive."""
MAX_ATTRIBUTES: Final = 10
"""Of one message of SQS."""
TURN_TIMEOUT_S: Final = 10.0
RELEASE_TIMEOUT_S: Final = 5.0

_COUNTED: Final = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")
_NEEDED: Final = (
    "allow sqs:GetQueueAttributes and sqs:SendMessage on the queue, and sqs:ReceiveMessage, sqs:DeleteMessage, "
    "sqs:ChangeMessageVisibility and sqs:GetQueueAttributes on its dead-letter queue"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """A message of a dead-letter queue.

    Attributes:
        message_id: of the queue.
        request_id: "" when the message names none.
        sent_at: when it was sent to the API's queue, seconds since the epoch; None when not known.
        receives: how often it was received, looks included.
    """

    message_id: str
    request_id: str
    sent_at: float | None
    receives: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetters:
    """What a look has found. `queue`: the name of the dead-letter queue; `total`: about how many messages it has."""

    queue: str
    total: int
    found: Sequence[DeadLetter]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Queues:
    """A queue, by URL and ARN, and its dead-letter queue."""

    url: str
    arn: str
    dead_url: str
    dead_name: str


class DeadLetterQueues:
    """The dead-letter queues of the APIs. One look or redrive at a time: each may hold ten messages of a MiB.

    All methods raise `ProblemError`.
    """

    def __init__(self, client: SqsOperations, translate: Translate) -> None:
        self._client = client
        self._translate = translate
        self._turns = asyncio.Semaphore(1)

    async def look(self, queue_url: str, limit: int) -> DeadLetters:
        """Return some of the dead letters of a queue. They are hidden meanwhile, and visible again at the end."""
        async with self._turn(queue_url) as queues:
            total = await self._count(queues)
            found: dict[str, DeadLetter] = {}
            receipts: list[str] = []
            ends_at = clock.monotonic() + MAX_LOOK_S
            try:
                for _ in range(MAX_LOOK_RECEIVES):
                    raw = await self._receive(queues, min(MAX_BATCH_SIZE, limit - len(found)))
                    receipts += _receipts(raw)
                    found.update({letter.message_id: letter for letter in map(_letter, _own(raw, queues))})
                    if not raw or len(found) >= limit or clock.monotonic() >= ends_at:
                        break
            finally:
                await self._release(queues, receipts)
            return DeadLetters(queue=queues.dead_name, total=total, found=list(found.values()))

    async def redrive(self, queue_url: str) -> tuple[int, int]:
        """Move dead letters back, each as a new message; return how many, and about how many are left.

        A message is in both queues for a moment, and stays so when its deletion fails: it is never in none.
        """
        async with self._turn(queue_url) as queues:
            moved, held = 0, dict[str, None]()
            ends_at = clock.monotonic() + MAX_REDRIVE_S
            try:
                while moved < MAX_MOVED and clock.monotonic() < ends_at:
                    raw = await self._receive(queues, MAX_BATCH_SIZE)
                    if not raw:
                        break
                    held |= dict.fromkeys(_receipts(raw))
                    own = [one for one in _own(raw, queues) if len(_attributes(one)) <= MAX_ATTRIBUTES]
                    sent = _receipts(await self._send(queues, own))
                    moved += len(sent)
                    for receipt in sent:
                        del held[receipt]
                    await self._delete(queues, sent)
            except ProblemError as error:
                if not moved:
                    raise
                structlog.get_logger().warning("redrive_cut_off", moved=moved, error=clip(str(error)))
            finally:
                await self._release(queues, list(held))
            return moved, await self._count(queues)

    @asynccontextmanager
    async def _turn(self, queue_url: str) -> AsyncIterator[_Queues]:
        busy = ProblemError(503, "dead_letters_busy", "dead letters are being looked at or moved already: try again")
        async with turn(self._turns, TURN_TIMEOUT_S, busy):
            yield await self._queues(queue_url)

    async def _queues(self, url: str) -> _Queues:
        attributes = await self._read_attributes(url, "RedrivePolicy", "QueueArn")
        found = dead_letter_queue(url, attributes.get("RedrivePolicy"))
        if found is None:
            text = "the queue of this API has no dead-letter queue: give it a redrive policy"
            raise ProblemError(409, "no_dead_letter_queue", text)
        dead_url, dead_name = found
        return _Queues(url=url, arn=str(attributes.get("QueueArn", "")), dead_url=dead_url, dead_name=dead_name)

    async def _count(self, queues: _Queues) -> int:
        attributes = await self._read_attributes(queues.dead_url, *_COUNTED)
        return sum(number(attributes.get(name)) or 0 for name in _COUNTED)

    async def _read_attributes(self, url: str, *names: str) -> Json:
        with _problems():
            return await read_attributes(self._client, self._translate, url, *names)

    async def _receive(self, queues: _Queues, limit: int) -> Sequence[Json]:
        response = await self._call(
            self._client.receive_message,
            QueueUrl=queues.dead_url,
            MaxNumberOfMessages=limit,
            VisibilityTimeout=HIDDEN_S,
            WaitTimeSeconds=0,
            AttributeNames=["All"],
            MessageSystemAttributeNames=["All"],
            MessageAttributeNames=["All"],
        )
        return [one for one in objects(response, "Messages") if {"MessageId", "Body", "ReceiptHandle"} <= one.keys()]

    async def _send(self, queues: _Queues, messages: Sequence[Json]) -> Sequence[Json]:
        """Send messages at the same time; return those that were sent. If none was, raise why."""
        results = await asyncio.gather(*(self._send_one(queues, one) for one in messages), return_exceptions=True)
        failures = [one for one in results if isinstance(one, BaseException)]
        sent = [one for one, result in zip(messages, results, strict=True) if not isinstance(result, BaseException)]
        for failure in failures:
            if not sent or not isinstance(failure, ProblemError):
                raise failure
        return sent

    async def _send_one(self, queues: _Queues, message: Json) -> None:
        system = message.get("Attributes")
        group = system.get("MessageGroupId") if isinstance(system, Mapping) else None
        more = {"MessageGroupId": str(group)} if group else {}
        if queues.url.endswith(".fifo"):
            # A new id: the queue would drop one that it has seen in the last five minutes, and the message with it.
            more = {"MessageGroupId": str(group or message["MessageId"]), "MessageDeduplicationId": uuid.uuid4().hex}
        await self._call(
            self._client.send_message,
            QueueUrl=queues.url,
            MessageBody=message["Body"],
            MessageAttributes=_attributes(message),
            **more,
        )

    async def _delete(self, queues: _Queues, receipts: Sequence[str]) -> None:
        if receipts:
            await self._call(self._client.delete_message_batch, QueueUrl=queues.dead_url, Entries=_entries(receipts))

    async def _release(self, queues: _Queues, receipts: Sequence[str]) -> None:
        """Make messages visible again. What fails is visible after `HIDDEN_S`."""
        with suppress(ProblemError, TimeoutError):
            async with asyncio.timeout(RELEASE_TIMEOUT_S):
                for at in range(0, len(receipts), MAX_BATCH_SIZE):
                    entries = [
                        entry | {"VisibilityTimeout": 0} for entry in _entries(receipts[at : at + MAX_BATCH_SIZE])
                    ]
                    await self._call(
                        self._client.change_message_visibility_batch, QueueUrl=queues.dead_url, Entries=entries
                    )

    async def _call(self, operation: Callable[..., Awaitable[Json]], **request: object) -> Json:
        with _problems():
            return await call_queue(self._translate, operation, **request)


@contextmanager
def _problems() -> Iterator[None]:
    try:
        yield
    except (DequeuerError, TimeoutError) as error:
        raise _problem(error) from error


def _problem(error: Exception) -> ProblemError:
    """Return the error for the client. Hazard: the cause may only be logged, never sent."""
    if isinstance(error, SourceGoneError):
        return ProblemError(
            409, "no_dead_letter_queue", "the queue of this API, or its dead-letter queue, does not exist"
        )
    if isinstance(error, SourceDeniedError):
        return ProblemError(503, "queue_refused", f"the queue refuses the gateway: {_NEEDED}")
    return ProblemError(503, "queue_unavailable", "the queue is not available: try again")


def _own(messages: Collection[Json], queues: _Queues) -> Sequence[Json]:
    """Return the messages that come from this queue: others may share its dead-letter queue."""
    return [one for one in messages if _source_arn(one) in {"", queues.arn}]


def _source_arn(message: Json) -> str:
    system = message.get("Attributes")
    return str(system.get("DeadLetterQueueSourceArn", "")) if isinstance(system, Mapping) else ""


def _letter(message: Json) -> DeadLetter:
    system = message.get("Attributes")
    known: Mapping[str, object] = system if isinstance(system, Mapping) else {}
    sent_ms = number(known.get("SentTimestamp"))
    return DeadLetter(
        message_id=str(message["MessageId"]),
        request_id=request_id_of(str(message["Body"])),
        sent_at=None if sent_ms is None else sent_ms / 1000,
        receives=number(known.get("ApproximateReceiveCount")) or 0,
    )


def _attributes(message: Json) -> Mapping[str, object]:
    """Return the attributes of the message that is sent for a dead letter: its own, and the mark of a repetition."""
    given = message.get("MessageAttributes")
    kept = given.items() if isinstance(given, Mapping) else ()
    fields = ("DataType", "StringValue", "BinaryValue")
    return {name: {field: value[field] for field in fields if field in value} for name, value in kept} | REPEATED


def _receipts(messages: Collection[Json]) -> Sequence[str]:
    return [str(one["ReceiptHandle"]) for one in messages]


def _entries(receipts: Sequence[str]) -> list[dict[str, object]]:
    return [{"Id": str(at), "ReceiptHandle": receipt} for at, receipt in enumerate(receipts)]
