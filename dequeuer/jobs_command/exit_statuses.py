"""The exit statuses of `dequeuer jobs`, but for those of signals and of a broken pipe. They are an interface."""

from __future__ import annotations

from typing import Final

from dequeuer.client.job_status import JobStatus

OK: Final = 0
REFUSED: Final = 1
"""The gateway refused the request, or the command failed on this machine."""
USAGE: Final = 2
COMPLETED_WITH_FAILURES: Final = 3
STOPPED: Final = 4
TIMED_OUT: Final = 5
JOB_FAILED: Final = 6
GATEWAY_UNAVAILABLE: Final = 7
WAITED_TOO_LONG: Final = 8
"""`--timeout` is over; the job goes on."""

_OF_STATE: Final = {
    "succeeded": OK,
    "completed_with_failures": COMPLETED_WITH_FAILURES,
    "stopped": STOPPED,
    "timed_out": TIMED_OUT,
}


def of_job(status: JobStatus) -> int:
    """Return the exit status for the end of a job."""
    return _OF_STATE.get(status.state, JOB_FAILED)
