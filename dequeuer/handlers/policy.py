"""What the user decided about attempts and times."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Decisions that both kinds of API share.

    Attributes:
        max_attempts: receives after which an unreachable container fails the message.
        retry_statuses: answers that mean "not now".
        in_progress_after_s: work that runs longer is marked as in progress.
        longest_release_s: the longest that a message may be hidden on the container's wish.
    """

    max_attempts: int
    retry_statuses: frozenset[int]
    in_progress_after_s: float = 1.0
    longest_release_s: float = 43_000.0
