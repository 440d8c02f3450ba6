"""Log lines about jobs: their statuses, their owners, their processes."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

from dequeuer.core.clock import monotonic
from dequeuer.core.errors import clip
from dequeuer.core.events import (
    Event,
    JobChanged,
    JobObserved,
    JobOwnershipChanged,
    JobPassFailed,
    JobProcessEnded,
    JobProcessStarted,
)
from dequeuer.observability.logs.failure_period import FailurePeriod


class JobLines:
    """Writes the lines. What fails again and again for a job is one line, and its end another one."""

    def __init__(self, log: Any, *, clock: Callable[[], float] = monotonic) -> None:
        self._log = log
        self._clock = clock
        self._failing: dict[str, FailurePeriod] = {}
        self.handlers: Mapping[type[Event], Callable[[Any], None]] = {
            JobChanged: self._changed,
            JobObserved: self._observed,
            JobOwnershipChanged: self._ownership_changed,
            JobPassFailed: self._pass_failed,
            JobProcessStarted: self._process_started,
            JobProcessEnded: self._process_ended,
        }

    def _changed(self, event: JobChanged) -> None:
        job = {"api_name": event.api_name, "job_id": event.job_id, "status": event.state}
        if event.duration_s is None:
            self._log.info("job_status_changed", **job)
        elif event.error:
            self._log.warning("job_ended", **job, duration_s=round(event.duration_s, 3), error=clip(event.error))
        else:
            self._log.info("job_ended", **job, duration_s=round(event.duration_s, 3))

    def _observed(self, event: JobObserved) -> None:
        period = self._failing.get(event.job_id)
        ended = period.succeeded(self._clock()) if period is not None else None
        if ended is not None:
            del self._failing[event.job_id]
            self._log.info(
                "job_steps_succeed",
                api_name=event.api_name,
                job_id=event.job_id,
                after_s=round(ended.duration_s, 3),
                failed_steps=ended.failures,
            )

    def _ownership_changed(self, event: JobOwnershipChanged) -> None:
        job = {"api_name": event.api_name, "job_id": event.job_id}
        if event.is_owned:
            self._log.info("job_taken", **job, kind=event.kind)
            return
        self._failing.pop(event.job_id, None)
        if event.reason != "ended":
            level = logging.INFO if event.reason == "drain" else logging.WARNING
            self._log.log(level, "job_given_up", **job, reason=event.reason)

    def _pass_failed(self, event: JobPassFailed) -> None:
        if self._failing.setdefault(event.job_id, FailurePeriod()).failed(self._clock()):
            self._log.warning("job_steps_fail", api_name=event.api_name, job_id=event.job_id, error=clip(event.error))

    def _process_started(self, event: JobProcessStarted) -> None:
        self._log.info("job_process_started", api_name=event.api_name, job_id=event.job_id, process=event.process)

    def _process_ended(self, event: JobProcessEnded) -> None:
        # The enqueuer of every job ends by itself.
        level = logging.INFO if event.phase == "succeeded" else logging.WARNING
        self._log.log(
            level,
            "job_process_ended",
            api_name=event.api_name,
            job_id=event.job_id,
            process=event.process,
            phase=event.phase,
            detail=clip(event.detail),
        )
