from dataclasses import dataclass, field

import pytest

from bench.scaling.autoscaler import Observation
from bench.scaling.candidates import CANDIDATES, Candidate
from bench.scaling.cluster import PodSpec
from bench.scaling.loads import NAMES, Load, Step, load
from bench.scaling.simulation import Simulation, Work


@dataclass(slots=True, kw_only=True)
class Script:
    """Sets the replicas at set times."""

    replicas: dict[float, int]
    next_look_s: float = field(init=False)

    def __post_init__(self) -> None:
        self.next_look_s = min(self.replicas)

    def look(self, seen: Observation) -> int:
        self.next_look_s = min((at_s for at_s in self.replicas if at_s > seen.now_s), default=float("inf"))
        return self.replicas[seen.now_s]


def steps(*rates: float, step_s: float = 100, lost: tuple[float, ...] = ()) -> Load:
    shares = (*lost, *(0.0 for _ in rates))
    return Load(
        name="test",
        step_s=step_s,
        steps=tuple(Step(start_s=at * step_s, per_s=rate, lost_share=shares[at]) for at, rate in enumerate(rates)),
    )


PODS = PodSpec(concurrency=1, startup_s=60, grace_s=55, lease_s=60)


def test_a_request_waits_until_the_pod_that_was_asked_for_is_ready() -> None:
    work = Work(load=steps(0.01, 0, 0), pods=PODS, mean_work_s=20, first_replicas=0)
    found = Simulation(work, Script(replicas={130: 1})).run()
    # The one request comes at 100 s, and the pod is ready at 190 s.
    assert found.waits_s == pytest.approx((90,))
    assert found.unfinished == 0
    assert found.pod_s == pytest.approx(170)
    assert found.first_replica_s == 130


def test_the_replicas_of_the_beginning_are_ready_and_their_start_is_not_paid() -> None:
    work = Work(load=steps(0.02, 0), pods=PODS, mean_work_s=20, first_replicas=2)
    found = Simulation(work, Script(replicas={150: 2})).run()
    assert found.waits_s == pytest.approx((0, 0))
    assert found.pod_s == 400


def test_a_drain_that_takes_longer_than_the_grace_repeats_the_work() -> None:
    work = Work(load=steps(0.01, 0, 0, 0, 0, 0), pods=PODS, mean_work_s=150, first_replicas=1)
    # Begun at 100 s. Its drain begins at 110 s and ends at 165 s; the next pod is ready at 240 s.
    found = Simulation(work, Script(replicas={110: 0, 180: 1})).run()
    assert found.repeated_s == pytest.approx(65)
    assert found.waits_s == pytest.approx((140,))


def test_a_lost_pod_is_replaced_and_its_request_is_worked_on_again() -> None:
    work = Work(load=steps(0.01, 0, 0, 0, 0, lost=(0, 0.0, 1.0)), pods=PODS, mean_work_s=250, first_replicas=1)
    found = Simulation(work, Script(replicas={500: 1})).run()
    # Begun at 100 s and lost at 200 s: the lease was renewed at 190 s, so it is visible at 250 s; the pod is ready at 260 s.
    assert found.repeated_s == pytest.approx(100)
    assert found.waits_s == pytest.approx((160,))


def test_while_the_number_in_flight_cannot_be_read_the_autoscaler_is_told_so() -> None:
    @dataclass(slots=True, kw_only=True)
    class Recorder:
        next_look_s: float = 0.0
        seen: list[int | None] = field(default_factory=list)

        def look(self, seen: Observation) -> int:
            self.next_look_s += 100
            self.seen.append(seen.in_flight)
            return seen.replicas

    recorder = Recorder()
    work = Work(load=steps(0, 0, 0, 0), pods=PODS, mean_work_s=1, unreadable_s=(100, 300))
    Simulation(work, recorder).run()
    assert recorder.seen == [0, None, None, 0]


@pytest.mark.parametrize("candidate", CANDIDATES, ids=lambda one: one.name)
@pytest.mark.parametrize("name", NAMES)
def test_no_request_is_lost_or_counted_twice(name: str, candidate: Candidate) -> None:
    shape = load(name).until(2400)
    work = Work(load=shape, pods=PodSpec(), mean_work_s=16, first_replicas=1)
    found = Simulation(work, candidate.make(1)).run()
    submitted = sum(one.submitted_s < shape.end_s for one in shape.requests(16))
    assert len(found.waits_s) + found.unfinished == submitted > 400
    assert min(found.waits_s) > -1e-6
    assert 1 <= found.most_replicas <= 100
