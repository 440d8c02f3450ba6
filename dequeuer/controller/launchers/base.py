"""The protocol of a launcher: it runs the processes of jobs somewhere."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final, Literal, Protocol, TypeAlias

from dequeuer.core.errors import DequeuerError
from dequeuer.jobs.layout import JobKeys
from dequeuer.jobs.spec import JobSpec

ENQUEUER: Final = "enqueuer"

Phase: TypeAlias = Literal[
    "pending", "creating", "not_ready", "ready", "terminating", "succeeded", "failed", "killed", "killed_oom"
]
"""The states of Cortex's `worker_counts` that a launcher can tell. The last four are ends."""
ENDED: Final[frozenset[Phase]] = frozenset({"succeeded", "failed", "killed", "killed_oom"})


def worker_name(index: int) -> str:
    """Return the name of a worker of a job."""
    return f"worker-{index}"


class LauncherUnavailableError(DequeuerError):
    """Processes cannot be started, observed or stopped for now: try again later."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessState:
    """A process, or the processes of a pod, by the name of the job's process.

    Attributes:
        phase: see `Phase`.
        was_ready: it was ready at some time. One that ended and never was could not be started.
        detail: for people: how it ended, and its last log lines. "" while it runs.
    """

    phase: Phase
    was_ready: bool = False
    detail: str = ""

    @property
    def has_ended(self) -> bool:
        """Whether nothing of it runs any more."""
        return self.phase in ENDED


class Launcher(Protocol):
    """Runs the processes of jobs: the enqueuer, `worker-0` and so on. Names are unique within a job.

    All methods raise `LauncherUnavailableError`. Processes that a launcher has started and that belong to nobody any
    more, because its controller was killed, end by themselves or are found again under their names.
    """

    async def start(self, keys: JobKeys, spec: JobSpec, name: str) -> None:
        """Start a process. One of that name that runs is left alone; one that has ended is replaced.

        Returns as soon as it is being started. A command that does not exist, or an image, is a process that `failed`.
        """

    async def observe(self, keys: JobKeys) -> Mapping[str, ProcessState]:
        """Return the processes of a job that run, and those that have ended and were not stopped."""

    async def stop(self, keys: JobKeys, names: Collection[str]) -> None:
        """Drain processes, and return when they have ended; they are forgotten. Unknown names are no error.

        A worker's sidecar is drained before its containers are stopped. The grace period of a process bounds the wait.
        When the call is cancelled, the processes still end.
        """
