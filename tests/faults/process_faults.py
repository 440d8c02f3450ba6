"""Faults of the processes of a run, drawn from a seed, each with its recovery."""

from __future__ import annotations

import heapq
import itertools
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence

from tests.faults.pod import Pod
from tests.faults.request_faults import RequestFaults
from tests.faults.servers import Process

PAUSE_S = (0.3, 1.5)
OPERATIONS = ("ReceiveMessage", "DeleteMessageBatch", "ChangeMessageVisibilityBatch", "PUT", "GET", "DELETE", "LIST")
Recovery = Callable[[], bool]
"""Ends a fault. Returns False when it must be called again after 0.1 s."""


class ProcessFaults:
    """Injects faults for a time, then ends all of them. Runs in the caller's thread.

    Args:
        seed: of the schedule.
        pods: sidecars and containers that get faults.
        processes: the servers. They get SIGSTOP only.
        request_faults: gets the outages and throttled operations.
        lease_s: some SIGSTOPs last shorter than a lease, some longer.
    """

    def __init__(
        self,
        seed: int,
        pods: Sequence[Pod],
        processes: Sequence[Process],
        request_faults: RequestFaults,
        lease_s: float,
    ) -> None:
        self._random = random.Random(f"process_faults-{seed}")
        self._pods = pods
        self._processes = processes
        self._request_faults = request_faults
        self._lease_s = lease_s
        self._pending: list[tuple[float, int, Recovery]] = []
        self._order = itertools.count()
        self._faulty: set[tuple[str, str]] = set()
        self.counts: Counter[str] = Counter()

    def run(self, seconds: float, is_over: Callable[[], bool]) -> None:
        """Inject faults for `seconds`, or until `is_over`."""
        ends = time.monotonic() + seconds
        next_fault = time.monotonic() + self._random.uniform(*PAUSE_S)
        while (now := time.monotonic()) < ends and not is_over():
            self.watch()
            if now >= next_fault:
                self._inject()
                next_fault = now + self._random.uniform(*PAUSE_S)
            self._recover_due(now)
            time.sleep(0.02)

    def recover(self) -> None:
        """End all faults now."""
        while self._pending:
            self._recover_due(float("inf"))
            time.sleep(0.02)

    def watch(self) -> None:
        """Start sidecars again that ended by themselves. Those of a batch job end when the queue is empty."""
        for pod in self._pods:
            if pod.has_sidecar and ("sidecar", pod.name) not in self._faulty and pod.reap_sidecar():
                pod.start_sidecar()

    def _recover_due(self, now: float) -> None:
        while self._pending and self._pending[0][0] <= now:
            _, _, recover = heapq.heappop(self._pending)
            if not recover():
                self._later(0.1, recover)
                if now == float("inf"):
                    return

    def _later(self, seconds: float, recover: Recovery) -> None:
        heapq.heappush(self._pending, (time.monotonic() + seconds, next(self._order), recover))

    def _inject(self) -> None:
        faults = [
            self._kill_sidecar,
            self._stop_sidecar,
            self._terminate_sidecar,
            self._kill_container,
            self._stop_container,
            self._stop_server,
            self._outage,
            self._throttle,
        ]
        self._random.choice(faults)(self._random.choice(self._pods))

    def _claim(self, part: str, pod: Pod, kind: str) -> bool:
        """Reserve a process for one fault. Return False when it has a fault already, or does not run."""
        has_it = pod.has_sidecar if part == "sidecar" else pod.has_container
        if (part, pod.name) in self._faulty or not has_it:
            return False
        self._faulty.add((part, pod.name))
        self.counts[kind] += 1
        return True

    def _kill_sidecar(self, pod: Pod) -> None:
        if self._claim("sidecar", pod, "SIGKILL of a sidecar"):
            pod.kill_sidecar()
            self._later(self._random.uniform(0, 1.5), lambda: self._restart(pod))

    def _restart(self, pod: Pod) -> bool:
        pod.start_sidecar()
        self._faulty.discard(("sidecar", pod.name))
        return True

    def _stop_sidecar(self, pod: Pod) -> None:
        if self._claim("sidecar", pod, "SIGSTOP of a sidecar"):
            pod.stop_sidecar()
            self._later(self._random.uniform(0.2, 2 * self._lease_s), lambda: self._resume(pod))

    def _resume(self, pod: Pod) -> bool:
        pod.resume_sidecar()
        self._faulty.discard(("sidecar", pod.name))
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
        self._faulty.discard(("container", pod.name))
        return True

    def _stop_container(self, pod: Pod) -> None:
        if self._claim("container", pod, "SIGSTOP of a container"):
            pod.signal_container(signal.SIGSTOP)
            self._later(self._random.uniform(0.2, 1.5 * self._lease_s), lambda: self._resume_container(pod))

    def _resume_container(self, pod: Pod) -> bool:
        pod.signal_container(signal.SIGCONT)
        self._faulty.discard(("container", pod.name))
        return True

    def _stop_server(self, _pod: Pod) -> None:
        process = self._random.choice(self._processes)
        self.counts["SIGSTOP of a server"] += 1
        seconds = self._random.uniform(0.2, 1.5)
        process.stop()
        # A request that the server has read takes effect when it runs again. So the stop is not longer than a slow
        # network.
        # A timer resumes the server, because this thread may wait for a response of the server.
        timer = threading.Timer(seconds, process.resume)
        timer.start()
        self._later(seconds, lambda: not timer.is_alive())

    def _outage(self, _pod: Pod) -> None:
        seconds = self._random.uniform(0.5, 2 * self._lease_s)
        chosen = self._random.choice(("sqs", "s3", "both"))
        self.counts["outage"] += 1
        if chosen in {"sqs", "both"}:
            self._request_faults.start_outage("sqs", seconds)
        if chosen in {"s3", "both"}:
            self._request_faults.start_outage("s3", seconds)

    def _throttle(self, _pod: Pod) -> None:
        self.counts["operation throttled"] += 1
        self._request_faults.throttle(self._random.choice(OPERATIONS), self._random.uniform(0.5, 3.0))
