"""Ends a batch whose last attempt ended in a bug, or the completion of a job."""

from __future__ import annotations

from dataclasses import dataclass

from dequeuer.core.events import BatchEnded, Observer
from dequeuer.core.message import Fence, Message, Outcome, Reject
from dequeuer.handlers.backoff import backoff_s
from dequeuer.handlers.batch_api.completion import Completion
from dequeuer.handlers.batch_api.handler import is_completion


@dataclass(frozen=True, slots=True, kw_only=True)
class FailBatch:
    """`FinalFailure` of the batch API: a failed attempt. A completion message is no batch: the completion is given up.

    Attributes:
        completion: of the job.
        observer: gets `BatchEnded`.
    """

    completion: Completion
    observer: Observer

    async def __call__(self, message: Message, _fence: Fence, reason: str) -> Outcome:
        """Count the failed attempt, or end the completion."""
        if is_completion(message):
            return self.completion.give_up(message, reason)
        self.observer(BatchEnded(succeeded=False, duration_s=0.0))
        return Reject(after_s=backoff_s(message.receive_count), reason=reason, code="bug")
