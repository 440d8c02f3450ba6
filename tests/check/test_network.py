from __future__ import annotations

import socket
from email.utils import formatdate

import pytest

from dequeuer.check.finding import State
from dequeuer.check.network import judge_addresses, judge_clock

NOW_S = 1_800_000_000.0


@pytest.mark.parametrize(
    ("skew_s", "state"),
    [(0, "ok"), (59, "ok"), (-59, "ok"), (60, "warning"), (-299, "warning"), (300, "fault"), (-3600, "fault")],
)
def test_the_clock_is_compared_with_that_of_the_server(skew_s: int, state: State) -> None:
    verdict = judge_clock(formatdate(NOW_S - skew_s, usegmt=True), NOW_S)
    assert verdict.state == state
    assert ("ahead" in verdict.found) is (skew_s > 0)


@pytest.mark.parametrize("date", ["", "yesterday"])
def test_without_a_date_the_clock_is_not_known(date: str) -> None:
    assert judge_clock(date, NOW_S).state == "not_known"


def test_a_name_that_is_found_late_is_a_warning() -> None:
    families = [socket.AF_INET, socket.AF_INET6, socket.AF_INET]
    assert judge_addresses(families, 0.012).found == "2 of IPv4 and 1 of IPv6 after 12 ms"
    assert judge_addresses(families, 1.5).state == "warning"
