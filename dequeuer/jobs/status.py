"""The status of a job, as clients get it: Cortex's fields in its order, then ours."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dequeuer.formats.go_time import format_time
from dequeuer.jobs.documents import (
    JobError,
    JobProgress,
    JsonNumber,
    error_fields,
    progress_fields,
    worker_count_fields,
)
from dequeuer.jobs.spec import JobSpec, own_fields, spec_fields
from dequeuer.jobs.state import JobState, has_ended


@dataclass(frozen=True, slots=True, kw_only=True)
class JobStatus:
    """What is known of a job.

    Attributes:
        spec: the job.
        state: its status.
        end_time_ns: since the epoch; None while it has not ended.
        batches_in_queue: those that are not settled; the completion message is not counted.
        progress: None before there is any.
        metrics: Cortex's, for JSON; None while there are none.
        error: why it failed; None when it did not.
        is_paused: a pause is requested.
        is_stopping: a stop is requested.
    """

    spec: JobSpec
    state: JobState
    end_time_ns: int | None = None
    batches_in_queue: int = 0
    progress: JobProgress | None = None
    metrics: Mapping[str, JsonNumber] | None = None
    error: JobError | None = None
    is_paused: bool = False
    is_stopping: bool = False

    @property
    def has_ended(self) -> bool:
        """Whether the job changes no more."""
        return has_ended(self.state)


def status_fields(status: JobStatus) -> dict[str, Any]:
    """Return the fields of the status for JSON."""
    spec, progress = status.spec, status.progress
    own = own_fields(spec.output_s3_path, spec.on_bad_item, spec.priority)
    fields = {name: value for name, value in spec_fields(spec).items() if name not in own}
    end_time = {} if status.end_time_ns is None else {"end_time": format_time(status.end_time_ns)}
    if spec.kind == "BatchAPI":
        fields |= {"status": status.state} | end_time | {"batches_in_queue": status.batches_in_queue}
    else:
        fields |= end_time | {"status": status.state}
    # As Cortex: there are no workers to count once the job has ended.
    if progress is not None and progress.worker_counts is not None and not status.has_ended:
        fields["worker_counts"] = worker_count_fields(progress.worker_counts)
    fields |= own
    if progress is not None or spec.kind == "BatchAPI":
        fields["progress"] = progress_fields({} if progress is None else progress.progress)
    if status.error is not None:
        fields["error"] = error_fields(status.error)
    if status.is_paused:
        fields["paused"] = True
    if status.is_stopping:
        fields["stopping"] = True
    return fields
