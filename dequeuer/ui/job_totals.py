"""Counters of items, from the progress of jobs: they only grow, although messages come back to a queue."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dequeuer.formats.go_json import Number
from dequeuer.ui.readings import Totals


class JobTotals:
    """Remembers the jobs of the last look."""

    def __init__(self) -> None:
        self._known: Mapping[str, Totals] = {}

    def take(self, jobs: Sequence[Any]) -> Mapping[str, Totals]:
        """Return the counters of jobs, by id; without those that have no progress."""
        found = {}
        for job in jobs:
            if isinstance(job, dict) and isinstance(job_id := job.get("job_id"), str):
                progress = job.get("progress")
                done, failed = (_count(progress, name) for name in ("items_done", "items_failed"))
                if done is not None:
                    found[job_id] = self._grown(job_id, done, failed or 0)
        self._known = found
        return found

    def _grown(self, job_id: str, done: int, failed: int) -> Totals:
        before = self._known.get(job_id, Totals())
        # What is done has failed, or not.
        return Totals(completed=max(before.completed, done - failed), failed=max(before.failed, failed))


def _count(fields: object, name: str) -> int | None:
    value = fields.get(name) if isinstance(fields, dict) else None
    return int(value) if isinstance(value, Number) and value.isdecimal() and len(value) < 16 else None
