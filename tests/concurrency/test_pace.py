"""How far ahead is too far."""

import pytest

from dequeuer.concurrency.pace import AHEAD_S, Pace


def paced(*times: float, is_typical: bool = True) -> Pace:
    pace = Pace()
    for at, took_s in enumerate(times):
        pace.began(at, 0.0)
        assert pace.ended(at, took_s, is_typical=is_typical) == took_s
    return pace


def test_nothing_is_expected_while_nothing_is_known() -> None:
    pace = Pace()
    pace.began("a", 0.0)
    assert pace.expected(0.1, 4, AHEAD_S) == 0
    assert paced(0.01, is_typical=False).expected(1.0, 4, AHEAD_S) == 0


@pytest.mark.parametrize(
    ("took_s", "slots", "expected"), [(0.1, 1, 5), (0.1, 4, 20), (0.6, 1, 0), (0.6, 2, 1), (0.0, 1, 500)]
)
def test_short_work_is_expected_to_be_followed(took_s: float, slots: int, expected: int) -> None:
    assert paced(took_s).expected(10.0, slots, AHEAD_S) == expected


def test_the_estimate_rises_at_once_and_falls_slowly() -> None:
    assert paced(*[0.01] * 100, 1.0).expected(10.0, 1, AHEAD_S) == 0
    assert paced(1.0, *[0.01] * 5).expected(10.0, 1, AHEAD_S) == 0
    assert paced(1.0, *[0.01] * 60).expected(10.0, 1, AHEAD_S) > 10


def test_what_the_container_refuses_makes_all_unknown() -> None:
    pace = paced(0.01)
    pace.began("refused", 0.0)
    pace.ended("refused", 0.01, is_typical=False)
    assert pace.expected(1.0, 1, AHEAD_S) == 0


def test_a_slot_that_is_taken_for_longer_than_usual_is_not_counted_on() -> None:
    pace = paced(0.1)
    pace.began("long", 0.0)
    pace.began("new", 9.9)
    assert pace.moving(10.0) == 1
    assert pace.expected(10.0, 2, AHEAD_S) == 5
    pace.began("newer", 9.95)
    assert pace.expected(20.0, 3, AHEAD_S) == pace.moving(20.0) == 0
