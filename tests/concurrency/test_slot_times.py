"""How long messages use a slot, and how many are expected soon."""

import pytest

from dequeuer.concurrency.slot_times import PREFETCH_WINDOW_S, SlotTimes


def measured(*slot_s: float, is_typical: bool = True) -> SlotTimes:
    times = SlotTimes()
    for at, took_s in enumerate(slot_s):
        times.acquired(at, 0.0)
        assert times.released(at, took_s, is_typical=is_typical) == took_s
    return times


def test_nothing_is_expected_without_an_estimate() -> None:
    times = SlotTimes()
    times.acquired("a", 0.0)
    assert times.expected_messages(0.1, 4, PREFETCH_WINDOW_S) == 0
    assert measured(0.01, is_typical=False).expected_messages(1.0, 4, PREFETCH_WINDOW_S) == 0


@pytest.mark.parametrize(
    ("took_s", "slots", "expected"), [(0.1, 1, 5), (0.1, 4, 20), (0.6, 1, 0), (0.6, 2, 1), (0.0, 1, 500)]
)
def test_the_expected_number_follows_from_the_estimate(took_s: float, slots: int, expected: int) -> None:
    assert measured(took_s).expected_messages(10.0, slots, PREFETCH_WINDOW_S) == expected


def test_the_estimate_rises_at_once_and_falls_slowly() -> None:
    assert measured(*[0.01] * 100, 1.0).expected_messages(10.0, 1, PREFETCH_WINDOW_S) == 0
    assert measured(1.0, *[0.01] * 5).expected_messages(10.0, 1, PREFETCH_WINDOW_S) == 0
    assert measured(1.0, *[0.01] * 60).expected_messages(10.0, 1, PREFETCH_WINDOW_S) > 10


def test_a_refusal_deletes_the_estimate() -> None:
    times = measured(0.01)
    times.acquired("refused", 0.0)
    times.released("refused", 0.01, is_typical=False)
    assert times.expected_messages(1.0, 1, PREFETCH_WINDOW_S) == 0


def test_a_slot_in_use_for_longer_than_usual_is_not_counted() -> None:
    times = measured(0.1)
    times.acquired("long", 0.0)
    times.acquired("new", 9.9)
    assert times.count_active(10.0) == 1
    assert times.expected_messages(10.0, 2, PREFETCH_WINDOW_S) == 5
    times.acquired("newer", 9.95)
    assert times.expected_messages(20.0, 3, PREFETCH_WINDOW_S) == times.count_active(20.0) == 0
