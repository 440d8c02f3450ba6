from bench.scaling.autoscaler import Observation
from bench.scaling.cluster import Cluster, PodSpec
from bench.scaling.loads import Load, Step
from bench.scaling.pod import Request
from bench.scaling.scaled_jobs import ScaledJobs
from bench.scaling.simulation import Simulation, Work

JOBS = PodSpec(concurrency=1, startup_s=60, max_requests=1)


def see(in_flight: int | None, replicas: int) -> Observation:
    return Observation(now_s=0, in_flight=in_flight, replicas=replicas)


def test_there_are_as_many_jobs_as_there_is_work_for_and_none_is_ended() -> None:
    jobs = ScaledJobs(target=2, most=5)
    assert jobs.look(see(5, 0)) == 3
    assert jobs.look(see(5, 3)) == 3
    assert jobs.look(see(100, 3)) == 5
    assert jobs.look(see(1, 4)) == 4
    assert jobs.look(see(None, 2)) == 2


def test_a_job_ends_with_its_last_request_and_is_not_replaced() -> None:
    cluster = Cluster(PodSpec(concurrency=2, max_requests=3))
    cluster.scale(-60, 1)
    for _ in range(4):
        cluster.submit(Request(submitted_s=0, work_s=10))
    first = list(cluster.dispatch(0))
    assert len(first) == 2
    assert cluster.finish(10, first[0], 0)
    third = list(cluster.dispatch(10))
    assert len(third) == 1
    assert cluster.finish(11, first[1], 0)
    assert list(cluster.dispatch(11)) == []
    assert cluster.pods == 1
    assert cluster.finish(20, third[0], 10)
    assert (cluster.pods, cluster.replicas, cluster.in_flight) == (0, 0, 1)


def test_each_request_waits_for_the_poll_and_the_start_of_its_own_pod() -> None:
    load = Load(
        name="x", step_s=100, steps=tuple(Step(start_s=at * 100, per_s=rate) for at, rate in enumerate((0.02, 0, 0, 0)))
    )
    work = Work(load=load, pods=JOBS, mean_work_s=20, first_replicas=0)
    found = Simulation(work, ScaledJobs(target=1, polling_s=30)).run()
    # They come at 50 s and at 100 s, and are seen at 60 s and at 120 s.
    assert [round(wait_s) for wait_s in found.waits_s] == [70, 80]
    assert found.unfinished == 0
    assert found.samples[-1].pods == 0
