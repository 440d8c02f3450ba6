"""Counters of items, from the progress of jobs: they only grow, although messages come back to a queue."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dequeuer.client.fields import is_text, object_of, whole_of
from dequeuer.ui.readings import Totals


class JobTotals:
    """Remembers the jobs of the last look."""

    def __init__(self) -> None:
        self._known: Mapping[str, Totals] = {}

    def take(self, jobs: Sequence[Any]) -> Mapping[str, Totals]:
        """Return the counters of jobs, by id; without those that have no progress."""
        found = {}
        for job in jobs:
            fields = object_of(job)
            job_id, progress = fields.get("job_id"), object_of(fields.get("progress"))
            done, failed = (whole_of(progress.get(name)) for name in ("items_done", "items_failed"))
            if is_text(job_id) and done is not None:
                found[job_id] = self._grown(job_id, done, failed or 0)
        self._known = found
        return found

    def _grown(self, job_id: str, done: int, failed: int) -> Totals:
        before = self._known.get(job_id, Totals())
        # What is done has failed, or not.
        return Totals(completed=max(before.completed, done - failed), failed=max(before.failed, failed))
