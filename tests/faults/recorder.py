"""Records the history of a run on one clock, from several threads and processes."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from tests.history.records import Record

RESUME_WINDOW_S = 0.25
"""A request that arrives within this time after SIGCONT counts as sent before the SIGSTOP.

A sidecar can be stopped between its last check of a lease and the system call that sends the request. It then sends the
request after SIGCONT, and cannot avoid this. The deterministic simulation checks this gap; here it is no violation.
"""


@dataclass(slots=True)
class _Pod:
    names: list[tuple[float, str]] = field(default_factory=list)
    stopped_at: float | None = None
    resumed_at: float = float("-inf")
    stopped_since: float = float("-inf")


class RunRecorder:
    """The records of a run, and which sidecar each pod had at which time.

    The checker treats a restarted sidecar as another sidecar: `pod-0.2` is the second sidecar of `pod-0`.
    """

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.began_at = self.now()
        self._pods: dict[str, _Pod] = {}
        self._deliveries: dict[tuple[str, str], list[tuple[float, str]]] = {}
        self._last: dict[str, float] = {}

    @staticmethod
    def now() -> float:
        """Return the monotonic time. On Linux it is the same in all processes."""
        return time.monotonic()

    def record(self, record: Record) -> None:
        """Add a record. Every thread may call it, because appending to a list is atomic."""
        if record.ref:
            self._last[record.ref] = record.at
        self.records.append(record)

    def sidecar_started(self, pod: str) -> str:
        """Record the start of a sidecar in a pod; return its name."""
        names = self._pods.setdefault(pod, _Pod()).names
        names.append((self.now(), f"{pod}.{len(names) + 1}"))
        return names[-1][1]

    def name_at(self, pod: str, at: float) -> str:
        """Return the sidecar that a pod had at a time."""
        alive = [name for since, name in self._pods[pod].names if since <= at]
        return alive[-1] if alive else f"{pod}.0"

    def delivered(self, pod: str, sidecar: str, ref: str) -> None:
        """Record that the queue delivered a message to a sidecar."""
        self._deliveries[pod, ref] = [*self._deliveries.get((pod, ref), ()), (self.now(), sidecar)]

    def caller(self, call: Record) -> str:
        """Return the sidecar of a pod that made a call: the one that received the message last.

        It need not be the running one: a container that was stopped reads calls of a sidecar that was killed meanwhile.
        """
        had = [name for since, name in self._deliveries.get((call.sidecar, call.ref), ()) if since <= call.at]
        return had[-1] if had else self.name_at(call.sidecar, call.at)

    def sidecar_stopped(self, pod: str) -> None:
        """Record that the sidecar of a pod gets SIGSTOP."""
        self._pods[pod].stopped_at = self.now()

    def sidecar_resumed(self, pod: str) -> None:
        """Record that the sidecar of a pod gets SIGCONT."""
        known = self._pods[pod]
        if known.stopped_at is not None:
            known.stopped_since, known.resumed_at, known.stopped_at = known.stopped_at, self.now(), None

    def sent_at(self, pod: str, ref: str, arrived_at: float) -> float:
        """Return when a sidecar sent a request that arrives now: before its SIGSTOP if it has just been resumed."""
        known = self._pods[pod]
        since = known.stopped_at if known.stopped_at is not None else known.stopped_since
        if known.stopped_at is None and arrived_at > known.resumed_at + RESUME_WINDOW_S:
            return arrived_at
        # Not before the last record of the request, which is its cause.
        return min(arrived_at, max(since, self._last.get(ref, since)))

    def history(self, more: Sequence[Record] = ()) -> list[Record]:
        """Return all records sorted by time, in seconds since the start of the run."""
        merged = sorted([*self.records, *more], key=lambda record: record.at)
        return [replace(record, at=record.at - self.began_at) for record in merged]
