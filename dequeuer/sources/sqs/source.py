"""A queue of Amazon SQS, standard or FIFO, through any client that makes its calls."""

from __future__ import annotations

import asyncio
import math
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence

from dequeuer.core import clock
from dequeuer.core.errors import LeaseLostError, SourceDeniedError, SourceUnavailableError, clip
from dequeuer.core.events import Observer, SourceCalled, SourceOp
from dequeuer.core.message import Message
from dequeuer.core.queue_limits import MAX_BATCH_SIZE, MAX_VISIBILITY_TIMEOUT_S
from dequeuer.sources.base import Depth, Lease, lease_margin_s
from dequeuer.sources.sqs.batcher import Batcher
from dequeuer.sources.sqs.errors import Translate, from_code
from dequeuer.sources.sqs.operations import Json, SqsOperations, count, entry_id, number, objects, text

LINGER_S = 0.02
UNKNOWN_RECEIPT_HANDLE = "AQEB-dequeuer-permission-check"
"""A receipt handle that belongs to no message. SQS checks permissions before it looks at the handle."""
ACK_LINGER_S = 0.2
"""How long a deletion waits for others, of a long lease: its message is held, and nobody waits for it."""
CALL_TIMEOUT_S = 10.0
"""For every response but that of a receive, which waits on purpose."""
CLOSE_TIMEOUT_S = 0.5
MIN_EMPTY_POLL_INTERVAL_S = 0.5
"""The least between two polls that bring nothing."""
RECEIVE_TIMEOUT_MARGIN_S = 30.0
"""Beyond the wait that was asked for: a response that drips in would never end otherwise."""


class SqsSource:
    """Receives up to ten at a time; deletions and changes of visibility are gathered in tens.

    Args:
        client: open for as long as the source is used.
        translate: what its exceptions mean.
        queue_url: the queue; a name that ends in `.fifo` is a FIFO queue.
        visibility_timeout_s: length of a lease, whole seconds.
        poll_wait_s: how long a receive waits for the first message, whole seconds up to 20.
        held: how many leases are held now: when all of them wait to be settled, no other can join.
        observer: gets one `SourceCalled` a request.
        gathers_acks: deletions wait for each other for longer. Not for a queue whose messages are counted: a
            completion message that is put back would be counted with its copy, again and again.
    """

    def __init__(  # noqa: PLR0913 - one parameter a fact of the queue
        self,
        client: SqsOperations,
        *,
        translate: Translate,
        queue_url: str,
        visibility_timeout_s: int,
        poll_wait_s: int,
        held: Callable[[], int],
        observer: Observer,
        gathers_acks: bool = False,
    ) -> None:
        self._client = client
        self._translate = translate
        self._queue_url = queue_url
        self._visibility_timeout_s = visibility_timeout_s
        self._poll_wait_s = poll_wait_s
        self._observer = observer
        self._has_redrive = False
        self._deletions = Batcher(
            self._delete,
            linger_s=min(ACK_LINGER_S, visibility_timeout_s / 20) if gathers_acks else LINGER_S,
            expected=(lambda: MAX_BATCH_SIZE) if gathers_acks else held,
            name="deletions",
        )
        self._changes = Batcher(self._change, linger_s=LINGER_S, expected=held, name="visibility")

    @property
    def has_redrive(self) -> bool:
        """Whether the queue has a redrive policy, as of `open`."""
        return self._has_redrive

    async def open(self) -> None:
        """Read the queue's attributes; raises when it does not exist or is forbidden."""
        attributes = await self._attributes("RedrivePolicy")
        self._has_redrive = bool(attributes.get("RedrivePolicy"))

    async def close(self) -> None:
        """Send what was still gathering; a queue that is away is not waited for."""
        flushing = [asyncio.create_task(batcher.flush()) for batcher in (self._deletions, self._changes)]
        _, late = await asyncio.wait(flushing, timeout=CLOSE_TIMEOUT_S)
        for task in late:
            task.cancel()

    async def receive(self, limit: int, *, wait: bool = True) -> Sequence[Lease]:
        """Poll once, `poll_wait_s` at most; not at all without `wait`."""
        loop = asyncio.get_running_loop()
        asked_at = loop.time()
        response = await self._call(
            "receive",
            self._client.receive_message(
                QueueUrl=self._queue_url,
                MaxNumberOfMessages=min(limit, MAX_BATCH_SIZE),
                VisibilityTimeout=self._visibility_timeout_s,
                WaitTimeSeconds=self._poll_wait_s if wait else 0,
                # Older servers know the first name only.
                AttributeNames=["ApproximateReceiveCount", "SentTimestamp"],
                MessageSystemAttributeNames=["ApproximateReceiveCount", "SentTimestamp"],
                MessageAttributeNames=["All"],
            ),
        )
        messages = objects(response, "Messages")
        # A lease counts from when the queue was asked: when it gave the message away is not known.
        leases = [lease for raw in messages if (lease := self._lease(raw, asked_at)) is not None]
        if messages and not leases:
            # Not the same as a quiet queue, which is asked again at once.
            raise SourceUnavailableError("the queue sent messages, and none of them can be read")
        if wait and not leases and loop.time() - asked_at < MIN_EMPTY_POLL_INTERVAL_S:
            # Whoever does not wait as he was asked to would be asked, and paid, without a pause.
            await asyncio.sleep(MIN_EMPTY_POLL_INTERVAL_S)
        return leases

    def _lease(self, raw: Json, asked_at: float) -> SqsLease | None:
        try:
            return SqsLease(self, raw, asked_at, self._visibility_timeout_s)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            # Not even its receipt is sure, so nothing can be done about it; the others are good messages.
            detail = f"a message that is none: {type(error).__name__}"
            self._observer(SourceCalled(op="receive", messages=0, duration_s=0.0, error="invalid", detail=detail))
            return None

    async def check_delete(self) -> None:
        """Find out whether deletions are allowed: with a receipt that belongs to no message. Raises like any call."""
        await self._check(self._delete([UNKNOWN_RECEIPT_HANDLE], math.inf))

    async def check_change(self, op: SourceOp) -> None:
        """Find out whether changes of visibility (`op` `renew` or `release`) are allowed, likewise."""
        await self._check(self._change([(UNKNOWN_RECEIPT_HANDLE, 0, op)], math.inf))

    @staticmethod
    async def _check(asking: Awaitable[Sequence[Exception | None]]) -> None:
        [verdict] = await asking
        # A caller that is allowed is told that there is no such receipt.
        if verdict is not None and not isinstance(verdict, LeaseLostError):
            raise verdict

    async def depth(self) -> Depth:
        """Ask for the approximate counts."""
        names = ("", "NotVisible", "Delayed")
        attributes = await self._attributes(*(f"ApproximateNumberOfMessages{name}" for name in names))
        try:
            visible, in_flight, delayed = (count(attributes, f"ApproximateNumberOfMessages{name}") for name in names)
        except SourceUnavailableError as error:
            self._observer(SourceCalled(op="depth", messages=0, duration_s=0.0, error="unavailable", detail=str(error)))
            raise
        return Depth(visible=visible, in_flight=in_flight, delayed=delayed)

    async def copy(self, lease: Lease) -> None:
        """Send the message again as a new one, unless that was done already."""
        if not isinstance(lease, SqsLease):
            raise TypeError(type(lease).__name__)
        if lease.copied:
            # A copy for each try to delete the original would multiply the message.
            return
        fifo: dict[str, str] = {}
        if self._queue_url.endswith(".fifo"):
            fifo = {"MessageGroupId": lease.copy_id, "MessageDeduplicationId": lease.copy_id}
        sending = self._client.send_message(
            QueueUrl=self._queue_url,
            MessageBody=lease.message.body,
            MessageAttributes=lease.raw_attributes,
            **fifo,
        )
        await self._call("send", sending)
        lease.copied = True

    async def _attributes(self, *names: str) -> Json:
        reading = self._client.get_queue_attributes(QueueUrl=self._queue_url, AttributeNames=list(names))
        attributes = (await self._call("depth", reading)).get("Attributes")
        return attributes if isinstance(attributes, Mapping) else {}

    async def _call(self, op: SourceOp, call: Awaitable[Json], until: float = math.inf) -> Json:
        """Make a call; `until`: loop time at which it is broken off, sent or not."""
        started = clock.monotonic()
        limit_s = self._poll_wait_s + RECEIVE_TIMEOUT_MARGIN_S if op == "receive" else CALL_TIMEOUT_S
        try:
            response = await _answered(call, min(until, asyncio.get_running_loop().time() + limit_s))
        except Exception as error:
            kind, translated = self._translate(error)
            self._observer(
                SourceCalled(
                    op=op,
                    messages=0,
                    duration_s=clock.monotonic() - started,
                    error=kind,
                    detail=str(translated),
                    code=_code(translated),
                )
            )
            raise translated from error
        carried = len(objects(response, "Successful") or objects(response, "Messages"))
        self._observer(SourceCalled(op=op, messages=carried, duration_s=clock.monotonic() - started, error=None))
        return response

    async def _delete(self, receipts: Sequence[str], until: float) -> Sequence[Exception | None]:
        entries = [{"Id": str(at), "ReceiptHandle": receipt} for at, receipt in enumerate(receipts)]
        call = self._client.delete_message_batch(QueueUrl=self._queue_url, Entries=entries)
        return self._verdicts("ack", await self._call("ack", call, until), len(entries))

    async def _change(self, changes: Sequence[tuple[str, int, SourceOp]], until: float) -> Sequence[Exception | None]:
        entries = [
            {"Id": str(at), "ReceiptHandle": receipt, "VisibilityTimeout": seconds}
            for at, (receipt, seconds, _) in enumerate(changes)
        ]
        op = changes[0][2]
        call = self._client.change_message_visibility_batch(QueueUrl=self._queue_url, Entries=entries)
        return self._verdicts(op, await self._call(op, call, until), len(entries))

    def _verdicts(self, op: SourceOp, response: Json, count: int) -> Sequence[Exception | None]:
        """Judge each entry: a 200 for the whole says nothing about its parts."""
        # By the ids as they were sent: an index out of the response (-1, say) could speak for another message.
        verdicts: dict[str, Exception | None] = {
            str(at): SourceUnavailableError("the queue did not mention the entry") for at in range(count)
        }
        for done in objects(response, "Successful"):
            if (entry := entry_id(done)) in verdicts:
                verdicts[entry] = None
        for failed in objects(response, "Failed"):
            code = clip(str(failed.get("Code")))
            kind, error = from_code(code, code)
            self._observer(
                SourceCalled(op=op, messages=0, duration_s=0.0, error=kind, detail=str(error), code=_code(error))
            )
            if (entry := entry_id(failed)) in verdicts:
                verdicts[entry] = error
        return list(verdicts.values())

    async def settle(self, receipt: str, until: float) -> None:
        """Delete by receipt, for `SqsLease`; sent until that loop time only."""
        await self._deletions.submit(receipt, until)

    async def hide(self, receipt: str, seconds: int, op: SourceOp, until: float) -> None:
        """Change a visibility by receipt, for `SqsLease`; sent until that loop time only."""
        await self._changes.submit((receipt, seconds, op), until)


def _code(error: Exception) -> str:
    return error.code if isinstance(error, SourceDeniedError) else ""


class SqsLease:
    """One received message and its receipt.

    Args:
        source: sends what is asked.
        raw: the message as SQS sent it.
        asked_at: loop time from which its lease counts.
        length_s: of the lease, seconds.
    """

    def __init__(self, source: SqsSource, raw: Json, asked_at: float, length_s: float) -> None:
        self._source = source
        self._set_end(asked_at, length_s)
        self._receipt = text(raw["ReceiptHandle"])
        self.raw_attributes: Json = raw.get("MessageAttributes") or {}
        self.copied = False
        self._copy_id = ""
        system = raw.get("Attributes") or {}
        sent_ms = number(system.get("SentTimestamp"))
        self.message = Message(
            id=text(raw["MessageId"]),
            body=text(raw["Body"]),
            # Both inform: a message is not given up because they are missing.
            receive_count=max(1, number(system.get("ApproximateReceiveCount")) or 1),
            sent_at=sent_ms / 1000 if sent_ms is not None else None,
            attributes={
                name: value["StringValue"]
                for name, value in self.raw_attributes.items()
                if isinstance(value.get("StringValue"), str)
            },
        )

    @property
    def copy_id(self) -> str:
        """The id of the message's copy. Few messages are copied, so it is made when it is needed.

        One for all tries: a FIFO queue then drops the copy of a send that was taken, but whose response was lost.
        """
        self._copy_id = self._copy_id or uuid.uuid4().hex
        return self._copy_id

    async def extend(self, seconds: float) -> None:
        """Hide the message for `seconds` from now on, rounded down: never longer than 12 hours in all."""
        asked_at = asyncio.get_running_loop().time()
        await self._source.hide(self._receipt, int(seconds), "renew", self._ends_at - self._margin_s)
        self._set_end(asked_at, int(seconds))

    async def ack(self) -> None:
        """Delete the message."""
        await self._source.settle(self._receipt, self._settle_until)

    async def release(self, after_s: float = 0.0) -> None:
        """Give the message back."""
        await self._source.hide(
            self._receipt, min(math.ceil(after_s), MAX_VISIBILITY_TIMEOUT_S), "release", self._settle_until
        )

    def _set_end(self, asked_at: float, length_s: float) -> None:
        self._ends_at = asked_at + length_s
        self._margin_s = lease_margin_s(length_s)

    @property
    def _settle_until(self) -> float:
        # Renewals end with the work. Half of the margin after that is for settling, the other half for the way.
        return self._ends_at - self._margin_s / 2


async def _answered(call: Awaitable[Json], until: float) -> Json:
    """Return the response if it comes before the loop time `until`. Raises what the call raises, `TimeoutError`."""
    loop = asyncio.get_running_loop()
    started = loop.time()
    timeout = asyncio.timeout_at(until)
    try:
        async with timeout:
            return await call
    except TimeoutError:
        if not timeout.expired():
            raise  # the client's own, or the system's
        raise TimeoutError(f"no response within {loop.time() - started:.3g} s") from None
