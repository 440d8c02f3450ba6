"""Changes of jobs, for clients that wait for them."""

from __future__ import annotations

from collections.abc import Callable

from dequeuer.gateway.watching import Watches, WatchRules
from dequeuer.jobs.errors import JobsUnavailableError
from dequeuer.jobs.layout import JobKeys
from dequeuer.jobs.status import JobStatus

INTERVAL_S = 2.0
"""From one look to the next. Each costs three or four requests."""
MAX_FOLLOWERS = 1000
"""Streams of this process."""
MAX_LOOKS = 32


class TooManyFollowersError(JobsUnavailableError):
    """As many streams are open as are allowed: the client can try again."""


class JobEvents(Watches[JobKeys, JobStatus]):
    """The streams of all jobs. `is_over`: the process drains, so streams end. It must not block."""

    def __init__(self, is_over: Callable[[], bool]) -> None:
        super().__init__(
            WatchRules(
                first_interval_s=INTERVAL_S,
                max_interval_s=INTERVAL_S,
                max_followers=MAX_FOLLOWERS,
                max_looks=MAX_LOOKS,
                has_ended=lambda status: status.has_ended,
                is_passing=lambda error: isinstance(error, JobsUnavailableError),
                too_many=_too_many,
            ),
            is_over,
        )


def _too_many() -> TooManyFollowersError:
    return TooManyFollowersError(f"{MAX_FOLLOWERS} streams are open already: try again, or ask for the status")
