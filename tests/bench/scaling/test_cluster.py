from bench.scaling.cluster import Begun, Cluster, PodSpec
from bench.scaling.pod import Request

SPEC = PodSpec(concurrency=2, startup_s=60, grace_s=55, lease_s=60)


def cluster(replicas: int, requests: int, spec: PodSpec = SPEC) -> tuple[Cluster, list[Begun]]:
    """Return a cluster at 0 s whose pods are ready, and what they have begun."""
    found = Cluster(spec)
    found.scale(-60, replicas)
    for _ in range(requests):
        found.submit(Request(submitted_s=0, work_s=100))
    return found, list(found.dispatch(0))


def test_requests_are_spread_over_the_pods_that_have_room() -> None:
    found, begun = cluster(3, 7)
    assert [one.pod.number for one in begun] == [1, 2, 3, 1, 2, 3]
    assert found.in_flight == 7


def test_a_pod_takes_nothing_before_it_is_ready() -> None:
    found, _ = cluster(0, 1)
    started, _ = found.scale(0, 1)
    assert started[0].ready_s == 60
    assert list(found.dispatch(59)) == []
    assert len(list(found.dispatch(60))) == 1


def test_a_pod_that_starts_ends_first_then_the_youngest() -> None:
    found, begun = cluster(3, 3)
    found.scale(0, 4)
    _, draining = found.scale(10, 2)
    # The fourth was still starting and is gone; the third drains.
    assert found.pods == 3
    assert [pod.number for pod in draining] == [3]
    assert found.finish(100, begun[2], 0)
    assert found.pods == 2


def test_with_deletion_costs_the_idle_one_ends_although_it_is_the_oldest() -> None:
    found, begun = cluster(3, 3, PodSpec(concurrency=2, spares_busy=True))
    assert found.finish(1, begun[0], 0)
    _, draining = found.scale(10, 2)
    assert draining == []
    assert [one.pod.gone for one in begun] == [True, False, False]


def test_a_draining_pod_takes_nothing_new_and_ends_with_its_last_request() -> None:
    found, begun = cluster(1, 1)
    found.scale(0, 0)
    found.submit(Request(submitted_s=0, work_s=1))
    assert list(found.dispatch(1)) == []
    assert found.finish(50, begun[0], 0)
    assert (found.pods, found.in_flight, found.repeated_s) == (0, 1, 0)
    assert not found.end_grace(55, begun[0].pod)


def test_what_runs_at_the_end_of_the_grace_begins_again() -> None:
    found, begun = cluster(1, 1)
    found.scale(10, 0)
    assert found.end_grace(65, begun[0].pod)
    assert found.repeated_s == 65
    assert not found.finish(100, begun[0], 0)
    found.scale(70, 1)
    again = list(found.dispatch(130))
    assert [one.request for one in again] == [begun[0].request]
    assert found.finish(230, again[0], 130)
    assert found.in_flight == 0


def test_what_a_lost_pod_had_is_visible_when_its_lease_is_over() -> None:
    found, begun = cluster(2, 2)
    # Renewed at 30 s, the lease lasts until 90 s.
    visible = found.lose(40, 0.5)
    assert [(at_s, request) for at_s, request in visible] == [(90, begun[0].request)]
    assert found.repeated_s == 40
    assert found.in_flight == 2
    assert not found.finish(100, begun[0], 0)
    started, _ = found.scale(40, found.replicas)
    assert len(started) == 1


def test_a_pod_is_paid_from_its_creation_to_its_end() -> None:
    found, begun = cluster(2, 1)
    assert found.paid_s(0) == 120
    found.scale(10, 1)
    assert found.paid_s(10) == 140
    assert found.paid_s(20) == 150
    assert begun[0].pod.number == 1
