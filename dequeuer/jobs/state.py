"""The statuses of a job. Its status is that of the marker that comes first here: markers are added, never replaced."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final, Literal, TypeAlias, get_args

from dequeuer.jobs.layout import JobKind

JobState: TypeAlias = Literal[
    "timed_out",
    "worker_oom",
    "worker_error",
    "enqueue_failed",
    "unexpected_error",
    "completed_with_failures",
    "succeeded",
    "stopped",
    "running",
    "enqueuing",
    "pending",
    "unknown",
]
"""The statuses of Cortex, in its order; `unknown`, the last one, is that of a job without a marker."""

STATUS_HEADER: Final = "X-Dequeuer-Job-Status"
"""Of results: the status that the job had before they were read. After a final one, no more of them will come."""

_BATCH_ORDER: Final[tuple[JobState, ...]] = get_args(JobState)
# A stopped batch job that had ended before stays what it was; a stopped task job is stopped.
_ORDER: Final[dict[JobKind, tuple[JobState, ...]]] = {
    "BatchAPI": _BATCH_ORDER,
    "TaskAPI": ("stopped", *(state for state in _BATCH_ORDER if state != "stopped")),
}
_NOT_ENDED: Final = frozenset({"running", "enqueuing", "pending", "unknown"})


def state_of(names: Collection[str], kind: JobKind) -> JobState:
    """Return the status that the objects of a job say. `names`: of the objects below its prefix."""
    return next((state for state in _ORDER[kind] if state in names), "unknown")


def has_ended(state: JobState) -> bool:
    """Return whether a job of this status changes no more."""
    return state not in _NOT_ENDED


def parse_state(text: object) -> JobState:
    """Return the status of this name; `unknown` for every other value."""
    return next((state for state in _BATCH_ORDER if state == text), "unknown")
