"""Ids of jobs, as Cortex makes them: the newest job has the smallest id, so S3 lists it first."""

from __future__ import annotations

from dequeuer.core import clock

_MAX_INT64 = 2**63 - 1


class JobIds:
    """Makes ids that become smaller from one to the next, also when the clock stands still or is set back.

    Two processes can make the same id: whoever creates the job's specification first has it.
    """

    def __init__(self) -> None:
        self._last = _MAX_INT64

    def make(self) -> str:
        """Return the next id."""
        self._last = min(_MAX_INT64 - int(clock.wall() * 1e9), self._last - 1)
        return f"{self._last:x}"


def created_ns(job_id: str) -> int:
    """Return when an id was made, in nanoseconds since the epoch. Raises `ValueError` for other ids."""
    return _MAX_INT64 - int(job_id, 16)
