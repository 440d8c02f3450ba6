"""The state of a run after each record of its history."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from tests.history.records import BROKE, ON_COMPLETE, Record, What

DISPENSABLE = frozenset({"s3:delete", "sqs:send", "sqs:receive"})
"""A sidecar continues when these actions are refused. A refused receive brings no messages anyway."""
ENDS = frozenset({"status/completed", "status/failed"})


@dataclass(slots=True, kw_only=True)
class Delivery:
    """One receipt.

    Attributes:
        ref: the request or batch.
        handed_at: when the queue delivered it.
        ends_at: when its lease ends for the queue.
        count: its receive count.
        copied: its message was sent again as a new one, which stands for it from then on.
        answered: status of the complete response to its call; 0: none.
        finished_before: the request had its final status before this delivery.
        stored_before: it had a result.
        usable_until: from then on the sidecar must treat the lease as lost, and must not even release the message.
    """

    ref: str
    handed_at: float
    ends_at: float
    count: int
    finished_before: bool
    stored_before: bool = False
    fenced: bool = False
    acked: bool = False
    released: bool = False
    copied: bool = False
    answered: int = 0
    usable_until: float = 0.0
    extended_at: float = 0.0


class Ledger:
    """All facts so far, in the form that the rules need."""

    def __init__(self) -> None:
        self.submitted: set[str] = set()
        self.order: list[str] = []
        self.completion_refs: set[str] = set()
        self.invalid: set[str] = set()
        self.dead: set[str] = set()
        self.acked: set[str] = set()
        self.acked_as: dict[str, tuple[str, str]] = {}
        self.objects: defaultdict[str, dict[str, str]] = defaultdict(dict)
        self.cancelled: dict[str, float] = {}
        """When the cancellation of a request was asked for first."""
        self.deadlines: dict[str, float] = {}
        self.seen: dict[tuple[str, str], float] = {}
        """When a sidecar learnt that a request is to be cancelled."""
        self._stops: list[tuple[float, float]] = []
        self.called_at: dict[str, float] = {}
        """When each call that is under way began."""
        self.announced: defaultdict[str, set[str]] = defaultdict(set)
        self.published: defaultdict[str, set[str]] = defaultdict(set)
        self.answers: defaultdict[str, set[str]] = defaultdict(set)
        self.succeeded: set[str] = set()
        self.tried: set[str] = set()
        self.deliveries: dict[str, Delivery] = {}
        self.latest: dict[tuple[str, str], Delivery] = {}
        self.running: defaultdict[str, set[str]] = defaultdict(set)
        self.draining: dict[str, float] = {}
        self.killed: set[str] = set()
        self.notified: set[str] = set()
        """Deliveries of completion messages with which the container accepted the completion."""
        self.late_completions: set[str] = set()
        self._notified_and_acked = False
        self.unsettled: defaultdict[str, dict[str, Delivery]] = defaultdict(dict)
        """The deliveries that each sidecar has received and not yet settled."""
        self.refused: defaultdict[str, dict[str, float]] = defaultdict(dict)
        """The actions that each sidecar needs and is refused, and since when."""
        self.paused: dict[str, float] = {}
        """The sidecars that know of a pause, and since when."""
        self._broke_at: dict[tuple[str, str], float] = {}
        self._by_what: Mapping[What, Callable[[Record], None]] = {
            "submitted": self._submitted,
            "delivered": self._delivered,
            "received": self._received,
            "renewed": self._renewed,
            "asked": self._asked,
            "dead_lettered": self._dead_lettered,
            "done": self._done,
            "stale_ack_accepted": self._stale_ack_accepted,
            "called": self._called,
            "answered": self._answered,
            "left": self._left,
            "fenced": self._fenced,
            "announced": self._announced,
            "published": self._published,
            "cancelled": self._cancelled,
            "stopped": self._stopped,
            "saw": self._saw,
            "drain": self._drain,
            "refused": self._refused,
            "allowed": self._allowed,
            "paused": self._paused,
            "resumed": self._resumed,
            "killed": self._killed,
        }

    def ends(self, ref: str) -> frozenset[str]:
        """Return the final statuses that are durable."""
        return ENDS & self.objects[ref].keys()

    def may_fail(self, record: Record, transit_s: float) -> bool:
        """Tell whether a sidecar may fail a request. It may not when only the drain has stopped its container."""
        drained_at = self.draining.get(record.sidecar)
        if drained_at is None or record.ref in self.invalid:
            return True
        return self._broke_at.get((record.sidecar, record.ref), 0.0) <= drained_at + transit_s

    def add(self, record: Record) -> None:
        """Add the fact of one record."""
        handler = self._by_what.get(record.what)
        if handler is not None:
            handler(record)

    def _submitted(self, record: Record) -> None:
        if record.ref not in self.submitted:
            self.order.append(record.ref)
        self.submitted.add(record.ref)
        if record.seconds:
            self.deadlines[record.ref] = record.at + record.seconds
        if record.name == "completion":
            self.completion_refs.add(record.ref)
        elif record.name == "invalid_input":
            self.invalid.add(record.ref)

    def _received(self, record: Record) -> None:
        delivery = self.deliveries[record.delivery]
        length_s = delivery.ends_at - delivery.handed_at
        # The sidecar counts from when it asked, less a margin: it may have been delivered at once.
        delivery.usable_until = record.at - record.seconds + length_s - min(1.0, length_s / 10)
        if record.at < delivery.usable_until:
            self.unsettled[record.sidecar][record.delivery] = delivery

    def _renewed(self, record: Record) -> None:
        # Not when the queue extended it: the sidecar may be stopped before it has the response.
        delivery = self.deliveries[record.delivery]
        delivery.usable_until = delivery.extended_at + record.seconds - min(1.0, record.seconds / 10)

    def _asked(self, record: Record) -> None:
        if record.op in {"ack", "release"}:
            self.unsettled[record.sidecar].pop(record.delivery, None)
        elif record.op == "extend" and record.delivery in self.deliveries:
            self.deliveries[record.delivery].extended_at = record.at

    def _called(self, record: Record) -> None:
        self.running[record.sidecar].add(record.call)
        self.called_at[record.call] = record.at
        if record.name == ON_COMPLETE and self._notified_and_acked:
            self.late_completions.add(record.ref)

    def _left(self, record: Record) -> None:
        self.running[record.sidecar].discard(record.call)
        self.called_at.pop(record.call, None)
        self.tried.add(record.ref)
        if record.status == BROKE:
            self._broke_at[record.sidecar, record.ref] = record.at

    def _fenced(self, record: Record) -> None:
        if record.delivery in self.deliveries:
            self.deliveries[record.delivery].fenced = True
            self.unsettled[record.sidecar].pop(record.delivery, None)

    def _refused(self, record: Record) -> None:
        if record.name not in DISPENSABLE:
            self.refused[record.sidecar].setdefault(record.name, record.at)

    def _allowed(self, record: Record) -> None:
        self.refused[record.sidecar].pop(record.name, None)

    def _paused(self, record: Record) -> None:
        self.paused[record.sidecar] = record.at

    def _resumed(self, record: Record) -> None:
        self.paused.pop(record.sidecar, None)

    def _stopped(self, record: Record) -> None:
        self._stops.append((record.at, record.seconds))

    def running_s(self, since: float, until: float) -> float:
        """Return for how long processes ran between two times; less than that when a stop began before."""
        return until - since - sum(seconds for at, seconds in self._stops if since < at <= until)

    def _cancelled(self, record: Record) -> None:
        self.cancelled.setdefault(record.ref, record.at)

    def _saw(self, record: Record) -> None:
        self.seen.setdefault((record.sidecar, record.ref), record.at)

    def _announced(self, record: Record) -> None:
        self.announced[record.ref].add(record.name)

    def _published(self, record: Record) -> None:
        self.published[record.ref].add(record.name)

    def _drain(self, record: Record) -> None:
        self.draining.setdefault(record.sidecar, record.at)

    def _killed(self, record: Record) -> None:
        self.running.pop(record.sidecar, None)
        self.killed.add(record.sidecar)

    def _dead_lettered(self, record: Record) -> None:
        self.dead.add(record.ref)

    def _delivered(self, record: Record) -> None:
        delivery = Delivery(
            ref=record.ref,
            handed_at=record.at,
            ends_at=record.at + record.seconds,
            count=record.count,
            finished_before=bool(self.ends(record.ref)),
            stored_before="result.json" in self.objects[record.ref],
        )
        self.deliveries[record.delivery] = self.latest[record.sidecar, record.ref] = delivery

    def _answered(self, record: Record) -> None:
        if record.whole and (delivery := self.deliveries.get(record.delivery)) is not None:
            delivery.answered = record.status
        self._broke_at.pop((record.sidecar, record.ref), None)
        if record.status == 200:
            self.answers[record.ref].add(record.digest)
            if record.whole:
                self.succeeded.add(record.ref)
        if record.name == ON_COMPLETE and record.status in {200, 404} and record.whole:
            self.notified.add(record.delivery)

    def _stale_ack_accepted(self, record: Record) -> None:
        # While its lease lasts, the sidecar cannot know that nothing was deleted: it may act as after an
        # acknowledgement.
        # The message does not count as deleted.
        delivery = self.deliveries.get(record.delivery)
        if delivery is not None and record.at < delivery.ends_at:
            delivery.acked = True

    def _done(self, record: Record) -> None:
        delivery = self.deliveries.get(record.delivery)
        if record.op == "write":
            self.objects[record.ref][record.name] = record.digest
        elif record.op == "delete":
            self.objects[record.ref].pop(record.name, None)
        elif delivery is None:
            return
        elif record.op == "extend":
            delivery.ends_at = record.at + record.seconds
        elif record.op == "release":
            delivery.released = True
        elif record.op == "send":
            delivery.copied = True
        elif record.op == "ack":
            delivery.acked = True
            if not delivery.copied:
                self.acked.add(record.ref)
            self._notified_and_acked |= record.delivery in self.notified
            if len(ends := self.ends(record.ref)) == 1:
                [end] = ends
                result = self.objects[record.ref].get("result.json", "") if end == "status/completed" else ""
                self.acked_as.setdefault(record.ref, (end, result))
