from __future__ import annotations

from typing import Any

from structlog.testing import capture_logs

from dequeuer.core.events import (
    Event,
    JobChanged,
    JobObserved,
    JobOwnershipChanged,
    JobPassFailed,
    JobProcessEnded,
    JobProcessStarted,
)
from dequeuer.observability.logs import controller_event_log

JOB: dict[str, Any] = {"kind": "BatchAPI", "api_name": "sum", "job_id": "1"}
SHOWN = {"api_name": "sum", "job_id": "1"}
OBSERVED = JobObserved(**JOB, state="running", messages=3, age_s=10.0)


def logged(*events: Event) -> list[Any]:
    """Return the lines of some events; a second passes from one to the next."""
    now = 0.0

    def clock() -> float:
        nonlocal now
        now += 1.0
        return now

    with capture_logs() as lines:
        log = controller_event_log(clock=clock)
        for event in events:
            log(event)
    return lines


def test_what_happens_to_a_job_is_a_line() -> None:
    assert logged(
        JobOwnershipChanged(**JOB, is_owned=True),
        OBSERVED,
        JobChanged(**JOB, state="running"),
        JobProcessStarted(**SHOWN, process="worker-0"),
        JobProcessEnded(**SHOWN, process="worker-0", phase="killed", detail="it was killed"),
        JobProcessEnded(**SHOWN, process="enqueuer", phase="succeeded", detail="exit status 0"),
        JobChanged(**JOB, state="succeeded", duration_s=2.0),
        JobOwnershipChanged(**JOB, is_owned=False, reason="ended"),
    ) == [
        {"event": "job_taken", "log_level": "info", **SHOWN, "kind": "BatchAPI"},
        {"event": "job_status_changed", "log_level": "info", **SHOWN, "status": "running"},
        {"event": "job_process_started", "log_level": "info", **SHOWN, "process": "worker-0"},
        {
            "event": "job_process_ended",
            "log_level": "warning",
            **SHOWN,
            "process": "worker-0",
            "phase": "killed",
            "detail": "it was killed",
        },
        {
            "event": "job_process_ended",
            "log_level": "info",
            **SHOWN,
            "process": "enqueuer",
            "phase": "succeeded",
            "detail": "exit status 0",
        },
        {"event": "job_ended", "log_level": "info", **SHOWN, "status": "succeeded", "duration_s": 2.0},
    ]


def test_a_job_that_failed_or_was_lost_is_a_warning() -> None:
    lines = logged(
        JobChanged(**JOB, state="worker_error", error="out of luck", duration_s=2.0),
        JobOwnershipChanged(**JOB, is_owned=False, reason="lost"),
    )
    assert [(line["log_level"], line["event"]) for line in lines] == [
        ("warning", "job_ended"),
        ("warning", "job_given_up"),
    ]
    assert lines[0]["error"] == "out of luck"


def test_steps_that_fail_are_one_line_and_so_is_their_end() -> None:
    failed = JobPassFailed(**JOB, error="no store")
    lines = logged(failed, failed, failed, OBSERVED, OBSERVED)
    assert lines == [
        {"event": "job_steps_fail", "log_level": "warning", **SHOWN, "error": "no store"},
        {"event": "job_steps_succeed", "log_level": "info", **SHOWN, "after_s": 3.0, "failed_steps": 3},
    ]
