"""Permissions on queues. No message is received or sent, and no queue is created or changed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from dequeuer.check.aws_access import AwsAccess
from dequeuer.check.permission_result import Allowed, NotAsked, PermissionResult, Refused, result_of
from dequeuer.check.plan import QueueNeed
from dequeuer.check.queue_facts import QueueFacts
from dequeuer.core.errors import DequeuerError, SourceDeniedError, SourceGoneError, SourceUnavailableError, clip
from dequeuer.core.events import ignore
from dequeuer.sources.sqs.source import SqsSource

NOT_ASKED: Final[Mapping[str, str]] = {
    "sqs:ReceiveMessage": "not asked: to receive a message would cost one of its receives",
    "sqs:SendMessage": "not asked: nothing is sent to queues",
    "sqs:CreateQueue": "not asked: no queue is created",
    "sqs:TagQueue": "not asked: no queue is created",
    "sqs:PurgeQueue": "not asked: no queue is purged",
    "sqs:DeleteQueue": "not asked: no queue is deleted",
}
"""Actions that cannot be tried without an effect."""
NO_ANSWER: Final = "SQS did not answer before"
"""Each call that is not answered takes seconds."""
UNKNOWN_JOB_QUEUE: Final = "cx_dequeuer-check-no-such-queue.fifo"
"""A name within the policies for the queues of jobs; nobody creates such a queue."""


async def ask_queue(
    access: AwsAccess, action: str, need: QueueNeed, read: QueueFacts | DequeuerError
) -> PermissionResult:
    """Return whether an action on a queue is allowed. `read`: what reading its attributes returned."""
    if action == "sqs:GetQueueAttributes":
        return _of_reading(read)
    if action in NOT_ASKED:
        return NotAsked(reason=NOT_ASKED[action], can_be_simulated=True)
    if isinstance(read, SourceGoneError):
        return NotAsked(reason="the queue does not exist")
    if isinstance(read, SourceUnavailableError):
        return NotAsked(reason=NO_ANSWER)
    source = SqsSource(
        access.sqs,
        translate=access.cloud.translate,
        queue_url=need.url,
        visibility_timeout_s=30,
        poll_wait_s=1,
        held=lambda: 0,
        observer=ignore,
    )
    if action == "sqs:DeleteMessage":
        return await result_of(source.check_delete())
    return await result_of(source.check_change("release"))


def _of_reading(read: QueueFacts | DequeuerError) -> PermissionResult:
    if isinstance(read, SourceDeniedError):
        return Refused(text=clip(str(read)))
    if isinstance(read, QueueFacts | SourceGoneError):
        return Allowed()
    return NotAsked(reason=clip(str(read)))


async def ask_job_queues(access: AwsAccess, action: str) -> PermissionResult:
    """Return whether an action on the queues of jobs is allowed. There may be none at the moment."""
    if action == "sqs:GetQueueUrl":
        return await result_of(access.ask_sqs(access.sqs.get_queue_url(QueueName=UNKNOWN_JOB_QUEUE)))
    return NotAsked(reason=NOT_ASKED.get(action, "not asked: it needs the queue of a job"))
