import pytest

from bench.scaling.autoscaler import Observation
from bench.scaling.cortex import CortexAutoscaler, CortexRules

RULES = CortexRules(target_in_flight=4)
LONG_AGO_S = -1000.0


def running(rules: CortexRules = RULES) -> CortexAutoscaler:
    """Return an autoscaler that runs for longer than its stabilization periods, and has recommended nothing yet."""
    return CortexAutoscaler(rules, started_s=LONG_AGO_S)


@pytest.mark.parametrize(
    ("replicas", "in_flight", "wanted"),
    [
        (10, 40, 10),
        (10, 38.1, 10),  # 9.525 is within 5 % below
        (10, 38, 10),  # 9.5 is not within, but rounds up to 10
        (10, 36, 9),
        (10, 41.9, 10),  # 10.475 is within 5 % above
        (10, 42, 11),  # 10.5 is not
        (10, 12, 8),  # not below 0.75
        (10, 400, 15),  # not above 1.5
        (2, 0, 1),  # one less is always allowed
        (1, 400, 2),  # one more is always allowed
        (0, 400, 1),
        (90, 4000, 100),  # max_replicas
        (1, 0, 1),  # min_replicas
    ],
)
def test_one_step_is_the_ceiling_within_tolerance_factors_and_bounds(
    replicas: int, in_flight: float, wanted: int
) -> None:
    assert running().decide(0, replicas, in_flight) == wanted


def test_a_step_up_takes_a_minute_because_recommendations_are_limited_before_they_are_stabilised() -> None:
    autoscaler = running()
    replicas, changes = 1, []
    for tick in range(60):
        # A minute of quiet, then as much as 100 replicas could hold.
        decided = autoscaler.decide(tick * 10.0, replicas, 4 if tick < 6 else 400)
        if decided != replicas:
            changes.append((tick * 10, decided))
        replicas = decided
    # Each step waits until the recommendation of the step before is older than a minute.
    assert changes[:6] == [(120, 2), (190, 3), (260, 5), (330, 8), (400, 12), (470, 18)]


def test_a_step_down_takes_five_minutes() -> None:
    autoscaler = running()
    replicas, changes = 16, []
    for tick in range(300):
        decided = autoscaler.decide(tick * 10.0, replicas, 64 if tick == 0 else 0)
        if decided != replicas:
            changes.append((tick * 10, decided))
        replicas = decided
    assert changes[:3] == [(310, 12), (620, 9), (930, 7)]
    assert changes[-1] == (2790, 1)


def test_after_its_start_it_scales_up_after_a_minute_and_down_after_five() -> None:
    up, down = CortexAutoscaler(RULES), CortexAutoscaler(RULES)
    assert up.decide(59, 2, 40) == 2
    assert up.decide(60, 2, 40) == 3
    assert down.decide(299, 4, 0) == 4
    assert down.decide(300, 4, 0) == 3


def test_the_mean_is_that_of_the_samples_of_the_window() -> None:
    autoscaler = running()
    decided = [
        autoscaler.look(Observation(now_s=tick * 10.0, in_flight=in_flight, replicas=10))
        for tick, in_flight in enumerate([400, 40, 40, 40, 40, 40, 40])
    ]
    # The first sample is in six means, and the first mean alone asks for fifteen.
    assert decided[0] == 15
    assert decided[5] == 15
    assert decided[6] == 10


def test_without_a_sample_in_the_window_nothing_changes() -> None:
    autoscaler = running()
    assert autoscaler.look(Observation(now_s=0, in_flight=None, replicas=7)) == 7
    assert autoscaler.look(Observation(now_s=10, in_flight=40, replicas=7)) == 10
    assert autoscaler.next_look_s == 20


def test_from_zero_the_first_replica_comes_after_a_minute() -> None:
    autoscaler = running(CortexRules(target_in_flight=4, min_replicas=0))
    decided = [autoscaler.decide(tick * 10.0, 0, 0 if tick == 0 else 40) for tick in range(9)]
    assert decided == [0] * 7 + [1, 1]
