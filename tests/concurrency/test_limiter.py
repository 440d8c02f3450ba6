"""Where concurrency settles that finds itself, for containers of every kind; in virtual time."""

import random
from collections.abc import Callable, Iterator

import pytest

from dequeuer.concurrency.limiter import Limiter
from dequeuer.concurrency.slots import Verdict
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
    # With two lanes every look at one lane costs half of what gets done meanwhile.
    [(1, 1, 2, 0.95), (2, 2, 3, 0.85), (8, 6, 12, 0.9), (20, 18, 25, 0.9)],
)
def test_it_settles_at_the_number_of_lanes(
    lanes: int, fewest: int, most: int, share: float, times: Times, mean_s: float, seed: int
) -> None:
    random.seed(seed)
    limiter = Limiter(100, ignore)
    container = Lanes(limiter, lanes, times(mean_s))
    rate = container.run(60 + 200 * mean_s)
    assert fewest <= limiter.settled <= most
    assert rate > share * lanes / mean_s


@pytest.mark.parametrize(("lanes", "fewest", "most"), [(1, 1, 3), (8, 6, 12)])
def test_times_that_vary_wildly_take_longer_and_lead_there_too(lanes: int, fewest: int, most: int) -> None:
    rates = []
    for seed in range(10):
        random.seed(seed)
        limiter = Limiter(100, ignore)
        rates.append(Lanes(limiter, lanes, wild(0.1)).run(300) * 0.1 / lanes)
        assert fewest <= limiter.settled <= most, f"seed {seed}"
    assert sum(rates) / len(rates) > 0.9


@pytest.mark.parametrize("seed", SEEDS)
def test_beyond_a_knee_where_less_gets_done_it_does_not_stay(seed: int) -> None:
    random.seed(seed)
    limiter = Limiter(100, ignore)
    container = Lanes(limiter, 1000, noisy(0.1), slows_down=lambda inside: max(1.0, (inside / 8) ** 2))
    rate = container.run(120)
    assert 6 <= limiter.settled <= 9
    assert rate > 0.9 * 80
    assert max(container.limits) <= 16


@pytest.mark.parametrize("seed", SEEDS)
def test_it_follows_a_container_that_changes(seed: int) -> None:
    random.seed(seed)
    limiter = Limiter(100, ignore)
    container = Lanes(limiter, 8, noisy(0.1))
    container.run(60)
    assert 8 <= limiter.settled <= 10
    container.lanes = 2
    assert container.run(20) > 0.9 * 20
    assert 2 <= limiter.settled <= 3
    container.lanes = 8
    assert container.run(60) > 0.9 * 80
    assert 8 <= limiter.settled <= 10


@pytest.mark.parametrize("seed", SEEDS)
def test_a_container_that_refuses_is_hardly_ever_asked_for_too_much(seed: int) -> None:
    random.seed(seed)
    limiter = Limiter(100, ignore)
    container = Lanes(limiter, 8, noisy(0.1), refuses_above=8)
    rate = container.run(120)
    assert 7 <= limiter.settled <= 8
    assert rate > 0.9 * 80
    assert container.refused < 40  # of 9,000


def test_when_it_begins_to_refuse_there_are_fewer_at_once_and_more_again_later() -> None:
    limiter = Limiter(100, ignore)
    container = Lanes(limiter, 8, alike(0.1))
    container.run(60)
    container.refuses_above = 3
    container.run(10)
    assert limiter.settled <= 3
    assert container.refused < 20
    container.refuses_above = None
    container.run(120)
    assert limiter.settled >= 8


def test_a_container_that_refuses_everything_is_asked_for_one_at_a_time() -> None:
    limiter = Limiter(100, ignore)
    container = Lanes(limiter, 8, alike(0.1))
    container.run(60)
    container.refuses_above = 0
    container.run(1)
    assert limiter.value == 1


def test_a_burst_of_refusals_counts_once() -> None:
    limiter = Limiter(100, ignore)
    Lanes(limiter, 16, alike(0.1)).run(60)
    settled = limiter.settled
    began = 100.0
    for busy in range(1, settled + 1):
        limiter.began(began, busy)
    for busy in range(settled):
        limiter.ended(began + 1, settled - busy - 1, 1.0, "refused")
    assert limiter.settled == limiter.value == int(settled * 0.75)


def test_an_idle_queue_changes_nothing() -> None:
    limiter = Limiter(100, ignore)
    container = Lanes(limiter, 8, noisy(0.1))
    container.run(60)
    settled = limiter.settled
    container.supply = 0
    container.run(3600)
    for _ in range(2000):  # now and then one, never enough for all slots
        container.supply = random.randint(0, 3)
        container.run(1)
        assert limiter.settled == settled
    container.supply = 10**9
    container.run(30)
    assert 8 <= limiter.settled <= 11


def test_little_work_does_not_make_it_grow() -> None:
    limiter = Limiter(100, ignore)
    container = Lanes(limiter, 100, noisy(0.1))
    for _ in range(3000):
        container.supply += 1 - container.supply
        container.run(0.1 + random.uniform(0, 0.1))
    assert limiter.settled <= 2


@pytest.mark.parametrize("seed", SEEDS)
def test_requests_of_hours(seed: int) -> None:
    random.seed(seed)
    limiter = Limiter(100, ignore)
    container = Lanes(limiter, 8, noisy(3600))
    container.run(36 * 3600)
    assert limiter.settled >= 4  # after a day and a half
    container.run(5 * 24 * 3600)
    assert 7 <= limiter.settled <= 11


def test_time_of_a_slot_that_is_not_the_containers_is_made_up_for() -> None:
    limiter = Limiter(100, ignore)
    assert Lanes(limiter, 1, alike(0.1), before_s=0.3).run(60) > 9
    assert 4 <= limiter.settled <= 5


@pytest.mark.parametrize("maximum", [1, 2, 3, 5])
def test_it_never_exceeds_its_maximum(maximum: int) -> None:
    limiter = Limiter(maximum, ignore)
    container = Lanes(limiter, 50, noisy(0.1))
    container.run(120)
    assert container.most_busy == limiter.settled == maximum


def test_failures_are_no_work_done() -> None:
    limiter = Limiter(100, ignore)
    Lanes(limiter, 4, alike(0.1)).run(60)
    settled, now = limiter.settled, 100.0

    def end_all(verdict: Verdict) -> None:
        """Fail at once, as a container does that is overloaded."""
        nonlocal now
        limiter.began(now, limiter.value)
        now += 0.01
        limiter.ended(now, limiter.value - 1, 0.01, verdict)

    for _ in range(3000):
        end_all("bad")
    assert limiter.settled == settled
    for _ in range(3000):
        end_all("void")
    assert limiter.settled == settled


def test_every_step_is_told() -> None:
    seen = Recorder()
    limiter = Limiter(100, seen)
    container = Lanes(limiter, 2, noisy(0.1))
    container.run(30)
    container.refuses_above = 1
    container.run(5)
    steps = seen.of(LimitChanged)
    assert steps[0] == LimitChanged(limit=1, settled=1, reason="started")
    assert {step.reason for step in steps} == {"started", "more", "fewer", "kept", "undone", "refused"}
    assert (steps[-1].limit, steps[-1].settled) == (limiter.value, limiter.settled)
