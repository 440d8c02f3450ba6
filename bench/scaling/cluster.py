"""A queue and the pods that work it off; nodes are there when a pod needs one."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from bench.scaling.pod import Pod, Request


@dataclass(frozen=True, slots=True, kw_only=True)
class PodSpec:
    """What all pods have in common; times in seconds.

    Attributes:
        concurrency: requests that a pod works on at a time.
        startup_s: from its creation until it takes requests: node, image, model.
        grace_s: `DEQUEUER_SHUTDOWN_GRACE`: what runs longer than this in a drain is released and begins again.
        lease_s: `DEQUEUER_VISIBILITY_TIMEOUT`, renewed at half of it: what a lost pod had is hidden for the rest of it.
        max_requests: a pod ends by itself after so many, as a Job with `DEQUEUER_MAX_MESSAGES`; None: it stays.
        spares_busy: those with the fewest requests in flight end first (pod deletion cost).
    """

    concurrency: int = 4
    startup_s: float = 60.0
    grace_s: float = 55.0
    lease_s: float = 60.0
    max_requests: int | None = None
    spares_busy: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """A request that a pod has begun now."""

    pod: Pod
    request: Request


class Cluster:
    """Pods of one API, and its queue. All methods are told the time; they do not decide when they are called."""

    def __init__(self, spec: PodSpec) -> None:
        self.spec = spec
        self.replicas = 0
        self.in_flight = 0
        self.repeated_s = 0.0
        """Seconds of work that had to begin again."""
        self._queue: deque[Request] = deque()
        self._pods: list[Pod] = []
        self._paid_s = 0.0
        self._numbers = 0
        self._turn = 0

    @property
    def pods(self) -> int:
        """Pods that exist: also those that start, and those that drain."""
        return len(self._pods)

    def submit(self, request: Request) -> None:
        """Put a request into the queue."""
        self.in_flight += 1
        self._queue.append(request)

    def show(self, request: Request) -> None:
        """Put a request back whose lease is over."""
        self._queue.append(request)

    def dispatch(self, now_s: float) -> Iterator[Begun]:
        """Give waiting requests to pods that have room, to one pod after the other."""
        while self._queue:
            free = self._next_free(now_s)
            if free is None:
                return
            request = self._queue.popleft()
            free.running[request] = now_s
            if free.left is not None:
                free.left -= 1
            yield Begun(pod=free, request=request)

    def _next_free(self, now_s: float) -> Pod | None:
        count = len(self._pods)
        for step in range(count):
            at = (self._turn + step) % count
            pod = self._pods[at]
            has_room = len(pod.running) < self.spec.concurrency and pod.left != 0
            if pod.ready_s <= now_s and not pod.draining and has_room:
                self._turn = (at + 1) % count
                return pod
        return None

    def finish(self, now_s: float, begun: Begun, began_s: float) -> bool:
        """End a request, unless its pod was lost or has released it meanwhile."""
        if begun.pod.gone or begun.pod.running.get(begun.request) != began_s:
            return False
        del begun.pod.running[begun.request]
        self.in_flight -= 1
        if not begun.pod.running and (begun.pod.draining or begun.pod.left == 0):
            # Nobody replaces a Job that has ended.
            self.replicas -= not begun.pod.draining
            self._remove(now_s, begun.pod)
        return True

    def scale(self, now_s: float, replicas: int) -> tuple[list[Pod], list[Pod]]:
        """Set the number of replicas. Returns the pods that start, and those that drain while they work."""
        self.replicas = replicas
        staying = [pod for pod in self._pods if not pod.draining]
        started = [self._create(now_s) for _ in range(replicas - len(staying))]
        ending = sorted(staying, key=lambda pod: self._rank(now_s, pod))[: max(0, len(staying) - replicas)]
        for pod in ending:
            pod.draining = True
            if not pod.running:
                self._remove(now_s, pod)
        return started, [pod for pod in ending if not pod.gone]

    def _rank(self, now_s: float, pod: Pod) -> tuple[bool, int, float]:
        """Return what a ReplicaSet sorts by: not ready first, then by deletion cost, then the youngest first."""
        cost = len(pod.running) if self.spec.spares_busy else 0
        return pod.ready_s <= now_s, cost, -pod.number

    def end_grace(self, now_s: float, pod: Pod) -> bool:
        """End a pod whose grace is over; what it had is in the queue again. False: it had ended before."""
        if pod.gone:
            return False
        for request, began_s in pod.running.items():
            self.repeated_s += now_s - began_s
            self._queue.appendleft(request)
        self._remove(now_s, pod)
        return True

    def lose(self, now_s: float, share: float) -> list[tuple[float, Request]]:
        """Lose this share of the pods at once, spread over all ages. Returns when which request is visible again."""
        standing = list(self._pods)
        count = round(len(standing) * share)
        lost = [standing[at * len(standing) // count] for at in range(count)]
        visible = []
        for pod in lost:
            for request, began_s in pod.running.items():
                self.repeated_s += now_s - began_s
                since_renewal_s = (now_s - began_s) % (self.spec.lease_s / 2)
                visible.append((now_s + self.spec.lease_s - since_renewal_s, request))
            self._remove(now_s, pod)
        return visible

    def paid_s(self, now_s: float) -> float:
        """Return the seconds of all pods, from creation to end."""
        return self._paid_s + sum(now_s - pod.created_s for pod in self._pods)

    def _create(self, now_s: float) -> Pod:
        self._numbers += 1
        spec = self.spec
        pod = Pod(number=self._numbers, created_s=now_s, ready_s=now_s + spec.startup_s, left=spec.max_requests)
        self._pods.append(pod)
        return pod

    def _remove(self, now_s: float, pod: Pod) -> None:
        pod.gone = True
        self._paid_s += now_s - pod.created_s
        self._pods.remove(pod)
