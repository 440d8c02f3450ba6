"""What happens to the processes of a run: by a seed, each harm with its mending."""

from __future__ import annotations

import heapq
import itertools
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence

from tests.faults.plan import Plan
from tests.faults.pod import Pod
from tests.faults.servers import Process

PAUSE_S = (0.3, 1.5)
OPERATIONS = ("ReceiveMessage", "DeleteMessageBatch", "ChangeMessageVisibilityBatch", "PUT", "GET", "DELETE", "LIST")
Mend = Callable[[], bool]
"""Mends what it can; False asks to be called again soon."""


class Chaos:
    """Does harm for a time, then mends everything. Runs in the caller's thread.

    Args:
        seed: of the schedule.
        pods: whose processes are harmed.
        processes: the servers, which are only ever stopped.
        plan: gets outages and throttled operations.
        lease_s: SIGSTOPs are shorter and longer than this.
    """

    def __init__(
        self, seed: int, pods: Sequence[Pod], processes: Sequence[Process], plan: Plan, lease_s: float
    ) -> None:
        self._random = random.Random(f"chaos-{seed}")
        self._pods = pods
        self._processes = processes
        self._plan = plan
        self._lease_s = lease_s
        self._pending: list[tuple[float, int, Mend]] = []
        self._order = itertools.count()
        self._harmed: set[tuple[str, str]] = set()
        self.counts: Counter[str] = Counter()

    def run(self, seconds: float, is_over: Callable[[], bool]) -> None:
        """Do harm for so long, or until it is over."""
        ends = time.monotonic() + seconds
        next_harm = time.monotonic() + self._random.uniform(*PAUSE_S)
        while (now := time.monotonic()) < ends and not is_over():
            self.watch()
            if now >= next_harm:
                self._harm()
                next_harm = now + self._random.uniform(*PAUSE_S)
            self._mend_due(now)
            time.sleep(0.02)

    def mend(self) -> None:
        """Mend everything, now."""
        while self._pending:
            self._mend_due(float("inf"))
            time.sleep(0.02)

    def watch(self) -> None:
        """Start again what has ended by itself; a batch job's sidecars do when they see nothing to do."""
        for pod in self._pods:
            if pod.has_sidecar and ("sidecar", pod.name) not in self._harmed and pod.reap_sidecar():
                pod.start_sidecar()

    def _mend_due(self, now: float) -> None:
        while self._pending and self._pending[0][0] <= now:
            _, _, mend = heapq.heappop(self._pending)
            if not mend():
                self._later(0.1, mend)
                if now == float("inf"):
                    return

    def _later(self, seconds: float, mend: Mend) -> None:
        heapq.heappush(self._pending, (time.monotonic() + seconds, next(self._order), mend))

    def _harm(self) -> None:
        harms = [
            self._kill_sidecar,
            self._stop_sidecar,
            self._terminate_sidecar,
            self._kill_container,
            self._stop_container,
            self._stop_server,
            self._outage,
            self._throttle,
        ]
        self._random.choice(harms)(self._random.choice(self._pods))

    def _claim(self, part: str, pod: Pod, kind: str) -> bool:
        """Take a process for one harm at a time."""
        has_it = pod.has_sidecar if part == "sidecar" else pod.has_container
        if (part, pod.name) in self._harmed or not has_it:
            return False
        self._harmed.add((part, pod.name))
        self.counts[kind] += 1
        return True

    def _kill_sidecar(self, pod: Pod) -> None:
        if self._claim("sidecar", pod, "SIGKILL of a sidecar"):
            pod.kill_sidecar()
            self._later(self._random.uniform(0, 1.5), lambda: self._restart(pod))

    def _restart(self, pod: Pod) -> bool:
        pod.start_sidecar()
        self._harmed.discard(("sidecar", pod.name))
        return True

    def _stop_sidecar(self, pod: Pod) -> None:
        if self._claim("sidecar", pod, "SIGSTOP of a sidecar"):
            pod.stop_sidecar()
            self._later(self._random.uniform(0.2, 2 * self._lease_s), lambda: self._resume(pod))

    def _resume(self, pod: Pod) -> bool:
        pod.resume_sidecar()
        self._harmed.discard(("sidecar", pod.name))
        return True

    def _terminate_sidecar(self, pod: Pod) -> None:
        if self._claim("sidecar", pod, "SIGTERM of a sidecar"):
            pod.terminate_sidecar()
            if self._random.random() < 0.3:
                self.counts["second SIGTERM"] += 1
                self._later(self._random.uniform(0.1, 1.0), lambda: self._terminate_again(pod))
            self._later(0.1, lambda: pod.reap_sidecar() and self._restart(pod))

    @staticmethod
    def _terminate_again(pod: Pod) -> bool:
        if not pod.has_sidecar:
            pod.terminate_sidecar()
        return True

    def _kill_container(self, pod: Pod) -> None:
        if self._claim("container", pod, "SIGKILL of a container"):
            pod.kill_container()
            self._later(self._random.uniform(0, 2.0), lambda: self._restart_container(pod))

    def _restart_container(self, pod: Pod) -> bool:
        pod.start_container()
        self._harmed.discard(("container", pod.name))
        return True

    def _stop_container(self, pod: Pod) -> None:
        if self._claim("container", pod, "SIGSTOP of a container"):
            pod.signal_container(signal.SIGSTOP)
            self._later(self._random.uniform(0.2, 1.5 * self._lease_s), lambda: self._resume_container(pod))

    def _resume_container(self, pod: Pod) -> bool:
        pod.signal_container(signal.SIGCONT)
        self._harmed.discard(("container", pod.name))
        return True

    def _stop_server(self, _pod: Pod) -> None:
        process = self._random.choice(self._processes)
        self.counts["SIGSTOP of a server"] += 1
        seconds = self._random.uniform(0.2, 1.5)
        process.stop()
        # What a server had read before it was stopped takes effect afterwards: not much later than a slow network.
        # It is a timer's work to let it go on: this thread may be waiting for the server meanwhile.
        timer = threading.Timer(seconds, process.resume)
        timer.start()
        self._later(seconds, lambda: not timer.is_alive())

    def _outage(self, _pod: Pod) -> None:
        seconds = self._random.uniform(0.5, 2 * self._lease_s)
        chosen = self._random.choice(("sqs", "s3", "both"))
        self.counts["outage"] += 1
        if chosen in {"sqs", "both"}:
            self._plan.away("sqs", seconds)
        if chosen in {"s3", "both"}:
            self._plan.away("s3", seconds)

    def _throttle(self, _pod: Pod) -> None:
        self.counts["operation throttled"] += 1
        self._plan.throttle(self._random.choice(OPERATIONS), self._random.uniform(0.5, 3.0))
