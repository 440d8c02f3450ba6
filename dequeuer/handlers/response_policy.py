"""What the user decided about attempts and times."""

from __future__ import annotations

from dataclasses import dataclass

from dequeuer.core import clock
from dequeuer.core.message import Retry
from dequeuer.core.queue_limits import MAX_VISIBILITY_TIMEOUT_S
from dequeuer.formats.retry_after import parse_retry_after
from dequeuer.handlers.backoff import MIN_BACKOFF_S, backoff_s
from dequeuer.handlers.base import Answer


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponsePolicy:
    """Decisions that both kinds of API share.

    Attributes:
        max_attempts: receives after which an unreachable container fails the message.
        retry_statuses: answers that mean "not now".
        in_progress_after_s: work that runs longer is marked as in progress.
    """

    max_attempts: int
    retry_statuses: frozenset[int]
    in_progress_after_s: float = 1.0

    def not_now(self, answer: Answer, receive_count: int) -> Retry | None:
        """Return what becomes of the message when the answer means "not now"; None when it does not."""
        if answer.status not in self.retry_statuses:
            return None
        asked = parse_retry_after(answer.retry_after, now=clock.wall(), limit_s=MAX_VISIBILITY_TIMEOUT_S)
        after_s = backoff_s(receive_count) if asked is None else max(asked, MIN_BACKOFF_S)
        return Retry(after_s=after_s, reason=f"the container answered {answer.status}", container_unavailable=True)
