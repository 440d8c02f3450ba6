"""A simulated SQS queue: leases, redrive, duplicates, stale receipts, and counts that can be out of date."""

from __future__ import annotations

import asyncio
import heapq
import itertools
import math
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.history.records import Op, Record
from tests.simulation.clock import EPOCH_S
from tests.simulation.network import FaultRates

COUNTS_LAG_S = 3.0
"""The maximum age of the counts that the queue returns."""


@dataclass(slots=True, eq=False)
class QueuedMessage:
    """One message in the queue."""

    number: int
    ref: str
    body: str
    attributes: Mapping[str, Any]
    group: str
    sent_at: float
    visible_at: float
    count: int = 0
    receipts: list[str] = field(default_factory=list)
    is_present: bool = True
    may_be_duplicated: bool = True


class Queue:
    """The server. When `_strict`, stale receipts are refused; else they are accepted and ignored. SQS may do either."""

    def __init__(self, rates: FaultRates, record: Callable[[Record], None], max_receives: int | None) -> None:
        self._rates = rates
        self._record = record
        self.max_receives = max_receives
        self._strict = random.random() < 0.5
        self._numbers = itertools.count(1)
        self._by_receipt: dict[str, QueuedMessage] = {}
        self._visible: list[tuple[float, int, QueuedMessage]] = []
        self._arrival = asyncio.Event()
        self._has_groups = False
        self._counted: tuple[float, dict[str, str]] = (-COUNTS_LAG_S, {})
        self.messages: set[QueuedMessage] = set()
        self.dead: set[str] = set()

    @property
    def has_redrive(self) -> bool:
        """Whether there is a dead-message queue."""
        return self.max_receives is not None

    def submit(
        self,
        ref: str,
        body: str,
        kind: str = "",
        attributes: Mapping[str, Any] | None = None,
        group: str = "",
        *,
        deadline_s: float = 0.0,
    ) -> None:
        """Add a message. `kind` is recorded: `completion`, or `invalid_input`. `group`: of a FIFO queue; "": none.

        `deadline_s`: from now, which `attributes` say, too; 0: there is none.
        """
        self._record(Record(at=_now(), what="submitted", ref=ref, name=kind, seconds=deadline_s))
        message = QueuedMessage(
            next(self._numbers),
            ref,
            body,
            attributes or {},
            group,
            _now(),
            _now(),
            may_be_duplicated=kind != "completion" and not group,
        )
        self._has_groups |= bool(group)
        self.messages.add(message)
        self._make_visible_after(message, 0)

    def _make_visible_after(self, message: QueuedMessage, after_s: float) -> None:
        message.visible_at = _now() + after_s
        heapq.heappush(self._visible, (message.visible_at, message.number, message))
        self._arrival.set()

    async def wait_visible(self, wait_s: float) -> None:
        """Wait until a message is visible, at most `wait_s`."""
        ends = _now() + wait_s
        while (visible_at := self._next_visible_at()) > _now():
            self._arrival.clear()
            next_s = min(ends, visible_at)
            if next_s <= _now():
                return
            try:
                async with asyncio.timeout_at(next_s):
                    await self._arrival.wait()
            except TimeoutError:
                if _now() >= ends:
                    return

    def _next_visible_at(self) -> float:
        if self._has_groups:
            return min((messages[0].visible_at for messages in self._by_group().values()), default=math.inf)
        return self._visible[0][0] if self._visible else math.inf

    def _by_group(self) -> dict[str, list[QueuedMessage]]:
        """Return the messages of each group in their order."""
        groups: dict[str, list[QueuedMessage]] = {}
        for message in sorted(self.messages, key=lambda message: message.number):
            groups.setdefault(message.group, []).append(message)
        return groups

    def _deliver_groups(self, sidecar: str, limit: int, length_s: float, waited_s: float) -> list[dict[str, Any]]:
        """Deliver as a FIFO queue: of a group as many as there are in a row, and none while one is in flight."""
        response: list[dict[str, Any]] = []
        for messages in self._by_group().values():
            for message in messages:
                if len(response) == limit or message.visible_at > _now():
                    break
                if self.max_receives is not None and message.count >= self.max_receives:
                    self._dead_letter(message)
                else:
                    response.append(self._deliver(message, sidecar, length_s, waited_s))
        return response

    def deliver(self, sidecar: str, limit: int, length_s: float, waited_s: float = 0.0) -> list[dict[str, Any]]:
        """Deliver visible messages. `waited_s`: the time since the receive began."""
        if self._has_groups:
            return self._deliver_groups(sidecar, limit, length_s, waited_s)
        response: list[dict[str, Any]] = []
        while len(response) < limit and self._visible and self._visible[0][0] <= _now():
            at, _, message = heapq.heappop(self._visible)
            if not message.is_present or at != message.visible_at:
                continue  # deleted, or hidden again since this entry was added
            if self.max_receives is not None and message.count >= self.max_receives:
                self._dead_letter(message)
                continue
            response.append(self._deliver(message, sidecar, length_s, waited_s))
        return response

    def _dead_letter(self, message: QueuedMessage) -> None:
        message.is_present = False
        self.messages.discard(message)
        self.dead.add(message.ref)
        self._record(Record(at=_now(), what="dead_lettered", ref=message.ref))

    def _deliver(self, message: QueuedMessage, sidecar: str, length_s: float, waited_s: float) -> dict[str, Any]:
        message.count += 1
        receipt = f"{message.number}/{len(message.receipts) + 1}"
        message.receipts.append(receipt)
        self._by_receipt[receipt] = message
        self._record(
            Record(
                at=_now(),
                what="delivered",
                sidecar=sidecar,
                ref=message.ref,
                delivery=receipt,
                seconds=length_s,
                waited_s=waited_s,
                count=message.count,
            )
        )
        is_duplicate = message.may_be_duplicated and random.random() < self._rates.duplicated
        self._make_visible_after(message, random.uniform(0.0, 2.0) if is_duplicate else length_s)
        return {
            "MessageId": f"{message.ref}.{message.number}",
            "ReceiptHandle": receipt,
            "Body": message.body,
            "Attributes": {
                "ApproximateReceiveCount": str(message.count),
                "SentTimestamp": str(int((EPOCH_S + message.sent_at) * 1000)),
            },
            "MessageAttributes": {**message.attributes, "delivery": _text(receipt), "ref": _text(message.ref)},
        }

    def ref(self, receipt: str) -> str:
        """Return the request or batch that a receipt belongs to."""
        return self._by_receipt[receipt].ref

    def delete(self, sidecar: str, receipt: str) -> str | None:
        """Delete a message. Return an error code when that is refused."""
        message = self._by_receipt[receipt]
        if message.is_present and receipt != message.receipts[-1]:
            if self._strict:
                return "ReceiptHandleIsInvalid"
            self._record(
                Record(at=_now(), what="stale_ack_accepted", sidecar=sidecar, ref=message.ref, delivery=receipt)
            )
            return None
        self._record(Record(at=_now(), what="done", op="ack", sidecar=sidecar, ref=message.ref, delivery=receipt))
        if message.is_present:
            message.is_present = False
            self.messages.discard(message)
            self._arrival.set()
            if message.may_be_duplicated and random.random() < self._rates.deletion_undone:
                message.is_present = True
                self.messages.add(message)
                self._make_visible_after(message, random.uniform(0.0, 60.0))
        return None

    def hide(self, sidecar: str, receipt: str, seconds: int, op: Op) -> str | None:
        """Change the visibility of a message. Return an error code when that is refused."""
        message = self._by_receipt[receipt]
        if not message.is_present or receipt != message.receipts[-1]:
            return "ReceiptHandleIsInvalid"
        if message.visible_at <= _now():
            return "MessageNotInflight"
        self._record(
            Record(
                at=_now(),
                what="done",
                op=op,
                sidecar=sidecar,
                ref=message.ref,
                delivery=receipt,
                seconds=float(seconds),
            )
        )
        self._make_visible_after(message, seconds)
        return None

    def counts(self) -> dict[str, str]:
        """Return the counts. They can be up to `COUNTS_LAG_S` old."""
        at, counted = self._counted
        if _now() - at < COUNTS_LAG_S and random.random() < 0.3:
            return counted
        visible = sum(message.visible_at <= _now() for message in self.messages)
        names = {"": visible, "NotVisible": len(self.messages) - visible, "Delayed": 0}
        counted = {f"ApproximateNumberOfMessages{name}": str(count) for name, count in names.items()}
        self._counted = (_now(), counted)
        return counted


def _text(value: str) -> dict[str, str]:
    return {"DataType": "String", "StringValue": value}


def _now() -> float:
    return asyncio.get_running_loop().time()
