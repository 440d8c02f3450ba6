"""What a controller remembers of a job between two looks. A controller that starts anew loses only time by it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from dequeuer.controller.launchers.base import ENQUEUER, ProcessState
from dequeuer.core.retry import Backoff

RESTART_BACKOFF: Final = Backoff(initial_s=0.5, max_s=30.0, min_share=0.5)
STEADY_S: Final = 60.0
"""A process that ran for so long is started again without a pause."""
GONE_LOOKS: Final = 5
"""SQS may not find a queue for a moment after it was created."""


class Runs:
    """The runs of the job's processes, and how they ended. Times are those of the event loop."""

    def __init__(self) -> None:
        self.enqueuer_failures = 0
        self.worker_failures = 0
        self._batches = -1
        self._started_at: dict[str, float] = {}
        self._ended: set[str] = set()
        self._short_runs: dict[str, int] = {}
        self._waits_until: dict[str, float] = {}

    def started(self, name: str, now_s: float) -> None:
        """Record that a process was started."""
        self._started_at[name] = now_s
        self._ended.discard(name)

    def update(self, processes: Mapping[str, ProcessState], batches: int, now_s: float) -> None:
        """Record what the processes are doing. `batches`: how many have been enqueued."""
        if batches > self._batches:
            self._batches, self.enqueuer_failures = batches, 0
        if any(name != ENQUEUER and state.phase == "ready" for name, state in processes.items()):
            self.worker_failures = 0
        for name, state in processes.items():
            if state.has_ended and name not in self._ended:
                self._ended.add(name)
                self._record_end(name, state, now_s)

    def waiting(self, now_s: float) -> frozenset[str]:
        """Return the names of the processes that may not be started yet."""
        return frozenset(name for name, until in self._waits_until.items() if now_s < until)

    def _record_end(self, name: str, state: ProcessState, now_s: float) -> None:
        if name == ENQUEUER:
            self.enqueuer_failures += 1
        elif not state.was_ready:
            self.worker_failures += 1
        is_steady = now_s - self._started_at.get(name, now_s) >= STEADY_S
        failures = 0 if is_steady else self._short_runs.get(name, 0)
        self._short_runs[name] = failures + 1
        self._waits_until[name] = now_s if is_steady else now_s + RESTART_BACKOFF.pause_s(failures)


class QueueLooks:
    """Looks at the job's queue. `delay_s`: how far its counts may lag behind."""

    def __init__(self, delay_s: float) -> None:
        self._delay_s = delay_s
        self._empty_since: float | None = None
        self._gone = 0

    def update(self, messages: int | None, now_s: float, *, is_sent: bool) -> None:
        """Record a look.

        Args:
            messages: None when there was no queue.
            now_s: when it was.
            is_sent: everything was sent before it. A queue that was empty until then may be filled by now.
        """
        self._gone = self._gone + 1 if messages is None else 0
        if messages != 0 or not is_sent:
            self._empty_since = None
        elif self._empty_since is None:
            self._empty_since = now_s

    def is_empty_for_long(self, now_s: float, *, factor: float = 1.0) -> bool:
        """Return whether all looks of the last seconds found it empty. `factor`: multiplies the delay."""
        return self._empty_since is not None and now_s - self._empty_since >= self._delay_s * factor

    @property
    def is_gone_for_long(self) -> bool:
        """Whether several looks in a row found no queue."""
        return self._gone >= GONE_LOOKS
