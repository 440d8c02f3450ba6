"""Checks a history against the promises of docs/reliability.md, one rule for each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from tests.history.ledger import Delivery, Ledger
from tests.history.records import ON_COMPLETE, Final, Record

Rule = Literal[
    "lost",  # a request has no final status, and its message is in no queue
    "stuck",  # the faults are over, and its message is still in the queue
    "two ends",  # the request is completed and failed
    "end changed",  # after the acknowledgement the final status or the result became another one
    "ack before durable",
    "unknown result",  # the stored result is not a response of the container
    "call after the lease",  # a call was made for a delivery that was fenced, over, or released
    "called again",  # although its final status was there before the redelivery
    "too many at once",
    "completion",  # the container was notified not once, or before the last batch
    "response dropped",  # released although the container had responded, so that it has to work again
    "received while refused",  # although it was known that a call that work needs is refused
    "received while paused",  # although the sidecar knew that the API is paused
    "overtaken",  # the container got a message of a group before an earlier one of the group had ended
    "not asked for",  # failed as cancelled or expired, which nobody had asked for
    "wanted by nobody",  # called, or called for longer, although the sidecar knew of the cancellation, or the deadline had passed
    "webhook",  # acknowledged without it, announced before the end was durable, or another end than that which stands
    "event",  # the same of the event that the target of all ends gets
    "drain",  # began new work, failed a request without a response, or ended without a release
]
CUT_DELAY_S = 1.0
"""How long a call may go on after the sidecar has learnt that nobody wants it: the moment in which a timer is late."""
REFUSAL_DELAY_S = 10.0
"""How long after a refusal a receive may still begin: the response that tells of the refusal can be slow."""
PAUSE_DELAY_S = 3.0
"""How long a receive that began before the sidecar knew of a pause may be on its way to the queue."""
UNWANTED = frozenset({"cancelled", "expired"})
"""Codes of requests that failed because nobody wanted them."""
NOT_DONE_STATUSES = frozenset({0, 429, 503})
"""No complete response (0), or one that says that the work was not done."""
RESULT, COMPLETED, FAILED = "result.json", "status/completed", "status/failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What the run of a history was like.

    Attributes:
        kind: of API.
        slots: calls to the container that a sidecar may make at the same time.
        has_redrive: the queue moves messages to a dead-letter queue.
        transit_s: the longest time from the sending of a request to its record, seconds; 0 in simulation.
        keeps_responses: complete responses of the container arrive complete, and are small enough to be kept in memory.
        max_attempts: receives after which a failed attempt deletes a message of any queue without a redrive policy.
        announces: each request has a webhook, and there is a target of events.
        groups: of the messages of any queue, in turn; 0: they have no order.
        settled: the run had enough time to end: the queue must be empty.
    """

    kind: Literal["async", "batch", "queue"]
    slots: int
    has_redrive: bool = False
    transit_s: float = 0.0
    settled: bool = True
    keeps_responses: bool = False
    max_attempts: int = 0
    groups: int = 0
    announces: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    """A broken promise, with all records of its request."""

    rule: Rule
    ref: str
    text: str
    trail: Sequence[Record] = ()

    def __str__(self) -> str:
        trail = "".join(f"\n    {_line(record)}" for record in self.trail)
        return f"{self.rule}: {self.ref}: {self.text}{trail}"


def judge(history: Sequence[Record], final: Final, terms: Terms) -> list[Violation]:
    """Return the broken promises. `history` is sorted by time."""
    judgement = _Judgement(terms)
    for record in history:
        judgement.check(record)
    judgement.close(final)
    broken = {violation.ref for violation in judgement.violations}
    trails: dict[str, list[Record]] = {ref: [] for ref in broken}
    for record in history if broken else ():
        if record.ref in trails:
            trails[record.ref].append(record)
    return [
        Violation(rule=found.rule, ref=found.ref, text=found.text, trail=tuple(trails[found.ref]))
        for found in judgement.violations
    ]


class _Judgement:
    """Checks the records of a history one after the other."""

    def __init__(self, terms: Terms) -> None:
        self._terms = terms
        self._ledger = Ledger()
        self.violations: list[Violation] = []

    def check(self, record: Record) -> None:
        """Check one record against those before it, then add it to the ledger."""
        match record.what:
            case "asked":
                self._asked(record)
            case "done":
                self._done(record)
            case "called":
                self._called(record)
            case "delivered":
                self._delivered(record)
            case "left":
                self._left(record)
            case "announced":
                self._announced("webhook", record)
            case "published":
                self._announced("event", record)
            case "ended":
                self._ended(record)
            case _:
                pass
        self._ledger.add(record)

    def close(self, final: Final) -> None:
        """Check the state at the end."""
        for ref in self._ledger.submitted:
            if ref in final.dead:
                continue
            if ref in final.queued:
                if self._terms.settled:
                    self._violation("stuck", ref, "still in the queue")
                continue
            if self._terms.kind != "async":
                if ref not in self._ledger.acked:
                    self._violation("lost", ref, "never acknowledged, and in no queue")
                continue
            self._close_request(ref, final)
        for message in self._ledger.late_completions:
            self._violation("completion", message, "the container was notified again after the acknowledgement")

    def _close_request(self, ref: str, final: Final) -> None:
        objects = final.objects.get(ref, {})
        ends = {COMPLETED, FAILED} & objects.keys()
        if not ends:
            self._violation("lost", ref, "no final status, and in no queue")
        elif len(ends) == 2:
            self._violation("two ends", ref, "completed and failed")
        elif ends == {COMPLETED} and RESULT not in objects:
            self._violation("two ends", ref, "completed without a result")
        for rule, told in self._told(ref):
            if wrong := told - ends:
                self._violation(rule, ref, f"{', '.join(sorted(wrong))} was announced, and it is {', '.join(ends)}")
        known = self._ledger.acked_as.get(ref)
        if known is not None and len(ends) == 1:
            now = (*ends, objects.get(RESULT, "") if COMPLETED in ends else "")
            if now != known:
                self._violation("end changed", ref, f"acknowledged as {known}, at the end {now}")

    def _left(self, record: Record) -> None:
        ledger = self._ledger
        began_at = ledger.called_at.get(record.call, record.at)
        known_at = ledger.seen.get((record.sidecar, record.ref), record.at)
        unwanted_at = min(known_at, ledger.deadlines.get(record.ref, record.at))
        if ledger.running_s(max(began_at, unwanted_at), record.at) > CUT_DELAY_S + self._terms.transit_s:
            self._violation(
                "wanted by nobody", record.ref, f"called until {record.at:.3f}, since {unwanted_at:.3f} in vain"
            )

    def _check_failure(self, record: Record) -> None:
        """Check that a request that failed because nobody wanted it was not wanted."""
        asked_at, deadline = self._ledger.cancelled.get(record.ref), self._ledger.deadlines.get(record.ref)
        is_late = deadline is not None and record.at >= deadline
        is_cancelled = asked_at is not None and record.at >= asked_at
        if not (is_late or (is_cancelled and record.digest == "cancelled")):
            self._violation("not asked for", record.ref, f"failed as {record.digest} at {record.at:.3f}")

    def _announced(self, rule: Rule, record: Record) -> None:
        if record.name not in self._ledger.ends(record.ref):
            self._violation(rule, record.ref, f"{record.name} was announced before it was durable")

    def _check_told(self, ref: str) -> None:
        for rule, told in self._told(ref):
            if not told:
                self._violation(rule, ref, "acknowledged, and its end was not announced")

    def _told(self, ref: str) -> tuple[tuple[Rule, set[str]], ...]:
        """Return what was announced of a request: to its receiver, and to the target of events."""
        return ("webhook", self._ledger.announced[ref]), ("event", self._ledger.published[ref])

    def _asked(self, record: Record) -> None:
        delivery = self._ledger.deliveries.get(record.delivery)
        if delivery is None:
            return
        if record.op != "send":  # a copy that comes too late is one message more, and none less
            self._check_lease(record, delivery)
        if record.op == "ack" and not delivery.copied:
            self._check_ack(record, delivery)
        if record.op == "release" and self._terms.keeps_responses:
            self._check_release(record, delivery)
        is_failure = record.op == "write" and record.name == FAILED and record.digest not in UNWANTED
        if is_failure and not self._ledger.may_fail(record, self._terms.transit_s):
            self._violation(
                "drain", record.ref, "failed by a sidecar that is ending, without a response of the container"
            )

    def _check_lease(self, record: Record, delivery: Delivery) -> None:
        what = f"{record.op} {record.name} of {record.delivery} at {record.at:.3f}"
        if delivery.acked:
            if record.op == "write":
                self._violation("call after the lease", record.ref, f"{what}, acknowledged already")
        elif delivery.fenced:
            self._violation("call after the lease", record.ref, f"{what}, fenced already")
        elif delivery.released and record.op != "release":
            self._violation("call after the lease", record.ref, f"{what}, released already")
        elif record.at > delivery.ends_at + self._terms.transit_s:
            self._violation("call after the lease", record.ref, f"{what}, its lease was over at {delivery.ends_at:.3f}")

    def _check_release(self, record: Record, delivery: Delivery) -> None:
        ledger = self._ledger
        is_kept = (
            delivery.answered not in NOT_DONE_STATUSES if self._terms.kind == "async" else delivery.answered == 200
        )
        is_ending = record.sidecar in ledger.draining or record.sidecar in ledger.killed
        if not is_kept or is_ending or record.ref in ledger.completion_refs:
            return
        if not ledger.ends(record.ref) and RESULT not in ledger.objects[record.ref]:
            self._violation("response dropped", record.ref, f"{record.delivery} was answered with {delivery.answered}")

    def _delivered(self, record: Record) -> None:
        since = min(self._ledger.refused[record.sidecar].values(), default=record.at)
        # A poll that began before the refusal waits at the queue, and longer when its process is stopped meanwhile.
        if record.at - record.waited_s > since + REFUSAL_DELAY_S:
            what = ", ".join(sorted(self._ledger.refused[record.sidecar]))
            self._violation(
                "received while refused", record.ref, f"{what} since {since:.3f}, received at {record.at:.3f}"
            )

        paused_at = self._ledger.paused.get(record.sidecar, record.at)
        if record.at - record.waited_s > paused_at + PAUSE_DELAY_S:
            self._violation("received while paused", record.ref, f"since {paused_at:.3f}, received at {record.at:.3f}")

    def _check_ack(self, record: Record, delivery: Delivery) -> None:
        ledger, ref = self._ledger, record.ref
        if self._terms.announces:
            self._check_told(ref)
        if self._terms.kind == "async":
            if not ledger.ends(ref):
                self._violation("ack before durable", ref, "no final status is durable")
            elif COMPLETED in ledger.ends(ref) and RESULT not in ledger.objects[ref]:
                self._violation("ack before durable", ref, "completed, but no result is durable")
        elif self._terms.kind == "queue":
            if RESULT in ledger.objects[ref]:
                return
            is_last = not self._terms.has_redrive and delivery.count >= self._terms.max_attempts
            if delivery.answered == 200 or not is_last:
                self._violation("ack before durable", ref, f"no result is durable, receive {delivery.count}")
        elif ref in ledger.completion_refs:
            return
        elif ref not in ledger.succeeded and (self._terms.has_redrive or ref not in ledger.tried):
            self._violation("ack before durable", ref, "the container has not processed it")

    def _done(self, record: Record) -> None:
        if record.op == "write" and record.name == RESULT and record.digest not in self._ledger.answers[record.ref]:
            self._violation("unknown result", record.ref, f"{record.digest} is not a response of the container")
        if record.op == "write" and record.name == FAILED and record.digest in UNWANTED:
            self._check_failure(record)
        if record.op == "delete" and record.name == COMPLETED:
            self._violation("end changed", record.ref, "status/completed was deleted")

    def _called(self, record: Record) -> None:
        ledger = self._ledger
        delivery = ledger.deliveries.get(record.delivery) or ledger.latest.get((record.sidecar, record.ref))
        if len(ledger.running[record.sidecar]) + 1 > self._terms.slots and record.name != ON_COMPLETE:
            self._violation("too many at once", record.ref, f"more than {self._terms.slots} calls by {record.sidecar}")
        if record.name == ON_COMPLETE:
            for ref in ledger.submitted - ledger.acked - ledger.dead - ledger.completion_refs:
                self._violation("completion", ref, "the container was notified of the completion before it")
        elif ledger.notified and record.ref not in ledger.acked:
            self._violation("completion", record.ref, "called after the completion")
        if delivery is None:
            return
        if self._terms.kind == "async" and delivery.finished_before and delivery.count > 1:
            self._violation("called again", record.ref, f"receive {delivery.count}, finished before it was delivered")
        if self._terms.kind == "queue" and delivery.stored_before and delivery.count > 1:
            self._violation("called again", record.ref, f"receive {delivery.count}, stored before it was delivered")
        seen_at = ledger.seen.get((record.sidecar, record.ref), record.at)
        unwanted_at = min(seen_at, ledger.deadlines.get(record.ref, record.at))
        if ledger.running_s(unwanted_at, record.at) > CUT_DELAY_S:
            self._violation("wanted by nobody", record.ref, "called although the sidecar knew that nobody wants it")
        self._check_order(record.ref)
        drained_at = ledger.draining.get(record.sidecar)
        if drained_at is not None and delivery.handed_at > drained_at + self._terms.transit_s:
            self._violation("drain", record.ref, "received and called after the drain began")

    def _check_order(self, ref: str) -> None:
        groups, ledger = self._terms.groups, self._ledger
        if not groups:
            return
        at = ledger.order.index(ref)
        for earlier in ledger.order[at % groups : at : groups]:
            if earlier not in ledger.acked and earlier not in ledger.dead:
                self._violation("overtaken", ref, f"{earlier} of its group had not ended")

    def _ended(self, record: Record) -> None:
        for name, delivery in self._ledger.unsettled[record.sidecar].items():
            if record.at < delivery.usable_until:
                text = (
                    f"{record.sidecar} ended without a release of {name}, which is hidden until {delivery.ends_at:.3f}"
                )
                self._violation("drain", delivery.ref, text)

    def _violation(self, rule: Rule, ref: str, text: str) -> None:
        self.violations.append(Violation(rule=rule, ref=ref, text=text))


def _line(record: Record) -> str:
    facts = [f"{record.at:10.3f}", record.sidecar or "-", record.what, record.op, record.name, record.delivery]
    facts += [record.digest, str(record.status or ""), f"#{record.count}" if record.count else ""]
    facts += [f"{record.seconds:g} s" if record.seconds else "", "" if record.whole else "not whole"]
    return " ".join(fact for fact in facts if fact)
