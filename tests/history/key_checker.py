"""Checks what became of keys: the promises of docs/gateway.md about `Idempotency-Key`, one rule for each."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from tests.history.ledger import ENDS
from tests.history.records import Record

KeyRule = Literal[
    "two requests",  # a key has two ids: in its claims, in the queue, or in what clients were told
    "two payloads",  # a key was answered for two payloads, or the container got another one than was answered for
    "told in vain",  # a client was told the id of a request whose message had not been sent
    "sent again",  # a message was sent although a claim said that the request is stored
    "ran again",  # called twice for one delivery, or for one that came after the outcome was durable
    "no answer",  # in the end no client has the id of a key
]
CLAIMS: Final = "_keys"
LONG_STOP_S: Final = 20.0
"""A gateway that stands still for longer, after it has looked whether it was overtaken, may send another message."""
STOP_WINDOW_S: Final = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyViolation:
    """A broken promise. `key`: or the name of its claim."""

    rule: KeyRule
    key: str
    text: str

    def __str__(self) -> str:
        return f"{self.rule}: {self.key}: {self.text}"


def key_of(request_id: str) -> str:
    """Return the key of a request: the simulated gateways name requests `<key>:<client>:<number>`."""
    return request_id.partition(":")[0]


def judge_keys(history: Sequence[Record]) -> list[KeyViolation]:
    """Return the broken promises. `history` is sorted by time; all requests in it have keys."""
    judgement = _Judgement()
    for record in history:
        judgement.check(record)
    return [*judgement.violations, *judgement.close()]


class _Judgement:
    """Checks the records of a history one after the other."""

    def __init__(self) -> None:
        self.violations: list[KeyViolation] = []
        self._keys: set[str] = set()
        self._told: defaultdict[str, set[str]] = defaultdict(set)
        self._answered: defaultdict[str, set[str]] = defaultdict(set)
        """Payloads of a key for which a client was told an id."""
        self._got: defaultdict[str, set[str]] = defaultdict(set)
        """Payloads that the container got for a key."""
        self._sent: defaultdict[str, set[str]] = defaultdict(set)
        self._claimed: defaultdict[str, set[str]] = defaultdict(set)
        self._stored: set[str] = set()
        """Requests of which a claim says that they are stored."""
        self._ended: set[str] = set()
        self._came_late: set[str] = set()
        """Deliveries of requests that had ended."""
        self._calls: Counter[str] = Counter()
        self._stops: list[tuple[float, float]] = []

    def check(self, record: Record) -> None:
        """Check one record against those before it, and remember it."""
        match record.what:
            case "told":
                self._told_(record)
            case "asked" if record.op == "send" and not record.delivery:
                self._check_send(record)
            case "submitted":
                self._sent[key_of(record.ref)].add(record.ref)
            case "done" if record.op == "write" and record.ref == CLAIMS:
                state, _, request_id = record.digest.partition(" ")
                self._claimed[record.name.partition(".")[0]].add(request_id)
                if state == "stored":
                    self._stored.add(request_id)
            case "done" if record.op == "write" and record.name in ENDS:
                self._ended.add(record.ref)
            case "delivered" if record.ref in self._ended:
                self._came_late.add(record.delivery)
            case "called":
                self._called(record)
            case "stopped":
                self._stops.append((record.at, record.seconds))
            case _:
                pass

    def _told_(self, record: Record) -> None:
        self._keys.add(record.name)
        if record.status != 200:
            return
        self._told[record.name].add(record.ref)
        self._answered[record.name].add(record.digest)
        if record.ref not in self._sent[record.name]:
            self._violation("told in vain", record.name, f"{record.ref} at {record.at:.3f}")

    def _check_send(self, record: Record) -> None:
        stopped_s = sum(seconds for at, seconds in self._stops if at > record.at - STOP_WINDOW_S)
        if record.ref in self._stored and stopped_s <= LONG_STOP_S:
            self._violation("sent again", key_of(record.ref), f"{record.ref} by {record.sidecar} at {record.at:.3f}")

    def _called(self, record: Record) -> None:
        key = key_of(record.ref)
        self._got[key].add(record.digest)
        self._calls[record.delivery] += 1
        if self._calls[record.delivery] > 1:
            self._violation("ran again", key, f"delivery {record.delivery} at {record.at:.3f}")
        if record.delivery in self._came_late:
            self._violation("ran again", key, f"delivery {record.delivery} came after the outcome")

    def close(self) -> Iterator[KeyViolation]:
        """Check the state at the end."""
        for what, ids in (("claims", self._claimed), ("messages", self._sent), ("responses", self._told)):
            for key, found in ids.items():
                if len(found) > 1:
                    yield _broken("two requests", key, f"{what} name {', '.join(sorted(found))}")
        for key in sorted(self._keys):
            if not self._told[key]:
                yield _broken("no answer", key, "no client was told an id")
            if len(self._answered[key]) > 1 or self._got[key] - self._answered[key]:
                text = f"answered for {sorted(self._answered[key])}, the container got {sorted(self._got[key])}"
                yield _broken("two payloads", key, text)

    def _violation(self, rule: KeyRule, key: str, text: str) -> None:
        self.violations.append(_broken(rule, key, text))


def _broken(rule: KeyRule, key: str, text: str) -> KeyViolation:
    return KeyViolation(rule=rule, key=key, text=text)
