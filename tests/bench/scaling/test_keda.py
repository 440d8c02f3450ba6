from dataclasses import replace
from typing import Literal

import pytest

from bench.scaling.autoscaler import Observation
from bench.scaling.behavior import Behavior, Direction, Policy
from bench.scaling.keda import Fallback, Keda, ScaledObject

ANY = [Policy(kind="Pods", value=1000, period_s=15)]
FREE = Behavior(up=Direction(stabilization_s=0, policies=ANY), down=Direction(stabilization_s=0, policies=ANY))
SPEC = ScaledObject(target=4, behavior=FREE, polling_s=30, cooldown_s=300)


def see(now_s: float, in_flight: int | None, replicas: int) -> Observation:
    return Observation(now_s=now_s, in_flight=in_flight, replicas=replicas)


def test_the_first_replica_waits_for_a_poll_and_the_others_for_the_sync_of_the_hpa() -> None:
    keda = Keda(SPEC, first_poll_s=0, first_sync_s=7)
    assert keda.look(see(0, 0, 0)) == 0
    assert keda.look(see(7, 40, 0)) == 0
    assert keda.next_look_s == 22
    assert keda.look(see(22, 40, 0)) == 0
    assert keda.next_look_s == 30
    assert keda.look(see(30, 40, 0)) == 1
    assert keda.next_look_s == 37
    assert keda.look(see(37, 40, 1)) == 10


def test_with_more_than_one_at_least_it_begins_with_as_many() -> None:
    assert Keda(replace(SPEC, min_replicas=3)).look(see(0, 1, 0)) == 3
    assert Keda(replace(SPEC, min_replicas=3)).look(see(0, 0, 0)) == 3


def test_it_goes_to_zero_from_any_number_when_nothing_was_there_for_longer_than_the_cooldown() -> None:
    keda = Keda(SPEC, first_sync_s=10_000)
    assert keda.look(see(0, 1, 5)) == 5
    assert keda.look(see(30, 0, 5)) == 5
    assert keda.look(see(300, 0, 5)) == 5
    assert keda.look(see(330, 0, 5)) == 0


def test_with_one_at_least_it_never_goes_to_zero() -> None:
    keda = Keda(replace(SPEC, min_replicas=1), first_sync_s=10_000)
    keda.look(see(0, 1, 1))
    assert keda.look(see(3600, 0, 1)) == 1


def test_the_hpa_alone_never_goes_below_one() -> None:
    keda = Keda(SPEC, first_poll_s=10_000, first_sync_s=0)
    assert keda.look(see(0, 0, 9)) == 1
    assert keda.look(see(15, 0, 1)) == 1


def test_what_is_not_above_the_activation_starts_nothing() -> None:
    keda = Keda(replace(SPEC, activation=5), first_sync_s=10_000)
    assert keda.look(see(0, 5, 0)) == 0
    assert keda.look(see(30, 6, 0)) == 1


def test_a_prometheus_trigger_sees_the_mean_of_its_window() -> None:
    keda = Keda(replace(SPEC, window_s=60), first_poll_s=10_000, first_sync_s=61)
    for second, in_flight in ((10, 0), (20, 0), (30, 0), (40, 0), (50, 120), (60, 120)):
        assert keda.next_look_s == second
        assert keda.look(see(second, in_flight, 1)) == 1
    assert keda.look(see(61, 9999, 1)) == 10


def test_without_fallback_an_unreadable_metric_changes_nothing_and_does_not_go_to_zero() -> None:
    keda = Keda(SPEC, first_sync_s=0)
    keda.look(see(0, 1, 5))
    assert [keda.look(see(330.0 + 30 * look, None, 5)) for look in range(20)] == [5] * 20


@pytest.mark.parametrize(("behavior", "replicas"), [("static", 6), ("currentReplicasIfHigher", 9)])
def test_the_fallback_counts_after_more_failures_than_the_threshold(
    behavior: Literal["static", "currentReplicasIfHigher"], replicas: int
) -> None:
    fallback = Fallback(failure_threshold=3, replicas=6, behavior=behavior)
    keda = Keda(replace(SPEC, fallback=fallback), first_poll_s=10_000, first_sync_s=0)
    assert keda.look(see(0, 36, 9)) == 9
    assert [keda.look(see(15.0 * look, None, 9)) for look in (1, 2, 3)] == [9, 9, 9]
    assert keda.look(see(60, None, 9)) == replicas
    assert keda.look(see(75, 36, replicas)) == 9
    assert keda.look(see(90, None, 9)) == 9
