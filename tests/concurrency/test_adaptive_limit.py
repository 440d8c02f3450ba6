"""The number of slots that `DEQUEUER_WORKERS=auto` finds, for many kinds of containers; in virtual time."""

import random
from collections.abc import Callable, Iterator

import pytest

from dequeuer.concurrency.adaptive_limit import AdaptiveLimit
from dequeuer.concurrency.slots import SlotResult
from dequeuer.core.events import LimitChanged, ignore
from tests.fakes import Recorder
from tests.lanes import Lanes, alike, noisy, wild

Times = Callable[[float], Callable[[], float]]
SEEDS = range(5)


@pytest.fixture(autouse=True)
def _as_it_was() -> Iterator[None]:
    state = random.getstate()
    yield
    random.setstate(state)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("mean_s", [0.01, 1.0])
@pytest.mark.parametrize("times", [alike, noisy])
@pytest.mark.parametrize(
    ("lanes", "fewest", "most", "share"),
    # With two lanes each trial with one slot costs half of the throughput meanwhile.
    [(1, 1, 2, 0.95), (2, 2, 3, 0.85), (8, 6, 12, 0.9), (20, 18, 25, 0.9)],
)
def test_it_settles_at_the_number_of_lanes(
    lanes: int, fewest: int, most: int, share: float, times: Times, mean_s: float, seed: int
) -> None:
    random.seed(seed)
    limit = AdaptiveLimit(100, ignore)
    container = Lanes(limit, lanes, times(mean_s))
    rate = container.run(60 + 200 * mean_s)
    assert fewest <= limit.baseline <= most
    assert rate > share * lanes / mean_s


@pytest.mark.parametrize(("lanes", "fewest", "most"), [(1, 1, 3), (8, 6, 12)])
def test_exponential_times_take_longer_and_lead_to_the_same_number(lanes: int, fewest: int, most: int) -> None:
    rates = []
    for seed in range(10):
        random.seed(seed)
        limit = AdaptiveLimit(100, ignore)
        rates.append(Lanes(limit, lanes, wild(0.1)).run(300) * 0.1 / lanes)
        assert fewest <= limit.baseline <= most, f"seed {seed}"
    assert sum(rates) / len(rates) > 0.9


@pytest.mark.parametrize("seed", SEEDS)
def test_it_does_not_stay_at_numbers_where_the_throughput_falls(seed: int) -> None:
    random.seed(seed)
    limit = AdaptiveLimit(100, ignore)
    container = Lanes(limit, 1000, noisy(0.1), slows_down=lambda inside: max(1.0, (inside / 8) ** 2))
    rate = container.run(120)
    assert 6 <= limit.baseline <= 9
    assert rate > 0.9 * 80
    assert max(container.limits) <= 16


@pytest.mark.parametrize("seed", SEEDS)
def test_it_follows_a_container_that_changes(seed: int) -> None:
    random.seed(seed)
    limit = AdaptiveLimit(100, ignore)
    container = Lanes(limit, 8, noisy(0.1))
    container.run(60)
    assert 8 <= limit.baseline <= 10
    container.lanes = 2
    assert container.run(20) > 0.9 * 20
    assert 2 <= limit.baseline <= 3
    container.lanes = 8
    assert container.run(60) > 0.9 * 80
    assert 8 <= limit.baseline <= 10


@pytest.mark.parametrize("seed", SEEDS)
def test_a_container_that_refuses_gets_few_requests_too_many(seed: int) -> None:
    random.seed(seed)
    limit = AdaptiveLimit(100, ignore)
    container = Lanes(limit, 8, noisy(0.1), refuses_above=8)
    rate = container.run(120)
    assert 7 <= limit.baseline <= 8
    assert rate > 0.9 * 80
    assert container.refused < 40  # of 9,000


def test_refusals_lower_the_number_at_once_and_it_rises_again_later() -> None:
    limit = AdaptiveLimit(100, ignore)
    container = Lanes(limit, 8, alike(0.1))
    container.run(60)
    container.refuses_above = 3
    container.run(10)
    assert limit.baseline <= 3
    assert container.refused < 20
    container.refuses_above = None
    container.run(120)
    assert limit.baseline >= 8


def test_a_container_that_refuses_everything_gets_one_request_at_a_time() -> None:
    limit = AdaptiveLimit(100, ignore)
    container = Lanes(limit, 8, alike(0.1))
    container.run(60)
    container.refuses_above = 0
    container.run(1)
    assert limit.value == 1


def test_a_burst_of_refusals_counts_once() -> None:
    limit = AdaptiveLimit(100, ignore)
    Lanes(limit, 16, alike(0.1)).run(60)
    settled = limit.baseline
    began = 100.0
    for busy in range(1, settled + 1):
        limit.slot_acquired(began, busy)
    for busy in range(settled):
        limit.slot_released(began + 1, settled - busy - 1, 1.0, "refused")
    assert limit.baseline == limit.value == int(settled * 0.75)


def test_an_idle_queue_changes_nothing() -> None:
    limit = AdaptiveLimit(100, ignore)
    container = Lanes(limit, 8, noisy(0.1))
    container.run(60)
    settled = limit.baseline
    container.supply = 0
    container.run(3600)
    for _ in range(2000):  # a message now and then, never enough for all slots
        container.supply = random.randint(0, 3)
        container.run(1)
        assert limit.baseline == settled
    container.supply = 10**9
    container.run(30)
    assert 8 <= limit.baseline <= 11


def test_it_does_not_rise_while_there_is_little_work() -> None:
    limit = AdaptiveLimit(100, ignore)
    container = Lanes(limit, 100, noisy(0.1))
    for _ in range(3000):
        container.supply += 1 - container.supply
        container.run(0.1 + random.uniform(0, 0.1))
    assert limit.baseline <= 2


@pytest.mark.parametrize("seed", SEEDS)
def test_requests_that_take_hours(seed: int) -> None:
    random.seed(seed)
    limit = AdaptiveLimit(100, ignore)
    container = Lanes(limit, 8, noisy(3600))
    container.run(36 * 3600)
    assert limit.baseline >= 4  # after a day and a half
    container.run(5 * 24 * 3600)
    assert 7 <= limit.baseline <= 11


def test_more_slots_make_up_for_time_that_is_not_spent_in_the_container() -> None:
    limit = AdaptiveLimit(100, ignore)
    assert Lanes(limit, 1, alike(0.1), before_s=0.3).run(60) > 9
    assert 4 <= limit.baseline <= 5


@pytest.mark.parametrize("maximum", [1, 2, 3, 5])
def test_it_never_exceeds_its_maximum(maximum: int) -> None:
    limit = AdaptiveLimit(maximum, ignore)
    container = Lanes(limit, 50, noisy(0.1))
    container.run(120)
    assert container.most_busy == limit.baseline == maximum


def test_failures_do_not_count_as_work_done() -> None:
    limit = AdaptiveLimit(100, ignore)
    Lanes(limit, 4, alike(0.1)).run(60)
    settled, now = limit.baseline, 100.0

    def end_all(result: SlotResult) -> None:
        """Fail at once, as a container does that is overloaded."""
        nonlocal now
        limit.slot_acquired(now, limit.value)
        now += 0.01
        limit.slot_released(now, limit.value - 1, 0.01, result)

    for _ in range(3000):
        end_all("failed")
    assert limit.baseline == settled
    for _ in range(3000):
        end_all("unknown")
    assert limit.baseline == settled


def test_every_step_is_reported() -> None:
    seen = Recorder()
    limit = AdaptiveLimit(100, seen)
    container = Lanes(limit, 2, noisy(0.1))
    container.run(30)
    container.refuses_above = 1
    container.run(5)
    steps = seen.of(LimitChanged)
    assert steps[0] == LimitChanged(limit=1, baseline=1, reason="started")
    assert {step.reason for step in steps} == {"started", "more", "fewer", "kept", "undone", "refused"}
    assert (steps[-1].limit, steps[-1].baseline) == (limit.value, limit.baseline)
