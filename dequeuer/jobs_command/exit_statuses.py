"""The exit statuses of `dequeuer jobs`, but for those of signals and of a broken pipe. They are an interface."""

from __future__ import annotations

from typing import Final

from dequeuer.client.job_status import JobStatus
from dequeuer.commands.exit_statuses import GATEWAY_UNAVAILABLE, OK, REFUSED, USAGE, WAITED_TOO_LONG

COMPLETED_WITH_FAILURES: Final = 3
STOPPED: Final = 4
TIMED_OUT: Final = 5
JOB_FAILED: Final = 6

__all__ = [
    "COMPLETED_WITH_FAILURES",
    "GATEWAY_UNAVAILABLE",
    "JOB_FAILED",
    "OK",
    "REFUSED",
    "STOPPED",
    "TIMED_OUT",
    "USAGE",
    "WAITED_TOO_LONG",
    "of_job",
]

_OF_STATE: Final = {
    "succeeded": OK,
    "completed_with_failures": COMPLETED_WITH_FAILURES,
    "stopped": STOPPED,
    "timed_out": TIMED_OUT,
}


def of_job(status: JobStatus) -> int:
    """Return the exit status for the end of a job."""
    return _OF_STATE.get(status.state, JOB_FAILED)
