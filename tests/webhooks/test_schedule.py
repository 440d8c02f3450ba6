"""When a delivery is tried again."""

from __future__ import annotations

from itertools import pairwise

import pytest

from dequeuer.webhooks.schedule import next_pause_s

HOUR_S = 3600.0
DAYS_S = 3 * 24 * HOUR_S


def ages(max_age_s: float = DAYS_S, chance: float = 0.0) -> list[float]:
    """Return the ages of a webhook at its attempts, of which each takes a second and fails."""
    found, age_s, count = [0.0], 0.0, 1
    while (pause_s := next_pause_s(count, age_s + 1, max_age_s=max_age_s, chance=lambda: chance)) is not None:
        age_s, count = age_s + 1 + pause_s, count + 1
        found.append(age_s)
        assert len(found) < 100
    return found


def test_the_pauses_grow_as_standard_webhooks_says_and_end_with_the_age() -> None:
    found = ages()
    pauses = [later - earlier for earlier, later in pairwise(found)]
    expected = [5, 300, 1800, 2 * HOUR_S, 5 * HOUR_S, 10 * HOUR_S, *[12 * HOUR_S] * 4]
    assert pauses[:-1] == pytest.approx(expected, abs=2)
    assert found[-1] == pytest.approx(DAYS_S)


@pytest.mark.parametrize("chance", [0.0, 0.3, 0.999])
def test_jitter_changes_no_number_of_attempts_by_much(chance: float) -> None:
    assert 11 <= len(ages(chance=chance)) <= 13
    pauses = [later - earlier for earlier, later in pairwise(ages(chance=chance))]
    assert max(pauses) <= 12 * HOUR_S + 1


def test_receives_without_an_attempt_do_not_lengthen_the_pause() -> None:
    pause_s = next_pause_s(500, 10.0, max_age_s=DAYS_S, chance=lambda: 0.0)
    assert pause_s is not None
    assert pause_s <= 300


def test_a_first_attempt_that_comes_late_is_repeated_soon() -> None:
    assert next_pause_s(1, 20 * HOUR_S, max_age_s=DAYS_S, chance=lambda: 0.0) == 5


def test_what_the_receiver_asks_for_is_kept_within_12_hours_and_the_age() -> None:
    assert next_pause_s(1, 1.0, max_age_s=DAYS_S, retry_after_s=600, chance=lambda: 0.0) == 600
    assert next_pause_s(1, 1.0, max_age_s=DAYS_S, retry_after_s=1e9, chance=lambda: 0.0) == 12 * HOUR_S
    assert next_pause_s(3, 400.0, max_age_s=DAYS_S, retry_after_s=1, chance=lambda: 0.0) == pytest.approx(1705)
    assert next_pause_s(9, DAYS_S - 60, max_age_s=DAYS_S, chance=lambda: 0.5) == 60
    assert next_pause_s(9, DAYS_S - 1, max_age_s=DAYS_S) is None
    assert next_pause_s(1, 2 * DAYS_S, max_age_s=DAYS_S) is None
