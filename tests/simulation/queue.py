"""A queue of SQS with its odd habits: leases, redrive, duplicates, stale receipts, counts that lag."""

from __future__ import annotations

import asyncio
import heapq
import itertools
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.history.records import Op, Record
from tests.simulation.clock import EPOCH_S
from tests.simulation.weather import Weather

COUNTS_LAG_S = 3.0


@dataclass(slots=True, eq=False)
class Letter:
    """One message in the queue."""

    number: int
    ref: str
    body: str
    attributes: Mapping[str, Any]
    sent_at: float
    visible_at: float
    count: int = 0
    receipts: list[str] = field(default_factory=list)
    is_there: bool = True
    may_repeat: bool = True


class Queue:
    """The server. `strict`: stale receipts are refused; otherwise taken and ignored, as SQS may do, too."""

    def __init__(self, weather: Weather, tell: Callable[[Record], None], max_receives: int | None) -> None:
        self._weather = weather
        self._tell = tell
        self._max_receives = max_receives
        self._strict = random.random() < 0.5
        self._numbers = itertools.count(1)
        self._letters: dict[str, Letter] = {}
        self._visible: list[tuple[float, int, Letter]] = []
        self._arrival = asyncio.Event()
        self._counted: tuple[float, dict[str, str]] = (-COUNTS_LAG_S, {})
        self.there: set[Letter] = set()
        self.dead: set[str] = set()

    @property
    def has_redrive(self) -> bool:
        """Whether there is a dead-letter queue."""
        return self._max_receives is not None

    def submit(self, ref: str, body: str, kind: str = "", attributes: Mapping[str, Any] | None = None) -> None:
        """Put a message in."""
        self._tell(Record(at=_now(), what="submitted", ref=ref, name=kind))
        letter = Letter(
            next(self._numbers), ref, body, attributes or {}, _now(), _now(), may_repeat=kind != "completion"
        )
        self.there.add(letter)
        self._show(letter, 0)

    def _show(self, letter: Letter, after_s: float) -> None:
        letter.visible_at = _now() + after_s
        heapq.heappush(self._visible, (letter.visible_at, letter.number, letter))
        self._arrival.set()

    async def wait_visible(self, wait_s: float) -> None:
        """Wait until there may be something to hand out, `wait_s` at most."""
        ends = _now() + wait_s
        while not (self._visible and self._visible[0][0] <= _now()):
            self._arrival.clear()
            next_s = min(ends, self._visible[0][0]) if self._visible else ends
            if next_s <= _now():
                return
            try:
                async with asyncio.timeout_at(next_s):
                    await self._arrival.wait()
            except TimeoutError:
                if _now() >= ends:
                    return

    def hand_out(self, sidecar: str, limit: int, length_s: float, waited_s: float = 0.0) -> list[dict[str, Any]]:
        """Give away what is visible. `waited_s`: for how long the receive has been under way."""
        answer: list[dict[str, Any]] = []
        while len(answer) < limit and self._visible and self._visible[0][0] <= _now():
            at, _, letter = heapq.heappop(self._visible)
            if not letter.is_there or at != letter.visible_at:
                continue  # gone, or hidden again since
            if self._max_receives is not None and letter.count >= self._max_receives:
                self._bury(letter)
                continue
            answer.append(self._give(letter, sidecar, length_s, waited_s))
        return answer

    def _bury(self, letter: Letter) -> None:
        letter.is_there = False
        self.there.discard(letter)
        self.dead.add(letter.ref)
        self._tell(Record(at=_now(), what="dead_lettered", ref=letter.ref))

    def _give(self, letter: Letter, sidecar: str, length_s: float, waited_s: float) -> dict[str, Any]:
        letter.count += 1
        receipt = f"{letter.number}/{len(letter.receipts) + 1}"
        letter.receipts.append(receipt)
        self._letters[receipt] = letter
        self._tell(
            Record(
                at=_now(),
                what="delivered",
                sidecar=sidecar,
                ref=letter.ref,
                delivery=receipt,
                seconds=length_s,
                waited_s=waited_s,
                count=letter.count,
            )
        )
        is_twice = letter.may_repeat and random.random() < self._weather.duplicated
        self._show(letter, random.uniform(0.0, 2.0) if is_twice else length_s)
        return {
            "MessageId": str(letter.number),
            "ReceiptHandle": receipt,
            "Body": letter.body,
            "Attributes": {
                "ApproximateReceiveCount": str(letter.count),
                "SentTimestamp": str(int((EPOCH_S + letter.sent_at) * 1000)),
            },
            "MessageAttributes": {**letter.attributes, "delivery": _text(receipt), "ref": _text(letter.ref)},
        }

    def ref(self, receipt: str) -> str:
        """Return what a receipt is for."""
        return self._letters[receipt].ref

    def delete(self, sidecar: str, receipt: str) -> str | None:
        """Delete one; an error code when it is refused."""
        letter = self._letters[receipt]
        if letter.is_there and receipt != letter.receipts[-1]:
            if self._strict:
                return "ReceiptHandleIsInvalid"
            self._tell(Record(at=_now(), what="believed", sidecar=sidecar, ref=letter.ref, delivery=receipt))
            return None
        self._tell(Record(at=_now(), what="done", op="ack", sidecar=sidecar, ref=letter.ref, delivery=receipt))
        if letter.is_there:
            letter.is_there = False
            self.there.discard(letter)
            if letter.may_repeat and random.random() < self._weather.undead:
                letter.is_there = True
                self.there.add(letter)
                self._show(letter, random.uniform(0.0, 60.0))
        return None

    def hide(self, sidecar: str, receipt: str, seconds: int, op: Op) -> str | None:
        """Change a visibility; an error code when it is refused."""
        letter = self._letters[receipt]
        if not letter.is_there or receipt != letter.receipts[-1]:
            return "ReceiptHandleIsInvalid"
        if letter.visible_at <= _now():
            return "MessageNotInflight"
        self._tell(
            Record(
                at=_now(), what="done", op=op, sidecar=sidecar, ref=letter.ref, delivery=receipt, seconds=float(seconds)
            )
        )
        self._show(letter, seconds)
        return None

    def counts(self) -> dict[str, str]:
        """Count, sometimes as things were a moment ago."""
        at, counted = self._counted
        if _now() - at < COUNTS_LAG_S and random.random() < 0.3:
            return counted
        visible = sum(letter.visible_at <= _now() for letter in self.there)
        names = {"": visible, "NotVisible": len(self.there) - visible, "Delayed": 0}
        counted = {f"ApproximateNumberOfMessages{name}": str(count) for name, count in names.items()}
        self._counted = (_now(), counted)
        return counted


def _text(value: str) -> dict[str, str]:
    return {"DataType": "String", "StringValue": value}


def _now() -> float:
    return asyncio.get_running_loop().time()
