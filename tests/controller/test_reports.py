"""What is reported of a job, beside what the other tests of the controller look at."""

from __future__ import annotations

from dequeuer.controller.reports import JobReports
from dequeuer.core.events import Event, JobChanged
from dequeuer.jobs.documents import JobEnd, JobError
from dequeuer.process.exit_text import with_last_lines
from tests.controller.stage import KEYS, make_spec


def test_what_a_container_printed_is_in_the_status_and_not_in_the_log() -> None:
    events: list[Event] = []
    output = with_last_lines("worker-0 (api) ended with exit status 1", ["password=x", "    and more"])
    error = JobError(message=f"{output}\nmanifest.json could not be written")
    JobReports(KEYS, events.append).ended(JobEnd(state="worker_error", end_time_ns=0, error=error), make_spec())
    (event,) = events
    assert isinstance(event, JobChanged)
    assert event.error == "worker-0 (api) ended with exit status 1. manifest.json could not be written"
