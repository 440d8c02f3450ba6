import pytest

from bench.scaling.autoscaler import Observation
from bench.scaling.behavior import KUBERNETES_DEFAULT, Behavior, Direction, Policy
from bench.scaling.hpa import Hpa, HpaAutoscaler, HpaSpec

ANY = [Policy(kind="Pods", value=1000, period_s=15)]
FREE = Behavior(up=Direction(stabilization_s=0, policies=ANY), down=Direction(stabilization_s=0, policies=ANY))


def spec(behavior: Behavior = FREE, least: int = 1, most: int = 100) -> HpaSpec:
    return HpaSpec(target=4, min_replicas=least, max_replicas=most, behavior=behavior)


@pytest.mark.parametrize(
    ("replicas", "metric", "wanted"),
    [
        (10, 44, 10),  # 1.1 is within the tolerance
        (10, 44.1, 12),
        (10, 36, 10),  # 0.9 is within the tolerance
        (10, 35.9, 9),
        (1, 400, 100),
        (1, 4000, 100),
        (50, 0, 1),
        (0, 4000, 0),  # scaling is switched off at zero
        (200, 800, 100),  # above the maximum: set to it, whatever the metric is
    ],
)
def test_a_recommendation_is_the_ceiling_unless_the_ratio_is_within_the_tolerance(
    replicas: int, metric: float, wanted: int
) -> None:
    assert Hpa(spec()).decide(0, replicas, metric) == wanted


def test_below_the_minimum_it_is_set_to_it() -> None:
    assert Hpa(spec(least=3)).decide(0, 1, 400) == 3


def test_a_metric_that_cannot_be_read_changes_nothing() -> None:
    assert Hpa(spec()).decide(0, 7, None) == 7


def test_by_default_one_replica_becomes_five_then_ten_then_twenty() -> None:
    hpa, replicas, seen = Hpa(spec(KUBERNETES_DEFAULT)), 1, []
    for sync in range(6):
        replicas = hpa.decide(sync * 15.0, replicas, 400)
        seen.append(replicas)
    assert seen == [5, 10, 20, 40, 80, 100]


def test_by_default_replicas_go_at_once_after_five_minutes() -> None:
    hpa, replicas, changes = Hpa(spec(KUBERNETES_DEFAULT)), 20, []
    for sync in range(30):
        decided = hpa.decide(sync * 15.0, replicas, 80 if sync == 0 else 4)
        if decided != replicas:
            changes.append((sync * 15, decided))
        replicas = decided
    assert changes == [(300, 1)]


def test_stabilised_first_and_limited_afterwards_the_steps_follow_each_other_at_every_sync() -> None:
    behavior = Behavior(
        up=Direction(stabilization_s=60, policies=[Policy(kind="Percent", value=50, period_s=15)]),
        down=Direction(stabilization_s=300, policies=[Policy(kind="Percent", value=25, period_s=15)]),
    )
    hpa, replicas, seen = Hpa(spec(behavior)), 1, []
    for sync in range(9):
        replicas = hpa.decide(sync * 15.0, replicas, 4 if sync == 0 else 400)
        seen.append(replicas)
    # The quiet look at 0 s holds until it is 60 s old. Cortex takes a minute for each of these steps.
    assert seen == [1, 1, 1, 1, 2, 3, 5, 8, 12]


def test_the_number_at_its_first_look_is_its_first_recommendation() -> None:
    # So a new HPA does not scale down before the stabilization is over.
    hpa = Hpa(spec(KUBERNETES_DEFAULT))
    assert [hpa.decide(now_s, 20, 4) for now_s in (0.0, 299.0, 300.0)] == [20, 20, 1]


def test_alone_it_looks_every_15_seconds_and_leaves_zero_alone() -> None:
    autoscaler = HpaAutoscaler(spec())
    assert autoscaler.look(Observation(now_s=15, in_flight=400, replicas=0)) == 0
    assert autoscaler.next_look_s == 30
    assert autoscaler.look(Observation(now_s=30, in_flight=40, replicas=1)) == 10
