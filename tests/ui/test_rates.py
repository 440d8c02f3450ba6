"""Throughput and latency of the last seconds."""

from __future__ import annotations

import math

import pytest

from dequeuer.ui.rates import MAX_BUCKETS, MAX_SOURCES, WINDOW_S, RateWindow, quantile
from dequeuer.ui.readings import Totals

INF = math.inf


def total(completed: float, failed: float = 0.0) -> Totals:
    return Totals(completed=completed, failed=failed)


def test_one_look_says_nothing_and_two_say_what_came_between() -> None:
    window = RateWindow()
    assert window.rates() is None
    window.add(0.0, {"a": total(100, 7)})
    assert window.rates() is None
    window.add(2.0, {"a": total(110, 8)})
    rates = window.rates()
    assert rates is not None
    assert (rates.per_s, rates.failed_per_s, rates.latency_s) == (5.0, 0.5, None)
    assert (window.totals.completed, window.totals.failed) == (110, 8)


def test_what_is_older_than_the_window_does_not_count() -> None:
    window = RateWindow()
    window.add(0.0, {"a": total(0)})
    window.add(1.0, {"a": total(1000)})
    for second in range(2, 30):
        window.add(float(second), {"a": total(1000)})
    rates = window.rates()
    assert rates is not None
    assert rates.per_s == 0.0
    assert WINDOW_S == 10.0


def test_programs_are_added_up_and_one_that_begins_anew_loses_nothing() -> None:
    window = RateWindow()
    window.add(0.0, {"a": total(10), "b": total(20)})
    window.add(1.0, {"a": total(12), "b": total(21)})
    window.add(2.0, {"a": total(3), "b": total(21)})
    rates = window.rates()
    assert rates is not None
    assert (rates.per_s, window.totals.completed) == (3.0, 36)


def test_a_program_that_appears_later_is_no_peak_and_one_that_is_silent_no_trough() -> None:
    window = RateWindow()
    window.add(0.0, {"a": total(0)})
    window.add(1.0, {"a": total(1), "new": total(1_000_000)})
    window.add(2.0, {"a": total(2)})
    window.add(3.0, {})
    rates = window.rates()
    assert rates is not None
    assert rates.per_s == 1.0


def test_programs_that_are_gone_are_forgotten_and_what_they_have_counted_is_not() -> None:
    window = RateWindow()
    for number in range(3 * MAX_SOURCES):
        window.add(float(number), {f"job-{number}": total(1)})
    assert len(window._last) <= MAX_SOURCES + 1
    assert window.totals.completed == 3 * MAX_SOURCES


@pytest.mark.parametrize(
    ("buckets", "share", "seconds"),
    [
        ({}, 0.5, None),
        ({1.0: 0, INF: 0}, 0.5, None),
        ({1.0: 10, 2.0: 20, INF: 20}, 0.5, 1.0),
        ({1.0: 10, 2.0: 20, INF: 20}, 0.75, 1.5),
        ({1.0: 10, 2.0: 10, INF: 10}, 0.99, 0.99),
        ({1.0: 0, INF: 10}, 0.5, 1.0),
        ({1.0: 0, 2.0: 4, INF: 4}, 0.5, 1.5),
    ],
)
def test_a_quantile_is_that_of_prometheus(buckets: dict[float, float], share: float, seconds: float | None) -> None:
    assert quantile(buckets, share) == seconds


def test_the_latency_is_of_what_ended_in_the_window() -> None:
    window = RateWindow()
    window.add(0.0, {"a": Totals(completed=5, buckets={0.1: 5, 1.0: 5, INF: 5})})
    window.add(1.0, {"a": Totals(completed=9, buckets={0.1: 5, 1.0: 9, INF: 9})})
    rates = window.rates()
    assert rates is not None
    assert rates.latency_s == pytest.approx({"p50": 0.55, "p95": 0.955, "p99": 0.991})


def test_a_program_whose_buckets_are_others_at_each_look_takes_no_more_memory() -> None:
    window = RateWindow()
    for second in range(20):
        buckets = {float(second * 100 + at): 1.0 for at in range(100)}
        window.add(float(second), {"a": Totals(completed=second, buckets=buckets)})
    rates = window.rates()
    assert rates is not None
    assert rates.per_s == 1.0
    assert len(window.totals.buckets) <= MAX_BUCKETS
    assert len(window._increase.buckets) <= MAX_BUCKETS
