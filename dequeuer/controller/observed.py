"""What one look at a job shows: everything that the next step is decided from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from dequeuer.controller.launchers.base import ProcessState
from dequeuer.jobs.checkpoint import Checkpoint
from dequeuer.jobs.documents import JobEnd
from dequeuer.jobs.enqueue_error import EnqueueError
from dequeuer.jobs.spec import JobSpec
from dequeuer.sources.base import Depth


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """A job, as it was found.

    Attributes:
        names: of the objects directly below its prefix.
        spec: its specification.
        now_ns: the time, since the epoch.
        end: how it ended; None: it has not.
        total_batches: in the queue in all; None: they are not all there yet.
        checkpoint: how far the enqueuer has come; None: it has not begun.
        enqueue_error: why the enqueuer gave up; None: it has not.
        depth: of the queue; None: there is no queue.
        processes: of the job, by name.
        has_failures: a batch failed for good, or the completion of the job did.
        is_empty_for_long: every look at the queue, for as long as its counts may lag behind, found it empty.
        is_gone_for_long: several looks in a row found no queue, although it had been created.
        enqueuer_failures: runs of the enqueuer that ended early, in a row, without one that got further.
        worker_failures: runs of workers that ended before they were ready, since one was ready.
        waits: names of processes that may not be started yet: they have failed a moment ago.
    """

    names: frozenset[str]
    spec: JobSpec
    now_ns: int
    end: JobEnd | None = None
    total_batches: int | None = None
    checkpoint: Checkpoint | None = None
    enqueue_error: EnqueueError | None = None
    depth: Depth | None = None
    processes: Mapping[str, ProcessState] = field(default_factory=dict)
    has_failures: bool = False
    is_empty_for_long: bool = False
    is_gone_for_long: bool = False
    enqueuer_failures: int = 0
    worker_failures: int = 0
    waits: frozenset[str] = frozenset()

    @property
    def is_paused(self) -> bool:
        """Whether a pause is requested."""
        return "pause" in self.names

    @property
    def has_timed_out(self) -> bool:
        """Whether the time of the job, counted from its submission, is over."""
        timeout_s = self.spec.timeout_s
        return timeout_s is not None and self.now_ns - self.spec.start_time_ns >= timeout_s * 1_000_000_000

    @property
    def has_batches(self) -> bool:
        """Whether there is work for workers, or was."""
        is_begun = self.checkpoint is not None and self.checkpoint.batches > 0
        return is_begun or (self.depth is not None and self.depth.total > 0) or self.total_batches is not None

    def running(self) -> frozenset[str]:
        """Return the names of the processes that have not ended."""
        return frozenset(name for name, state in self.processes.items() if not state.has_ended)
