"""Which waiting jobs a controller takes on while it has room for some."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from dequeuer.jobs.layout import JobKeys


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingJob:
    """A job that this controller does not run.

    Attributes:
        keys: of the job.
        priority: as submitted.
        submitted_ns: since the epoch.
        is_stopped: a stop is requested, so it needs no room: there is only its end left.
    """

    keys: JobKeys
    priority: int
    submitted_ns: int
    is_stopped: bool


def admitted(waiting: Iterable[WaitingJob], room: int) -> list[WaitingJob]:
    """Return the jobs to take on: those that are stopped, and the first of the others by priority, then by age."""
    jobs = sorted(waiting, key=lambda job: (-job.priority, job.submitted_ns, job.keys.job_id))
    stopped = [job for job in jobs if job.is_stopped]
    return stopped + [job for job in jobs if not job.is_stopped][: max(0, room)]
