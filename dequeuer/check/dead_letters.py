"""The dead-letter queue that a redrive policy names: whether SQS can move messages there, and keeps them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from dequeuer.check.aws_access import AwsAccess
from dequeuer.check.finding import CheckId, Finding, Verdict, all_unknown, fault, not_known, ok, warning
from dequeuer.check.plan import QueueNeed
from dequeuer.check.queue_facts import QueueFacts, RedrivePolicy, json_object, read_queue
from dequeuer.core.errors import DequeuerError, SourceGoneError, clip

_DEPENDENT: Final[Sequence[CheckId]] = ("dead_letters.type", "dead_letters.retention", "dead_letters.allowed")


async def check_dead_letters(
    access: AwsAccess, need: QueueNeed, facts: QueueFacts, policy: RedrivePolicy
) -> list[Finding]:
    """Return the findings about the dead-letter queue of a queue."""
    name = policy.target_name
    url = url_of_target(need.url, facts.arn, policy.target_arn)
    if url is None:
        reason = f"{clip(policy.target_arn)} is in another account or region than the queue"
        return all_unknown(("dead_letters.exists", *_DEPENDENT), need.name, reason)
    target = await read_queue(access, url)
    if not isinstance(target, QueueFacts):
        missing = Finding(id="dead_letters.exists", subject=need.name, verdict=judge_missing(target, name))
        return [missing, *all_unknown(_DEPENDENT, need.name, "the attributes of the dead-letter queue were not read")]
    verdicts: dict[CheckId, Verdict] = {
        "dead_letters.exists": ok(clip(name)),
        "dead_letters.type": judge_type(facts, target),
        "dead_letters.retention": judge_retention(facts, target),
        "dead_letters.allowed": judge_allowed(facts, target),
    }
    return [Finding(id=check, subject=need.name, verdict=verdict) for check, verdict in verdicts.items()]


def url_of_target(queue_url: str, queue_arn: str, target_arn: str) -> str | None:
    """Return the URL of a queue beside another one; None when it is in another account or region."""
    if not target_arn or (queue_arn and queue_arn.rpartition(":")[0] != target_arn.rpartition(":")[0]):
        return None
    return f"{queue_url.rstrip('/').rpartition('/')[0]}/{target_arn.rpartition(':')[2]}"


def judge_missing(error: DequeuerError, name: str) -> Verdict:
    """Return the verdict about a dead-letter queue whose attributes could not be read."""
    if isinstance(error, SourceGoneError):
        return fault(
            f"{clip(name)} does not exist",
            "messages that were received too often are not moved and come again and again: create it, or correct the "
            "redrive policy",
        )
    return not_known(
        f"{clip(name)}: {clip(str(error))}", "allow sqs:GetQueueAttributes on it to whoever runs this check"
    )


def judge_type(source: QueueFacts, target: QueueFacts) -> Verdict:
    """Return whether both queues are of one type."""
    if source.is_fifo == target.is_fifo:
        return ok("FIFO" if target.is_fifo else "standard")
    wanted = "FIFO" if source.is_fifo else "standard"
    return fault(
        "the two queues are of different types, so SQS cannot move messages",
        f"name a {wanted} queue in the redrive policy",
    )


def judge_retention(source: QueueFacts, target: QueueFacts) -> Verdict:
    """Return whether dead letters are kept for long. Those of standard queues keep the time when they were sent."""
    kept_s, before_s = target.number("MessageRetentionPeriod"), source.number("MessageRetentionPeriod")
    if kept_s is None or before_s is None:
        return not_known("SQS did not say how long messages are kept")
    text = f"{kept_s / 86_400:.1f} days; those of the queue {before_s / 86_400:.1f} days"
    if kept_s > before_s:
        return ok(text)
    return warning(
        text,
        "the age of a message counts from when it was sent, so a dead letter can be deleted as soon as it is moved: "
        "set MessageRetentionPeriod of the dead-letter queue to 14 days",
    )


def judge_allowed(source: QueueFacts, target: QueueFacts) -> Verdict:
    """Return whether the dead-letter queue takes messages of this queue."""
    text = target.attributes.get("RedriveAllowPolicy")
    if not text:
        return ok("from every queue of the account")
    policy = json_object(text)
    permission, sources = policy.get("redrivePermission"), policy.get("sourceQueueArns")
    if permission == "allowAll":
        return ok("from every queue of the account")
    if permission == "byQueue" and isinstance(sources, list) and source.arn in sources:
        return ok("from this queue")
    return fault(
        f"its RedriveAllowPolicy is {clip(str(permission))}, and does not name this queue",
        "SQS does not move messages there: add the ARN of the queue to sourceQueueArns",
    )
