"""The checker itself: a good history passes, and each rule finds a history that breaks it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.history.checker import Rule, Terms, judge
from tests.history.records import BROKE, ON_COMPLETE, Final, Record

ASYNC = Terms(kind="async", slots=1)
BATCH = Terms(kind="batch", slots=1)
OBJECTS = {"r": {"result.json": "42", "status/completed": ""}}


def rec(at: float, what: Any, **facts: Any) -> Record:
    return Record(at=at, what=what, ref=facts.pop("ref", "r"), sidecar=facts.pop("sidecar", "s"), **facts)


def both(at: float, op: Any, **facts: Any) -> list[Record]:
    """A request, and its effect a moment later."""
    return [rec(at, "asked", op=op, **facts), rec(at + 0.1, "done", op=op, **facts)]


def delivery(at: float, name: str = "d1", count: int = 1, **facts: Any) -> Record:
    return rec(at, "delivered", delivery=name, seconds=30.0, count=count, **facts)


def call(at: float, name: str = "d1", *, status: int = 200, path: str = "/", **facts: Any) -> list[Record]:
    common: dict[str, Any] = {"delivery": name, "call": f"c{at}", "name": path, **facts}
    return [
        rec(at, "called", **common),
        rec(at + 0.5, "answered", status=status, digest="42", **common),
        rec(at + 0.6, "left", **common),
    ]


def ending(at: float, name: str = "d1") -> list[Record]:
    return [
        *both(at, "write", delivery=name, name="result.json", digest="42"),
        *both(at + 0.2, "write", delivery=name, name="status/completed"),
        *both(at + 0.4, "ack", delivery=name),
        *both(at + 0.6, "delete", delivery=name, name="payload"),
    ]


SUBMITTED = rec(0, "submitted")
GOOD = [SUBMITTED, delivery(1), *call(2), *ending(3)]
BATCH_DONE = [SUBMITTED, delivery(1), *call(2), *both(3, "ack", delivery="d1")]
COMPLETION = rec(0, "submitted", ref="completion", name="completion")


def completion(at: float, name: str = "e1") -> list[Record]:
    return [
        delivery(at, name, ref="completion"),
        *call(at + 1, name, ref="completion", path=ON_COMPLETE),
        *both(at + 2, "ack", delivery=name, ref="completion"),
    ]


def rules(history: list[Record], final: Final, terms: Terms) -> set[Rule]:
    return {violation.rule for violation in judge(history, final, terms)}


def test_a_good_history_passes() -> None:
    assert rules(GOOD, Final(objects=OBJECTS), ASYNC) == set()
    assert rules([COMPLETION, *BATCH_DONE, *completion(10)], Final(), BATCH) == set()


def test_a_message_that_is_still_queued_is_stuck_and_not_lost() -> None:
    for final, expected in (
        (Final(), {"lost"}),
        (Final(queued=frozenset("r")), {"stuck"}),
        (Final(dead=frozenset("r")), set()),
    ):
        assert rules([SUBMITTED], final, ASYNC) == expected
        assert rules([SUBMITTED], final, BATCH) == expected
    assert rules([SUBMITTED], Final(queued=frozenset("r")), replace(ASYNC, settled=False)) == set()


def without(what: str, name: str) -> list[Record]:
    return [record for record in GOOD if not (record.what == what and record.name == name)]


RESENT = [SUBMITTED, delivery(1), *both(2, "send", delivery="d1"), *both(2.5, "ack", delivery="d1")]
"""A message at its last receive that nothing was done for: it is sent again, and deleted."""


def test_a_message_that_was_sent_again_may_be_acknowledged() -> None:
    after = [delivery(4, "d2"), *call(5, "d2"), *ending(6, "d2")]
    assert rules([*RESENT, *after], Final(objects=OBJECTS), ASYNC) == set()
    assert rules([*RESENT, *after[:-2]], Final(objects=OBJECTS), replace(BATCH, has_redrive=True)) == set()


def test_the_copy_stands_for_the_message() -> None:
    only_asked = [record for record in RESENT if (record.what, record.op) != ("done", "send")]
    assert "ack before durable" in rules(only_asked, Final(queued=frozenset("r")), replace(ASYNC, settled=False))
    late = [*RESENT[:2], *RESENT[4:], *RESENT[2:4]]
    assert "ack before durable" in rules(late, Final(queued=frozenset("r")), replace(ASYNC, settled=False))
    assert rules(RESENT, Final(), ASYNC) == rules(RESENT, Final(), BATCH) == {"lost"}
    assert rules(RESENT, Final(queued=frozenset("r")), ASYNC) == {"stuck"}
    unfinished = [*RESENT, delivery(4, "d2"), *both(5, "ack", delivery="d2")]
    assert "ack before durable" in rules(unfinished, Final(), ASYNC)


FAILED = rec(3.05, "done", op="write", name="status/failed", delivery="d2")
LATER = delivery(40, "d2", 2)


@pytest.mark.parametrize(("accepted_at", "is_clean"), [(5, True), (32, False)])
def test_input_may_be_deleted_after_an_acknowledgement_with_a_stale_receipt_that_the_queue_accepted(
    accepted_at: float, is_clean: bool
) -> None:
    """A stale receipt: SQS can accept it and delete nothing. While the lease lasts, the sidecar cannot know this."""
    history = [record for record in GOOD if record.op not in {"ack", "delete"}] + [
        rec(accepted_at, "stale_ack_accepted", op="ack", delivery="d1"),
        *both(40, "delete", name="payload", delivery="d1"),
        rec(41, "delivered", delivery="d2", seconds=30.0, count=2),
        *both(42, "ack", delivery="d2"),
    ]
    assert ("call after the lease" not in rules(history, Final(objects=OBJECTS), ASYNC)) is is_clean


@pytest.mark.parametrize(
    ("history", "objects", "rule"),
    [
        (without("done", "status/completed"), OBJECTS, "ack before durable"),
        (without("done", "result.json"), OBJECTS, "ack before durable"),
        (without("answered", "/"), OBJECTS, "unknown result"),
        ([*GOOD, FAILED], {"r": {**OBJECTS["r"], "status/failed": ""}}, "two ends"),
        (GOOD, {"r": {"status/failed": ""}}, "end changed"),
        (GOOD, {"r": {"status/completed": "", "result.json": "43"}}, "end changed"),
        (GOOD, {"r": {"status/completed": ""}}, "two ends"),
        ([*GOOD, rec(9, "done", op="delete", name="status/completed")], OBJECTS, "end changed"),
        ([SUBMITTED, delivery(1), *call(2), rec(2.9, "fenced", delivery="d1"), *ending(3)], OBJECTS, "call after the lease"),
        ([SUBMITTED, delivery(1), *call(2), *ending(31.1)], OBJECTS, "call after the lease"),
        ([SUBMITTED, delivery(1), *call(2), *both(2.8, "release", delivery="d1"), *ending(3)], OBJECTS, "call after the lease"),
        ([*GOOD, *both(9, "write", delivery="d1", name="status/completed")], OBJECTS, "call after the lease"),
        ([*GOOD, LATER, *call(41, "d2"), *both(42, "ack", delivery="d2")], OBJECTS, "called again"),
        ([*GOOD[:3], rec(2.1, "called", call="another", delivery="d1", name="/"), *GOOD[3:]], OBJECTS, "too many at once"),
        ([SUBMITTED, rec(0.5, "drain"), *GOOD[1:]], OBJECTS, "drain"),
        ([SUBMITTED, delivery(1), rec(1.1, "received", delivery="d1"), rec(2, "ended")], OBJECTS, "drain"),
        ([SUBMITTED, delivery(1), rec(1.1, "received", delivery="d1", seconds=1.0), rec(29.0, "ended")], OBJECTS, "drain"),
        (
            [
                SUBMITTED,
                delivery(1),
                rec(2, "called", call="c", delivery="d1", name="/"),
                rec(2.1, "drain"),
                rec(2.2, "left", call="c", status=BROKE),
                *both(3, "write", delivery="d1", name="status/failed"),
                *both(4, "ack", delivery="d1"),
            ],
            {"r": {"status/failed": ""}},
            "drain",
        ),
    ],
)  # fmt: skip
def test_each_rule_of_requests_finds_a_history_that_breaks_it(
    history: list[Record], objects: dict[str, dict[str, str]], rule: Rule
) -> None:
    assert rule in rules(history, Final(objects=objects), ASYNC)


@pytest.mark.parametrize(
    ("history", "terms", "rule"),
    [
        ([SUBMITTED, delivery(1), *both(3, "ack", delivery="d1")], BATCH, "ack before durable"),
        ([SUBMITTED, delivery(1), *call(2, status=500), *both(3, "ack", delivery="d1")], replace(BATCH, has_redrive=True), "ack before durable"),
        ([COMPLETION, SUBMITTED, *completion(1), *BATCH_DONE[1:]], BATCH, "completion"),
        ([COMPLETION, *BATCH_DONE, *completion(10), *completion(20, "e2")], BATCH, "completion"),
        ([COMPLETION, *BATCH_DONE[:-2], *completion(10), *BATCH_DONE[-2:]], BATCH, "completion"),
    ],
)  # fmt: skip
def test_each_rule_of_batches_finds_a_history_that_breaks_it(history: list[Record], terms: Terms, rule: Rule) -> None:
    assert rule in rules(history, Final(), terms)


KEEPING = replace(ASYNC, keeps_responses=True)


@pytest.mark.parametrize(("status", "is_found"), [(200, True), (500, True), (503, False), (429, False)])
def test_a_release_after_a_complete_response_is_found(status: int, is_found: bool) -> None:
    dropped = [SUBMITTED, delivery(1), *call(2, status=status), *both(3, "release", delivery="d1")]
    assert ("response dropped" in rules(dropped, Final(), KEEPING)) is is_found
    assert "response dropped" not in rules(dropped, Final(), ASYNC), "a real container cannot know what arrived"
    ending = [SUBMITTED, delivery(1), rec(1.5, "drain"), *dropped[2:]]
    assert "response dropped" not in rules(ending, Final(), KEEPING)


def test_a_receive_while_the_api_is_paused_is_found() -> None:
    paused = [SUBMITTED, rec(1, "paused"), delivery(40)]
    assert "received while paused" in rules(paused, Final(), ASYNC)
    for under_way in (delivery(3), delivery(20, waited_s=19.0), delivery(40, sidecar="other")):
        assert "received while paused" not in rules([*paused[:2], under_way], Final(), ASYNC)
    assert "received while paused" not in rules([*paused[:2], rec(39, "resumed"), delivery(40)], Final(), ASYNC)


@pytest.mark.parametrize("name", ["s3:put", "s3:get", "s3:list", "sqs:delete", "sqs:visibility"])
def test_a_receive_while_a_needed_action_is_refused_is_found(name: str) -> None:
    refused = [SUBMITTED, rec(1, "refused", name=name), delivery(40)]
    assert "received while refused" in rules(refused, Final(), ASYNC)
    for under_way in (delivery(9), delivery(25, waited_s=20.0), delivery(60, waited_s=59.5)):
        assert "received while refused" not in rules([*refused[:2], under_way], Final(), ASYNC)
    allowed = [*refused[:2], rec(35, "allowed", name=name), delivery(40)]
    assert "received while refused" not in rules(allowed, Final(), ASYNC)


@pytest.mark.parametrize("name", ["s3:delete", "sqs:send", "sqs:receive"])
def test_work_continues_without_actions_that_it_does_not_need(name: str) -> None:
    history = [SUBMITTED, rec(1, "refused", name=name), delivery(40)]
    assert "received while refused" not in rules(history, Final(), ASYNC)


def test_a_sidecar_need_not_release_a_message_whose_lease_it_treats_as_lost() -> None:
    # Asked for at 0.1, it may have been delivered then; in the last of the 30 s nothing may be sent.
    history = [SUBMITTED, delivery(1), rec(1.1, "received", delivery="d1", seconds=1.0), rec(29.2, "ended")]
    assert "drain" not in rules(history, Final(), ASYNC)


@pytest.mark.parametrize(("has_response", "is_clean"), [(False, True), (True, False)])
def test_a_renewal_counts_for_a_sidecar_once_it_has_the_response(has_response: bool, is_clean: bool) -> None:
    response = [rec(15.1, "renewed", delivery="d1", seconds=30.0)] if has_response else []
    renewal = [*both(15, "extend", delivery="d1", seconds=30.0), *response]
    history = [SUBMITTED, delivery(1), rec(1.1, "received", delivery="d1"), *renewal, rec(31, "ended")]
    assert ("drain" not in rules(history, Final(), ASYNC)) is is_clean


def test_a_failed_batch_without_a_dead_letter_queue_may_be_acknowledged() -> None:
    history = [SUBMITTED, delivery(1), *call(2, status=500), *both(3, "ack", delivery="d1")]
    assert rules(history, Final(), BATCH) == set()


def test_a_completion_that_was_never_acknowledged_may_come_again() -> None:
    broken_off = completion(10)[:-2]
    assert rules([COMPLETION, *BATCH_DONE, *broken_off, *completion(60, "e2")], Final(), BATCH) == set()


def test_a_request_may_arrive_after_the_lease_within_the_transit_time() -> None:
    history = [SUBMITTED, delivery(1), *call(2), *ending(31.5)]
    assert rules(history, Final(objects=OBJECTS), replace(ASYNC, transit_s=2.0)) == set()


def test_a_violation_shows_all_records_of_its_request_and_no_others() -> None:
    [violation] = judge([SUBMITTED, rec(1, "submitted", ref="other"), delivery(1)], Final(queued=frozenset(["other"]), dead=frozenset()), replace(ASYNC, settled=False))  # fmt: skip
    assert str(violation).startswith("lost: r: ")
    assert "delivered d1 #1 30 s" in str(violation)
    assert "other" not in str(violation)


QUEUE = Terms(kind="queue", slots=9, max_attempts=2)
STORED = both(3, "write", delivery="d1", name="result.json", digest="42")
QUEUE_DONE = [SUBMITTED, delivery(1), *call(2), *STORED, *both(4, "ack", delivery="d1")]


def failed_at(count: int, status: int = 500) -> list[Record]:
    return [SUBMITTED, delivery(1, count=count), *call(2, status=status), *both(4, "ack", delivery="d1")]


def test_a_message_of_any_queue_is_done_with_its_result_or_with_its_last_failed_attempt() -> None:
    assert rules(QUEUE_DONE, Final(), QUEUE) == set()
    assert rules(failed_at(2), Final(), QUEUE) == set()
    assert rules(failed_at(1), Final(), QUEUE) == {"ack before durable"}
    assert rules(failed_at(2), Final(), replace(QUEUE, has_redrive=True)) == {"ack before durable"}
    assert rules(failed_at(2, status=200), Final(), QUEUE) == {"ack before durable"}
    assert rules([SUBMITTED, delivery(1), *call(2), *STORED], Final(), QUEUE) == {"lost"}


def test_a_stored_result_is_not_asked_for_again() -> None:
    again = [*QUEUE_DONE[:-2], delivery(40, "d2", 2), *call(41, "d2"), *both(43, "ack", delivery="d2")]
    assert rules(again, Final(), QUEUE) == {"called again"}
    first = [*QUEUE_DONE[:-2], delivery(40, "d2", 1), *call(41, "d2"), *both(43, "ack", delivery="d2")]
    assert rules(first, Final(), QUEUE) == set(), "a copy of a message does not show that it was received before"


@pytest.mark.parametrize(("groups", "expected"), [(0, set()), (1, {"overtaken"}), (2, set())])
def test_a_later_message_of_a_group_waits_for_the_end_of_the_earlier_ones(groups: int, expected: set[Rule]) -> None:
    second = [delivery(1.5, "d2", ref="second"), *call(2.5, "d2", ref="second")]
    end = [*both(6, "write", ref="second", delivery="d2", name="result.json", digest="42")]
    end += both(7, "ack", ref="second", delivery="d2")
    submitted = [SUBMITTED, rec(0, "submitted", ref="second")]
    history = sorted([*submitted, *QUEUE_DONE[1:], *second, *end], key=lambda record: record.at)
    assert rules(history, Final(), replace(QUEUE, groups=groups)) == expected
    dead = [*submitted, rec(1, "dead_lettered"), *second, *end]
    assert rules(dead, Final(dead=frozenset("r")), replace(QUEUE, groups=1)) == set()


ANNOUNCED = Terms(kind="async", slots=1, announces=True)
SAID = rec(3.35, "announced", delivery="d1", name="status/completed")
PUBLISHED = replace(SAID, what="published")


def with_webhook(*records: Record) -> list[Record]:
    """A good history with announcements, in the order of time."""
    return sorted([*GOOD, *records], key=lambda record: record.at)


def test_an_end_that_is_announced_once_it_is_durable_passes() -> None:
    for more in ([], [replace(SAID, at=9.0), replace(PUBLISHED, at=9.0)]):
        history = with_webhook(SAID, PUBLISHED, *more)
        assert rules(history, Final(objects=OBJECTS), ANNOUNCED) == set()


@pytest.mark.parametrize(
    "records",
    [
        [],
        [replace(SAID, at=3.25)],
        [replace(SAID, at=3.9)],
        [SAID, replace(SAID, at=9.0, name="status/failed")],
    ],
)
def test_a_webhook_that_is_missing_early_late_or_wrong_is_found(records: list[Record]) -> None:
    assert rules(with_webhook(PUBLISHED, *records), Final(objects=OBJECTS), ANNOUNCED) == {"webhook"}


@pytest.mark.parametrize(
    "records",
    [
        [],
        [replace(PUBLISHED, at=3.25)],
        [replace(PUBLISHED, at=3.9)],
        [PUBLISHED, replace(PUBLISHED, at=9.0, name="status/failed")],
    ],
)
def test_so_is_an_event(records: list[Record]) -> None:
    assert rules(with_webhook(SAID, *records), Final(objects=OBJECTS), ANNOUNCED) == {"event"}


CANCELLED = rec(1.5, "cancelled", sidecar="")
SEEN = rec(1.6, "saw")
FAILED_OBJECTS = {"r": {"status/failed": "cancelled"}}


def failing(code: str, *records: Record, deadline_s: float = 0.0, at: float = 3.0) -> list[Record]:
    """A request that nobody wanted, with what happened besides."""
    end = [
        *both(at, "write", delivery="d1", name="status/failed", digest=code),
        *both(at + 0.5, "ack", delivery="d1"),
    ]
    history = [replace(SUBMITTED, seconds=deadline_s), delivery(1), *records, *end]
    return sorted(history, key=lambda record: record.at)


@pytest.mark.parametrize(
    "history",
    [
        failing("cancelled", CANCELLED, SEEN),
        failing("cancelled", CANCELLED, rec(2, "called", call="c"), SEEN, rec(2.5, "left", call="c")),
        failing("expired", deadline_s=2.0),
        failing("cancelled", rec(2, "called", call="c"), rec(2.9, "left", call="c"), deadline_s=2.5),
        failing("cancelled", CANCELLED, rec(2, "drain")),
    ],
)
def test_requests_that_nobody_wants_may_fail(history: list[Record]) -> None:
    assert rules(history, Final(objects=FAILED_OBJECTS), ASYNC) == set()


@pytest.mark.parametrize(
    "history",
    [
        failing("cancelled"),
        failing("expired", CANCELLED),
        failing("expired", deadline_s=10.0),
        failing("cancelled", replace(CANCELLED, at=9.0)),
    ],
)
def test_what_nobody_asked_for_is_found(history: list[Record]) -> None:
    assert rules(history, Final(objects=FAILED_OBJECTS), ASYNC) == {"not asked for"}


@pytest.mark.parametrize(
    "history",
    [
        failing("cancelled", CANCELLED, SEEN, rec(3, "called", call="c"), rec(3.1, "left", call="c"), at=4),
        failing("cancelled", CANCELLED, SEEN, rec(1.55, "called", call="c"), rec(7, "left", call="c"), at=8),
        failing("cancelled", rec(1.1, "called", call="c"), rec(4, "left", call="c"), deadline_s=2.0, at=5),
        failing("expired", rec(4, "called", call="c"), rec(4.1, "left", call="c"), deadline_s=2.0, at=5),
    ],
)
def test_work_that_nobody_wants_is_found(history: list[Record]) -> None:
    assert rules(history, Final(objects=FAILED_OBJECTS), ASYNC) == {"wanted by nobody"}


def test_a_process_that_was_stopped_is_not_late() -> None:
    stop = rec(7, "stopped", sidecar="", ref="", seconds=5.2)
    history = failing(
        "cancelled", CANCELLED, SEEN, rec(1.55, "called", call="c"), stop, rec(7.1, "left", call="c"), at=8
    )
    assert rules(history, Final(objects=FAILED_OBJECTS), ASYNC) == set()
