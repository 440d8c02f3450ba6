"""An SQS queue, standard or FIFO, over either client; the result of each entry of a batch request is judged here."""

from __future__ import annotations

import asyncio
import json
import math
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence

from dequeuer.core import clock
from dequeuer.core.errors import LeaseLostError, SourceDeniedError, SourceUnavailableError, clip
from dequeuer.core.events import Observer, SourceCalled, SourceOp
from dequeuer.core.message import REPEAT_ATTRIBUTE, Message
from dequeuer.core.queue_limits import MAX_BATCH_SIZE, MAX_RECEIVES, MAX_VISIBILITY_TIMEOUT_S
from dequeuer.core.queue_names import queue_name
from dequeuer.sources.base import Depth, Lease, lease_margin_s
from dequeuer.sources.sqs.batcher import Batcher
from dequeuer.sources.sqs.errors import Translate, error_of_send, failed_call, from_code
from dequeuer.sources.sqs.operations import (
    DEPTH_ATTRIBUTES,
    REPEATED,
    Json,
    SqsOperations,
    depth_of,
    entry_id,
    number,
    objects,
    text,
)

LINGER_S = 0.02
"""How long a deletion, a release or a renewal waits for others, to share a request."""
UNKNOWN_RECEIPT_HANDLE = "AQEB-dequeuer-permission-check"
"""A receipt handle that belongs to no message. SQS checks the permission before the handle."""
ACK_LINGER_S = 0.2
"""How long a deletion waits for others when the lease is long. Its message is invisible meanwhile."""
CALL_TIMEOUT_S = 10.0
"""For each request other than a receive, which may be a long poll."""
CLOSE_TIMEOUT_S = 0.5
"""For the requests that are sent at the end."""
MIN_EMPTY_POLL_INTERVAL_S = 0.5
"""Minimum time from a poll that brings nothing to the next one."""
GROUP_ATTRIBUTE = "MessageGroupId"
RECEIVE_TIMEOUT_MARGIN_S = 30.0
"""Added to the wait time of a receive: without it, a response that arrives byte by byte would never end."""


class SqsSource:
    """Receives up to ten messages at a time; deletions and changes of visibility share requests of up to ten.

    Args:
        client: open for as long as the source is used.
        translate: maps its exceptions.
        queue_url: the queue; a name that ends in `.fifo` is a FIFO queue.
        visibility_timeout_s: length of a lease, whole seconds.
        poll_wait_s: how long a receive waits for the first message, whole seconds up to 20.
        held: returns how many leases are held; when all of them wait in a batch, it is sent at once.
        observer: gets one `SourceCalled` a request.
        system_attributes: more attributes of the queue's own to ask for; the messages carry them.
        is_one_of_several: events name the queue.
        keeps_groups: messages of a FIFO queue are not alone in their groups. One is received at a time: then SQS
            delivers no other of its group before it is deleted. Of several, a later one could be worked on after an
            earlier one was released. None is sent again: its copy would come after the later ones.
        gathers_acks: deletions wait longer for each other. Not for a queue whose messages are counted: until its
            deletion, a completion message that was sent again would be counted together with its copy.
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
        system_attributes: Sequence[str] = (),
        keeps_groups: bool = False,
        is_one_of_several: bool = False,
    ) -> None:
        self._client = client
        self._translate = translate
        self._queue_url = queue_url
        self.name = queue_name(queue_url)
        self._label = self.name if is_one_of_several else ""
        self._visibility_timeout_s = visibility_timeout_s
        self.margin_s = lease_margin_s(visibility_timeout_s)
        """Work ends this long before the end of a lease, seconds."""
        self._poll_wait_s = poll_wait_s
        self._observer = observer
        self._more_attributes = tuple(system_attributes)
        self._is_fifo = queue_url.endswith(".fifo")
        # In a standard queue the group says whose message it is; a copy keeps it.
        group = () if self._is_fifo else (GROUP_ATTRIBUTE,)
        self._attribute_names = ["ApproximateReceiveCount", "SentTimestamp", *group, *system_attributes]
        self._keeps_groups = keeps_groups and self._is_fifo
        self._has_redrive = False
        self.max_receives: int | None = None
        """Receives of a message before the redrive policy moves it, as of `open`; None: there is no policy."""
        # The rest of a group waits for the deletion.
        gathers_acks = gathers_acks and not self._keeps_groups
        self._deletions = Batcher(
            self._delete,
            linger_s=min(ACK_LINGER_S, visibility_timeout_s / 20) if gathers_acks else LINGER_S,
            expected=None if gathers_acks else held,
            name="deletions",
        )
        self._changes = Batcher(self._change, linger_s=LINGER_S, expected=held, name="visibility")

    @property
    def has_redrive(self) -> bool:
        """Whether the queue has a redrive policy, as of `open`."""
        return self._has_redrive

    async def open(self) -> None:
        """Read the attributes of the queue. Raises when it does not exist, or access is denied."""
        attributes = await self._attributes("RedrivePolicy")
        policy = attributes.get("RedrivePolicy")
        self._has_redrive = bool(policy)
        self.max_receives = _max_receives(str(policy)) if policy else None

    async def close(self) -> None:
        """Send the entries that still wait, for `CLOSE_TIMEOUT_S` at most."""
        flushing = [asyncio.create_task(batcher.flush()) for batcher in (self._deletions, self._changes)]
        _, late = await asyncio.wait(flushing, timeout=CLOSE_TIMEOUT_S)
        for task in late:
            task.cancel()

    async def receive(self, limit: int, *, wait_s: int | None = None) -> Sequence[Lease]:
        """Receive once; as a long poll unless `wait_s` is 0."""
        loop = asyncio.get_running_loop()
        asked_at = loop.time()
        response = await self._call(
            "receive",
            self._client.receive_message(
                QueueUrl=self._queue_url,
                MaxNumberOfMessages=1 if self._keeps_groups else min(limit, MAX_BATCH_SIZE),
                VisibilityTimeout=self._visibility_timeout_s,
                WaitTimeSeconds=self._poll_wait_s if wait_s is None else min(wait_s, self._poll_wait_s),
                # Older servers know only the first of these two parameters.
                AttributeNames=self._attribute_names,
                MessageSystemAttributeNames=self._attribute_names,
                MessageAttributeNames=["All"],
            ),
        )
        messages = objects(response, "Messages")
        # A lease counts from the time of the request, because the time at which SQS chose the message is not known.
        leases = [lease for raw in messages if (lease := self._lease(raw, asked_at)) is not None]
        if messages and not leases:
            # Must not look like an empty queue, which is polled again at once.
            raise SourceUnavailableError("the queue sent messages, but none of them can be read")
        if wait_s != 0 and not leases and loop.time() - asked_at < MIN_EMPTY_POLL_INTERVAL_S:
            # A server that ignores the wait time would be polled, and each poll paid for, without a pause.
            await asyncio.sleep(MIN_EMPTY_POLL_INTERVAL_S)
        return leases

    def _lease(self, raw: Json, asked_at: float) -> SqsLease | None:
        try:
            return SqsLease(self, raw, asked_at + self._visibility_timeout_s, self._more_attributes)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            # Even its receipt handle may be missing, so it cannot be settled. The other messages are valid.
            detail = f"an invalid message: {type(error).__name__}"
            self._observer(
                SourceCalled(
                    op="receive", messages=0, duration_s=0.0, error="invalid", detail=detail, queue=self._label
                )
            )
            return None

    async def check_delete(self) -> None:
        """Check the permission to delete, with a receipt handle that belongs to no message. Raises like any call."""
        await self._check(self._delete([UNKNOWN_RECEIPT_HANDLE], math.inf))

    async def check_change(self, op: SourceOp) -> None:
        """Check the permission to change visibility (`op`: `renew` or `release`) in the same way."""
        await self._check(self._change([(UNKNOWN_RECEIPT_HANDLE, 0, op)], math.inf))

    @staticmethod
    async def _check(call: Awaitable[Sequence[Exception | None]]) -> None:
        [verdict] = await call
        # With the permission, the response is that the receipt handle is invalid.
        if verdict is not None and not isinstance(verdict, LeaseLostError):
            raise verdict

    async def depth(self) -> Depth:
        """Return the approximate counts."""
        attributes = await self._attributes(*DEPTH_ATTRIBUTES)
        try:
            return depth_of(attributes)
        except SourceUnavailableError as error:
            self._observer(failed_call("depth", "unavailable", error, queue=self._label))
            raise

    async def copy(self, lease: Lease) -> None:
        """Send the message again as a new one, marked as `may_repeat`, unless that was done before."""
        if not isinstance(lease, SqsLease):
            raise TypeError(type(lease).__name__)
        if lease.copied:
            # One copy for each attempt to delete the original would multiply the message.
            return
        if self._keeps_groups:
            raise SourceDeniedError("the message is not sent again: it would lose its place in its group")
        more = {GROUP_ATTRIBUTE: lease.group} if lease.group else {}
        if self._is_fifo:
            more = {GROUP_ATTRIBUTE: lease.copy_id, "MessageDeduplicationId": lease.copy_id}
        sending = self._client.send_message(
            QueueUrl=self._queue_url,
            MessageBody=lease.message.body,
            MessageAttributes={**lease.raw_attributes, **REPEATED},
            **more,
        )
        await self._call("send", sending)
        lease.copied = True

    async def _attributes(self, *names: str) -> Json:
        reading = self._client.get_queue_attributes(QueueUrl=self._queue_url, AttributeNames=list(names))
        attributes = (await self._call("depth", reading)).get("Attributes")
        return attributes if isinstance(attributes, Mapping) else {}

    async def _call(self, op: SourceOp, call: Awaitable[Json], until: float = math.inf) -> Json:
        """Make a call. `until`: loop time at which it is aborted, whether its request was sent or not."""
        started = clock.monotonic()
        limit_s = self._poll_wait_s + RECEIVE_TIMEOUT_MARGIN_S if op == "receive" else CALL_TIMEOUT_S
        try:
            response = await _with_deadline(call, min(until, asyncio.get_running_loop().time() + limit_s))
        except Exception as error:
            kind, translated = self._translate(error)
            if op == "send":
                translated = error_of_send(translated)
            duration_s = clock.monotonic() - started
            self._observer(failed_call(op, kind, translated, duration_s=duration_s, queue=self._label))
            raise translated from error
        carried = len(objects(response, "Successful") or objects(response, "Messages"))
        duration_s = clock.monotonic() - started
        self._observer(SourceCalled(op=op, messages=carried, duration_s=duration_s, error=None, queue=self._label))
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
        """Return the result of each entry: the status 200 of the response says nothing about the entries."""
        # By the ids that were sent: an index from the response (-1, for example) could point to another message.
        verdicts: dict[str, Exception | None] = {
            str(at): SourceUnavailableError("the response of the queue does not name the entry") for at in range(count)
        }
        for done in objects(response, "Successful"):
            if (entry := entry_id(done)) in verdicts:
                verdicts[entry] = None
        for failed in objects(response, "Failed"):
            code = clip(str(failed.get("Code")))
            kind, error = from_code(code, code)
            self._observer(failed_call(op, kind, error, queue=self._label))
            if (entry := entry_id(failed)) in verdicts:
                verdicts[entry] = error
        return list(verdicts.values())

    async def delete(self, receipt: str, until: float) -> None:
        """Delete a message. `until`: loop time after which nothing is sent."""
        await self._deletions.submit(receipt, until)

    async def change_visibility(self, receipt: str, seconds: int, op: SourceOp, until: float) -> None:
        """Change the visibility timeout of a message. `until`: loop time after which nothing is sent."""
        await self._changes.submit((receipt, seconds, op), until)


def _chars(attribute: Json) -> int:
    values = (attribute.get("StringValue"), attribute.get("BinaryValue"))
    return sum(len(value) for value in values if isinstance(value, str | bytes))


class SqsLease:
    """One received message and its receipt handle.

    Args:
        source: sends its requests.
        raw: the message as SQS sent it.
        ends_at: loop time at which the lease ends.
        system_attributes: names of the attributes that the message carries.
    """

    def __init__(self, source: SqsSource, raw: Json, ends_at: float, system_attributes: Sequence[str] = ()) -> None:
        self.source = source
        self._ends_at = ends_at
        self._receipt = text(raw["ReceiptHandle"])
        self.raw_attributes: Json = raw.get("MessageAttributes") or {}
        self.copied = False
        self._copy_id = ""
        self._system: Json = raw.get("Attributes") or {}
        system = self._system
        sent_ms = number(system.get("SentTimestamp"))
        attributes = {
            name: value["StringValue"]
            for name, value in self.raw_attributes.items()
            if isinstance(value.get("StringValue"), str)
        }
        self.message = Message(
            id=text(raw["MessageId"]),
            body=text(raw["Body"]),
            # Receive count and sent time are not essential: the message is valid without them.
            receive_count=max(1, number(system.get("ApproximateReceiveCount")) or 1),
            sent_at=sent_ms / 1000 if sent_ms is not None else None,
            attributes=attributes,
            may_repeat=attributes.get(REPEAT_ATTRIBUTE) == "true",
            attributes_chars=sum(map(_chars, self.raw_attributes.values())),
            system_attributes={name: str(system[name]) for name in system_attributes if name in system},
            queue_name=source.name,
            max_receives=source.max_receives,
        )

    @property
    def group(self) -> str:
        """The group of the message in a standard queue; "" when it has none."""
        given = self._system.get(GROUP_ATTRIBUTE)
        return given if isinstance(given, str) else ""

    @property
    def copy_id(self) -> str:
        """The deduplication id of the message's copy, created when it is needed: few messages are copied.

        It is the same for all attempts: when the response to the first was lost, a FIFO queue drops the second copy.
        """
        self._copy_id = self._copy_id or uuid.uuid4().hex
        return self._copy_id

    async def extend(self, seconds: float) -> None:
        """Hide the message for `seconds` from now on, rounded down, so that the total never exceeds 12 hours."""
        asked_at = asyncio.get_running_loop().time()
        until = self._ends_at - self.source.margin_s
        await self.source.change_visibility(self._receipt, int(seconds), "renew", until)
        self._ends_at = asked_at + int(seconds)

    async def ack(self) -> None:
        """Delete the message."""
        await self.source.delete(self._receipt, self._settle_until)

    async def release(self, after_s: float = 0.0) -> None:
        """Release the message."""
        await self.source.change_visibility(
            self._receipt, min(math.ceil(after_s), MAX_VISIBILITY_TIMEOUT_S), "release", self._settle_until
        )

    @property
    def _settle_until(self) -> float:
        # Work ends one margin before the end of the lease. Half of the margin is for sending the settlement, the other
        # half for its way to the queue.
        return self._ends_at - self.source.margin_s / 2


async def _with_deadline(call: Awaitable[Json], until: float) -> Json:
    """Return the response if it comes before the loop time `until`. Raises `TimeoutError`, and what the call raises."""
    loop = asyncio.get_running_loop()
    started = loop.time()
    timeout = asyncio.timeout_at(until)
    try:
        async with timeout:
            return await call
    except TimeoutError:
        if not timeout.expired():
            raise  # a timeout of the client or of the operating system
        raise TimeoutError(f"no response within {loop.time() - started:.3g} s") from None


def _max_receives(policy: str) -> int:
    try:
        return number(json.loads(policy)["maxReceiveCount"]) or MAX_RECEIVES
    except (ValueError, TypeError, KeyError):
        # Taken for the last one, a receive would end a batch that is delivered again.
        return MAX_RECEIVES
