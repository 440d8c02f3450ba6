"""The checker of keys itself: a good history passes, and each rule finds a history that breaks it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.history.key_checker import CLAIMS, KeyRule, judge_keys
from tests.history.records import Record


def rec(at: float, what: Any, ref: str = "k:0:0", **facts: Any) -> Record:
    return Record(at=at, what=what, ref=ref, **facts)


def told(at: float, ref: str = "k:0:0", payload: str = "one") -> Record:
    return rec(at, "told", ref, name="k", digest=payload, status=200)


def refused(at: float, status: int) -> Record:
    return rec(at, "told", "", name="k", digest="one", status=status)


def claim(at: float, text: str = "storing k:0:0", name: str = "digest") -> Record:
    return rec(at, "done", CLAIMS, op="write", name=name, digest=text)


def sent(at: float, ref: str = "k:0:0") -> list[Record]:
    return [rec(at, "asked", ref, op="send", sidecar="g1"), rec(at + 0.1, "submitted", ref)]


def run(at: float, delivery: str = "d1", payload: str = "one") -> list[Record]:
    return [
        rec(at, "delivered", delivery=delivery, sidecar="s1"),
        rec(at + 0.1, "called", delivery=delivery, sidecar="s1", digest=payload),
        rec(at + 0.2, "done", op="write", delivery=delivery, sidecar="s1", name="status/completed"),
    ]


STORED = claim(2, "stored k:0:0")
GOOD = [claim(0), *sent(1), STORED, told(3), refused(4, 422), *run(5)]
AGAIN = [claim(0), *sent(1), claim(400, name="digest.999999"), *sent(401), told(402), *run(403)]


@pytest.mark.parametrize("history", [GOOD, AGAIN], ids=["once", "sent again by the gateway after a killed one"])
def test_good_histories_pass(history: list[Record]) -> None:
    assert judge_keys(history) == []


@pytest.mark.parametrize(
    ("history", "rule"),
    [
        ([*GOOD, claim(9, "storing k:1:0", "digest.999999")], "two requests"),
        ([*GOOD, *sent(1, "k:1:0")], "two requests"),
        ([*GOOD, *sent(1, "k:1:0"), told(9, "k:1:0")], "two requests"),
        ([*GOOD, told(9, payload="two")], "two payloads"),
        ([claim(0), *sent(1), told(3), *run(5, payload="two")], "two payloads"),
        ([claim(0), told(1), *sent(2)], "told in vain"),
        ([*GOOD, *sent(9)], "sent again"),
        ([*GOOD, rec(9, "called", delivery="d1", digest="one")], "ran again"),
        ([*GOOD, *run(9, "d2")], "ran again"),
        ([claim(0), refused(1, 409), refused(2, 503)], "no answer"),
    ],
)
def test_each_rule_finds_a_history_that_breaks_it(history: list[Record], rule: KeyRule) -> None:
    assert rule in {violation.rule for violation in judge_keys(history)}


def test_a_gateway_that_stood_still_may_send_another_message() -> None:
    stopped = rec(8, "stopped", "", seconds=100.0)
    assert judge_keys([*GOOD, stopped, *sent(9)]) == []
