"""Judges a history: the promises of docs/reliability.md, one rule each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from tests.history.ledger import Delivery, Ledger
from tests.history.records import ON_COMPLETE, Final, Record

Rule = Literal[
    "lost",  # a request has no end, and no queue has it
    "stuck",  # the faults are over, and a queue still has it
    "two ends",  # it is completed and failed
    "end changed",  # what was acknowledged as one end became another one, or another result
    "ack before durable",
    "result of nobody",  # the stored result is no answer that the container gave
    "not silent",  # something was asked for a delivery that was fenced, over, or given back
    "called again",  # although its end was known before the redelivery
    "too many at once",
    "completion",  # not once, or not last
    "answer dropped",  # given back although the container had answered, so that it has to work again
    "received while refused",  # although what cannot be stored, read or settled was known
    "drain",  # took something new, failed what nobody has answered, or kept something to itself
]
REFUSAL_MOMENT_S = 30.0
"""A poll that was under way before may wait for 20 s, and its request may be slow."""
NOT_AN_ANSWER = frozenset({0, 429, 503})
"""No whole answer; or one that says that the work was not done."""
RESULT, COMPLETED, FAILED = "result.json", "status/completed", "status/failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What a history is judged by.

    Attributes:
        kind: of API.
        slots: calls that a sidecar may have under way.
        has_redrive: the queue moves messages to a dead-letter queue.
        transit_s: how long a request may be under way before it is on record; 0 in simulation.
        keeps_answers: what the container answered whole reaches the sidecar whole, and is small enough to be kept.
        settled: the run was given the time to end: nothing may be left in the queue.
    """

    kind: Literal["async", "batch"]
    slots: int
    has_redrive: bool = False
    transit_s: float = 0.0
    settled: bool = True
    keeps_answers: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    """A promise that was not kept, with everything that is on record of the request."""

    rule: Rule
    ref: str
    text: str
    trail: Sequence[Record] = ()

    def __str__(self) -> str:
        trail = "".join(f"\n    {_line(record)}" for record in self.trail)
        return f"{self.rule}: {self.ref}: {self.text}{trail}"


def judge(history: Sequence[Record], final: Final, terms: Terms) -> list[Violation]:
    """Return what was not kept. `history` is in the order of time."""
    judgement = _Judgement(terms)
    for record in history:
        judgement.hear(record)
    judgement.close(final)
    guilty = {violation.ref for violation in judgement.violations}
    trails: dict[str, list[Record]] = {ref: [] for ref in guilty}
    for record in history if guilty else ():
        if record.ref in trails:
            trails[record.ref].append(record)
    return [
        Violation(rule=found.rule, ref=found.ref, text=found.text, trail=tuple(trails[found.ref]))
        for found in judgement.violations
    ]


class _Judgement:
    """Goes through a history once."""

    def __init__(self, terms: Terms) -> None:
        self._terms = terms
        self._ledger = Ledger()
        self.violations: list[Violation] = []

    def hear(self, record: Record) -> None:
        """Judge one record by what came before, then take note of it."""
        match record.what:
            case "asked":
                self._asked(record)
            case "done":
                self._done(record)
            case "called":
                self._called(record)
            case "handed_out":
                self._handed_out(record)
            case "ended":
                self._ended(record)
            case _:
                pass
        self._ledger.note(record)

    def close(self, final: Final) -> None:
        """Judge how things stand at the end."""
        for ref in self._ledger.submitted:
            if ref in final.dead:
                continue
            if ref in final.queued:
                if self._terms.settled:
                    self._guilty("stuck", ref, "still in the queue")
                continue
            if self._terms.kind == "batch":
                if ref not in self._ledger.acked:
                    self._guilty("lost", ref, "never acknowledged, and in no queue")
                continue
            self._close_request(ref, final)
        for message in self._ledger.late_completions:
            self._guilty("completion", message, "told again after it was acknowledged")

    def _close_request(self, ref: str, final: Final) -> None:
        objects = final.objects.get(ref, {})
        ends = {COMPLETED, FAILED} & objects.keys()
        if not ends:
            self._guilty("lost", ref, "no end, and in no queue")
        elif len(ends) == 2:
            self._guilty("two ends", ref, "completed and failed")
        elif ends == {COMPLETED} and RESULT not in objects:
            self._guilty("two ends", ref, "completed without a result")
        known = self._ledger.acked_as.get(ref)
        if known is not None and len(ends) == 1:
            now = (*ends, objects.get(RESULT, "") if COMPLETED in ends else "")
            if now != known:
                self._guilty("end changed", ref, f"acknowledged as {known}, in the end {now}")

    def _asked(self, record: Record) -> None:
        delivery = self._ledger.deliveries.get(record.delivery)
        if delivery is None:
            return
        self._judge_silence(record, delivery)
        if record.op == "ack":
            self._judge_ack(record)
        if record.op == "release" and self._terms.keeps_answers:
            self._judge_release(record, delivery)
        if record.op == "write" and record.name == FAILED and not self._ledger.may_fail(record, self._terms.transit_s):
            self._guilty("drain", record.ref, "failed by a sidecar that is ending, though nobody has answered")

    def _judge_silence(self, record: Record, delivery: Delivery) -> None:
        what = f"{record.op} {record.name} of {record.delivery} at {record.at:.3f}"
        if delivery.acked:
            if record.op == "write":
                self._guilty("not silent", record.ref, f"{what}, acknowledged already")
        elif delivery.fenced:
            self._guilty("not silent", record.ref, f"{what}, fenced already")
        elif delivery.released and record.op != "release":
            self._guilty("not silent", record.ref, f"{what}, given back already")
        elif record.at > delivery.ends_at + self._terms.transit_s:
            self._guilty("not silent", record.ref, f"{what}, its lease was over at {delivery.ends_at:.3f}")

    def _judge_release(self, record: Record, delivery: Delivery) -> None:
        ledger = self._ledger
        is_kept = delivery.answered == 200 if self._terms.kind == "batch" else delivery.answered not in NOT_AN_ANSWER
        is_ending = record.sidecar in ledger.draining or record.sidecar in ledger.killed
        if not is_kept or is_ending or record.ref in ledger.completion_refs:
            return
        if not ledger.ends(record.ref) and RESULT not in ledger.objects[record.ref]:
            self._guilty("answer dropped", record.ref, f"{record.delivery} was answered with {delivery.answered}")

    def _handed_out(self, record: Record) -> None:
        since = min(self._ledger.refused[record.sidecar].values(), default=record.at)
        if record.at > since + REFUSAL_MOMENT_S:
            what = ", ".join(sorted(self._ledger.refused[record.sidecar]))
            self._guilty("received while refused", record.ref, f"{what} since {since:.3f}, received at {record.at:.3f}")

    def _judge_ack(self, record: Record) -> None:
        ledger, ref = self._ledger, record.ref
        if self._terms.kind == "async":
            if not ledger.ends(ref):
                self._guilty("ack before durable", ref, "no end is durable")
            elif COMPLETED in ledger.ends(ref) and RESULT not in ledger.objects[ref]:
                self._guilty("ack before durable", ref, "completed, but no result is durable")
        elif ref in ledger.completion_refs:
            return
        elif ref not in ledger.succeeded and (self._terms.has_redrive or ref not in ledger.tried):
            self._guilty("ack before durable", ref, "the container has not taken it")

    def _done(self, record: Record) -> None:
        if record.op == "write" and record.name == RESULT and record.digest not in self._ledger.answers[record.ref]:
            self._guilty("result of nobody", record.ref, f"{record.digest} is no answer that it got")
        if record.op == "delete" and record.name == COMPLETED:
            self._guilty("end changed", record.ref, "status/completed was deleted")

    def _called(self, record: Record) -> None:
        ledger = self._ledger
        delivery = ledger.deliveries.get(record.delivery) or ledger.latest.get((record.sidecar, record.ref))
        if len(ledger.running[record.sidecar]) + 1 > self._terms.slots and record.name != ON_COMPLETE:
            self._guilty("too many at once", record.ref, f"more than {self._terms.slots} calls by {record.sidecar}")
        if record.name == ON_COMPLETE:
            for ref in ledger.submitted - ledger.acked - ledger.dead - ledger.completion_refs:
                self._guilty("completion", ref, "the job was said to be complete before it")
        elif ledger.told and record.ref not in ledger.acked:
            self._guilty("completion", record.ref, "called after the job was said to be complete")
        if delivery is None:
            return
        if self._terms.kind == "async" and delivery.finished_before and delivery.count > 1:
            self._guilty("called again", record.ref, f"receive {delivery.count}, finished before it was handed out")
        drained_at = ledger.draining.get(record.sidecar)
        if drained_at is not None and delivery.handed_at > drained_at + self._terms.transit_s:
            self._guilty("drain", record.ref, "received and called after the drain began")

    def _ended(self, record: Record) -> None:
        for name, delivery in self._ledger.got[record.sidecar].items():
            if record.at < delivery.usable_until:
                text = f"{record.sidecar} ended and kept {name} from others until {delivery.ends_at:.3f}"
                self._guilty("drain", delivery.ref, text)

    def _guilty(self, rule: Rule, ref: str, text: str) -> None:
        self.violations.append(Violation(rule=rule, ref=ref, text=text))


def _line(record: Record) -> str:
    facts = [f"{record.at:10.3f}", record.sidecar or "-", record.what, record.op, record.name, record.delivery]
    facts += [record.digest, str(record.status or ""), f"#{record.count}" if record.count else ""]
    facts += [f"{record.seconds:g} s" if record.seconds else "", "" if record.whole else "not whole"]
    return " ".join(fact for fact in facts if fact)
