"""What a response of the container means, or the lack of one: success, failure, or another attempt (429, 503).

All decisions by HTTP status are here, for async and batch APIs alike, except the statuses that the completion of a job
accepts (`batch_api/completion.py`). A redirect is not followed (`container/target.py`), so 302 is a failure like any
other status. For async APIs the body of a success is checked in `async_api/result.py`.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from dequeuer.core import clock
from dequeuer.core.errors import ContainerUnavailableError
from dequeuer.core.message import Retry
from dequeuer.core.queue_limits import MAX_VISIBILITY_TIMEOUT_S
from dequeuer.formats.retry_after import parse_retry_after
from dequeuer.handlers.backoff import MIN_BACKOFF_S, backoff_s
from dequeuer.handlers.base import Response

SUCCESS_STATUSES = frozenset({200})


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """The container has responded, and the work has failed. `reason`: one sentence."""

    reason: str


def failure_of(response: Response, accepted: Collection[int]) -> str:
    """Return why the status is not one of `accepted`, as one sentence; "" when it is."""
    if response.status in accepted:
        return ""
    return f"the container answered {response.status}, not {' or '.join(map(str, sorted(accepted)))}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponsePolicy:
    """What a response means, and when a message is released for another attempt.

    Attributes:
        max_attempts: receives after which an unavailable container makes the message fail.
        retry_statuses: statuses with which the container asks for another attempt later.
    """

    max_attempts: int
    retry_statuses: frozenset[int]

    def verdict(self, response: Response, receive_count: int) -> Retry | Failure | None:
        """Return what the status of a response means for its message; None: a success.

        With a retry status the message is released. `Retry-After` is honoured, from 1 s up to the longest visibility
        timeout. There is no limit on the number of such attempts: the container has said that it will do the work
        later.
        """
        if response.status not in self.retry_statuses:
            reason = failure_of(response, SUCCESS_STATUSES)
            return Failure(reason=reason) if reason else None
        requested_s = parse_retry_after(response.retry_after, now=clock.wall(), limit_s=MAX_VISIBILITY_TIMEOUT_S)
        after_s = backoff_s(receive_count) if requested_s is None else max(requested_s, MIN_BACKOFF_S)
        reason = f"the container answered {response.status}"
        return Retry(after_s=after_s, reason=reason, container_unavailable=True, status_code=response.status)

    def retry_unavailable(
        self, error: ContainerUnavailableError, receive_count: int, *, is_draining: bool
    ) -> Retry | None:
        """Return the release of a message for which there is no complete response; None when its attempts are used up.

        `is_draining`: the pod stops, and its container too. The message is visible to other sidecars at once, and this
        attempt never makes it fail.
        """
        if is_draining:
            return Retry(after_s=0, reason=str(error))
        if error.can_end_message and receive_count >= self.max_attempts:
            return None
        return Retry(after_s=backoff_s(receive_count), reason=str(error), container_unavailable=True)
