"""The cases are those of Kubernetes' documentation of the HorizontalPodAutoscaler, and of its controller's tests."""

from typing import Literal

import pytest

from bench.scaling.behavior import Changes, Direction, Policy, fewest_replicas, most_replicas
from bench.scaling.history import History

TEN_PERCENT = Policy(kind="Percent", value=10, period_s=60)
FOUR_PODS = Policy(kind="Pods", value=4, period_s=60)


def unchanged() -> Changes:
    return Changes(added=History(600), removed=History(600))


def test_of_80_replicas_eight_go_in_a_minute_then_eight_of_72_and_four_below_40() -> None:
    direction = Direction(stabilization_s=0, policies=[FOUR_PODS, TEN_PERCENT])
    assert fewest_replicas(direction, unchanged(), 0, 80) == 72
    assert fewest_replicas(direction, unchanged(), 0, 72) == 64
    assert fewest_replicas(direction, unchanged(), 0, 39) == 35
    assert fewest_replicas(direction, unchanged(), 0, 10) == 6


@pytest.mark.parametrize(("select", "fewest", "most"), [("Max", 72, 88), ("Min", 76, 84), ("Disabled", 80, 80)])
def test_the_selected_policy_counts(select: Literal["Max", "Min", "Disabled"], fewest: int, most: int) -> None:
    direction = Direction(stabilization_s=0, policies=[FOUR_PODS, TEN_PERCENT], select=select)
    assert fewest_replicas(direction, unchanged(), 0, 80) == fewest
    assert most_replicas(direction, unchanged(), 0, 80) == most


def test_a_percentage_is_rounded_up_when_replicas_are_added() -> None:
    direction = Direction(stabilization_s=0, policies=[Policy(kind="Percent", value=50, period_s=15)])
    assert [most_replicas(direction, unchanged(), 0, replicas) for replicas in (1, 2, 3, 4)] == [2, 3, 5, 6]


def test_what_was_added_in_the_period_counts() -> None:
    changes = unchanged()
    changes.added.add(100, 3)
    direction = Direction(stabilization_s=0, policies=[FOUR_PODS])
    assert most_replicas(direction, changes, 130, 8) == 9
    assert most_replicas(direction, changes, 159, 8) == 9
    assert most_replicas(direction, changes, 160, 8) == 12


def test_what_was_removed_in_the_period_counts_for_either_direction() -> None:
    changes = unchanged()
    changes.removed.add(100, 3)
    direction = Direction(stabilization_s=0, policies=[FOUR_PODS])
    assert fewest_replicas(direction, changes, 130, 7) == 6
    assert most_replicas(direction, changes, 130, 7) == 14


def test_a_limit_never_turns_round() -> None:
    changes = unchanged()
    changes.added.add(100, 10)
    changes.removed.add(100, 1)
    direction = Direction(stabilization_s=0, policies=[FOUR_PODS])
    assert most_replicas(direction, changes, 130, 20) == 20
    changes.removed.add(101, 20)
    assert fewest_replicas(direction, changes, 130, 20) == 20
