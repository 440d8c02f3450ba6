"""Tells the observer what happens to a job."""

from __future__ import annotations

from typing import TypedDict

from dequeuer.controller.observed import Observed
from dequeuer.core.errors import clip
from dequeuer.core.events import (
    JobChanged,
    JobMeasured,
    JobObserved,
    JobOwnershipChanged,
    JobPassFailed,
    Observer,
    OwnershipEnd,
)
from dequeuer.jobs.documents import JobEnd, JobProgress
from dequeuer.jobs.layout import JobKeys
from dequeuer.jobs.spec import JobSpec
from dequeuer.jobs.state import JobState, has_ended, state_of
from dequeuer.process.exit_text import without_last_lines


class _Job(TypedDict):
    kind: str
    api_name: str
    job_id: str


class JobReports:
    """Reports on one job, which this controller acts for."""

    def __init__(self, keys: JobKeys, observer: Observer) -> None:
        self._kind = keys.kind
        self._job = _Job(kind=keys.kind, api_name=keys.api_name, job_id=keys.job_id)
        self._observer = observer
        self._state: JobState = "unknown"

    def acquired(self) -> None:
        """Report that this controller acts for the job from now on."""
        self._observer(JobOwnershipChanged(**self._job, is_owned=True))

    def given_up(self, reason: OwnershipEnd) -> None:
        """Report that it does so no more."""
        self._observer(JobOwnershipChanged(**self._job, is_owned=False, reason=reason))

    def looked(self, seen: Observed) -> None:
        """Report what a look has shown, and a new status if it is not an end."""
        state = seen.end.state if seen.end is not None else state_of(seen.names, self._kind)
        state = "pending" if state == "unknown" else state
        messages = seen.depth.total if seen.depth is not None else 0
        age_s = (seen.now_ns - seen.spec.start_time_ns) / 1e9
        self._observer(JobObserved(**self._job, state=state, messages=messages, age_s=age_s))
        if state != self._state and not has_ended(state):
            self._observer(JobChanged(**self._job, state=state))
        self._state = state

    def measured(self, progress: JobProgress) -> None:
        """Report how far a batch job is."""
        if not progress.progress:
            return
        known = {name: int(number) for name, number in progress.progress.items() if number is not None}
        self._observer(
            JobMeasured(
                **self._job,
                batches_total=known.get("batches_total", 0),
                batches_done=known.get("batches_done", 0),
                items_total=known.get("items_total", 0),
                items_done=known.get("items_done", 0),
                items_failed=known.get("items_failed", 0),
            )
        )

    def ended(self, end: JobEnd, spec: JobSpec) -> None:
        """Report that everything is done that follows the end."""
        error = clip(without_last_lines(end.error.message)) if end.error is not None else ""
        duration_s = max(0.0, (end.end_time_ns - spec.start_time_ns) / 1e9)
        self._observer(JobChanged(**self._job, state=end.state, error=error, duration_s=duration_s))

    def pass_failed(self, error: Exception) -> None:
        """Report that a pass failed and will be tried again."""
        self._observer(JobPassFailed(**self._job, error=clip(str(error))))
