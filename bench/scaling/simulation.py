"""Runs a load on a cluster under an autoscaler: one event after the other, in virtual time."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import count

from bench.scaling.autoscaler import Autoscaler, Observation
from bench.scaling.cluster import Begun, Cluster, PodSpec
from bench.scaling.loads import Load
from bench.scaling.outcome import Outcome, Sample
from bench.scaling.pod import Pod, Request

SAMPLE_S = 10.0
"""The distance between the samples of replicas and backlog."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What is run: the load, how long a request takes, and on which pods.

    Attributes:
        unreadable_s: from when until when the number in flight cannot be read; None: it always can.
    """

    load: Load
    pods: PodSpec
    mean_work_s: float
    first_replicas: int = 1
    unreadable_s: tuple[float, float] | None = None


class Simulation:
    """One run."""

    def __init__(self, work: Work, autoscaler: Autoscaler) -> None:
        self._work = work
        self._autoscaler = autoscaler
        self._cluster = Cluster(work.pods)
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._order = count()
        self._now_s = 0.0
        self._waits_s: list[float] = []
        self._samples: list[Sample] = []
        self._first_replica_s: float | None = None

    def run(self) -> Outcome:
        """Run until the load is over."""
        work, cluster = self._work, self._cluster
        cluster.scale(-work.pods.startup_s, work.first_replicas)
        requests = work.load.requests(work.mean_work_s)
        self._submit_next(requests)
        for step in work.load.steps:
            if step.lost_share:
                self._at(step.start_s, partial(self._lose, step.lost_share))
        self._at(0.0, self._sample)
        self._at(self._autoscaler.next_look_s, self._look)
        end_s = work.load.end_s
        while self._events and self._events[0][0] < end_s:
            self._now_s, _, act = heapq.heappop(self._events)
            act()
        return Outcome(
            waits_s=tuple(self._waits_s),
            unfinished=cluster.in_flight,
            pod_s=cluster.paid_s(end_s) - work.pods.startup_s * work.first_replicas,
            repeated_s=cluster.repeated_s,
            samples=tuple(self._samples),
            first_replica_s=self._first_replica_s,
        )

    def _at(self, when_s: float, act: Callable[[], None]) -> None:
        heapq.heappush(self._events, (when_s, next(self._order), act))

    def _submit_next(self, requests: Iterator[Request]) -> None:
        request = next(requests, None)
        if request is not None:
            self._at(request.submitted_s, partial(self._submit, request, requests))

    def _submit(self, request: Request, requests: Iterator[Request]) -> None:
        self._cluster.submit(request)
        self._dispatch()
        self._submit_next(requests)

    def _dispatch(self) -> None:
        for begun in self._cluster.dispatch(self._now_s):
            began_s = self._now_s
            self._at(began_s + begun.request.work_s, partial(self._finish, begun, began_s))

    def _finish(self, begun: Begun, began_s: float) -> None:
        if self._cluster.finish(self._now_s, begun, began_s):
            request = begun.request
            self._waits_s.append(self._now_s - request.submitted_s - request.work_s)
            self._dispatch()

    def _look(self) -> None:
        cluster = self._cluster
        gap_s = self._work.unreadable_s
        in_flight = None if gap_s is not None and gap_s[0] <= self._now_s < gap_s[1] else cluster.in_flight
        seen = Observation(now_s=self._now_s, in_flight=in_flight, replicas=cluster.replicas)
        wanted = self._autoscaler.look(seen)
        if wanted != cluster.replicas:
            self._scale(wanted)
        self._at(self._autoscaler.next_look_s, self._look)

    def _scale(self, replicas: int) -> None:
        if self._first_replica_s is None and replicas > 0:
            self._first_replica_s = self._now_s
        started, draining = self._cluster.scale(self._now_s, replicas)
        for pod in started:
            self._at(pod.ready_s, self._dispatch)
        for pod in draining:
            self._at(self._now_s + self._work.pods.grace_s, partial(self._end_grace, pod))

    def _end_grace(self, pod: Pod) -> None:
        if self._cluster.end_grace(self._now_s, pod):
            self._dispatch()

    def _lose(self, share: float) -> None:
        for visible_s, request in self._cluster.lose(self._now_s, share):
            self._at(visible_s, partial(self._show, request))
        self._scale(self._cluster.replicas)

    def _show(self, request: Request) -> None:
        self._cluster.show(request)
        self._dispatch()

    def _sample(self) -> None:
        cluster = self._cluster
        self._samples.append(
            Sample(at_s=self._now_s, replicas=cluster.replicas, pods=cluster.pods, in_flight=cluster.in_flight)
        )
        self._at(self._now_s + SAMPLE_S, self._sample)
