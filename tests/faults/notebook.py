"""What is seen while a run goes on, on one clock, from several threads and processes."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from tests.history.records import Record

RESUMED_S = 0.25
"""What arrives within this time of a SIGCONT was under way when the sidecar was stopped.

Nothing can be checked between the last look at a lease and the system call that sends: a process that is stopped
there sends when it goes on. The deterministic simulation judges that gap; here it would be blamed on the sidecar.
"""


@dataclass(slots=True)
class _Pod:
    names: list[tuple[float, str]] = field(default_factory=list)
    stopped_at: float | None = None
    resumed_at: float = float("-inf")
    stopped_since: float = float("-inf")


class Notebook:
    """Records, and which process of a pod was alive when.

    A sidecar that is started anew is another sidecar to the checker: `pod-0.2` is the second one of `pod-0`.
    """

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.began_at = self.now()
        self._pods: dict[str, _Pod] = {}
        self._given: dict[tuple[str, str], list[tuple[float, str]]] = {}
        self._last: dict[str, float] = {}

    @staticmethod
    def now() -> float:
        """Return the time. Linux has one monotonic clock for all processes."""
        return time.monotonic()

    def note(self, record: Record) -> None:
        """Take a record down. Appending to a list is atomic: any thread may do it."""
        if record.ref:
            self._last[record.ref] = record.at
        self.records.append(record)

    def begins(self, pod: str) -> str:
        """A sidecar of a pod is started: return its name."""
        names = self._pods.setdefault(pod, _Pod()).names
        names.append((self.now(), f"{pod}.{len(names) + 1}"))
        return names[-1][1]

    def name_at(self, pod: str, at: float) -> str:
        """Return the sidecar that a pod had at a time."""
        alive = [name for since, name in self._pods[pod].names if since <= at]
        return alive[-1] if alive else f"{pod}.0"

    def given(self, pod: str, sidecar: str, ref: str) -> None:
        """A sidecar was handed something out."""
        self._given[pod, ref] = [*self._given.get((pod, ref), ()), (self.now(), sidecar)]

    def caller(self, call: Record) -> str:
        """Return which sidecar of a pod made a call: who had the message last, not who is alive.

        A container that was stopped reads the calls of a sidecar that has died meanwhile.
        """
        had = [name for since, name in self._given.get((call.sidecar, call.ref), ()) if since <= call.at]
        return had[-1] if had else self.name_at(call.sidecar, call.at)

    def stops(self, pod: str) -> None:
        """The sidecar gets SIGSTOP."""
        self._pods[pod].stopped_at = self.now()

    def resumes(self, pod: str) -> None:
        """The sidecar gets SIGCONT."""
        known = self._pods[pod]
        if known.stopped_at is not None:
            known.stopped_since, known.resumed_at, known.stopped_at = known.stopped_at, self.now(), None

    def sent_at(self, pod: str, ref: str, arrived_at: float) -> float:
        """Return when a sidecar sent what arrives now: before it was stopped, if it has just gone on."""
        known = self._pods[pod]
        since = known.stopped_at if known.stopped_at is not None else known.stopped_since
        if known.stopped_at is None and arrived_at > known.resumed_at + RESUMED_S:
            return arrived_at
        # Never before what has led to it.
        return min(arrived_at, max(since, self._last.get(ref, since)))

    def history(self, more: Sequence[Record] = ()) -> list[Record]:
        """Return everything in the order of time, seconds from the beginning of the run."""
        merged = sorted([*self.records, *more], key=lambda record: record.at)
        return [replace(record, at=record.at - self.began_at) for record in merged]
