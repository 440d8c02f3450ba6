import pytest

from dequeuer.core import clock
from dequeuer.jobs.job_id import JobIds, created_ns
from dequeuer.jobs.layout import is_job_id


class Clock:
    def __init__(self) -> None:
        self.now = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def wall(monkeypatch: pytest.MonkeyPatch) -> Clock:
    fake = Clock()
    monkeypatch.setattr(clock, "wall", fake)
    return fake


def test_an_id_is_that_of_cortex(wall: Clock) -> None:
    job_id = JobIds().make()
    assert job_id == f"{2**63 - 1 - 1_700_000_000 * 10**9:x}"
    assert len(job_id) == 16
    assert is_job_id(job_id)
    assert created_ns(job_id) == 1_700_000_000 * 10**9


def test_the_newest_id_is_the_smallest_whatever_the_clock_does(wall: Clock) -> None:
    ids = JobIds()
    made = []
    for step_s in (1, 0, 0, -100, 0, 5, 200):
        wall.now += step_s
        made.append(ids.make())
    assert made == sorted(made, reverse=True)
    assert len(set(made)) == len(made)
