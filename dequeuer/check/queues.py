"""A queue: whether it exists, and whether its attributes fit the settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from dequeuer.check.aws_access import AwsAccess
from dequeuer.check.dead_letters import check_dead_letters
from dequeuer.check.finding import CheckId, Finding, Verdict, all_unknown, fault, not_known, ok, warning
from dequeuer.check.plan import QueueNeed, QueueUse
from dequeuer.check.queue_facts import QueueFacts, read_queue
from dequeuer.core.errors import DequeuerError, SourceDeniedError, SourceGoneError, clip
from dequeuer.settings.text_parsers import queue_region

DAY_S: Final = 86_400
FEW_RECEIVES: Final = 2
"""A drain or a crash costs a receive: with so few, messages of which nothing failed are moved."""
SPARE_RECEIVES: Final = 5
"""Receives beyond `DEQUEUER_MAX_ATTEMPTS`: the sidecar fails requests itself, and drains cost receives, too."""
SENDS_ONLY: Final[frozenset[QueueUse]] = frozenset({"submissions", "job", "ends"})

Judge = Callable[[QueueFacts, QueueNeed], Verdict | None]
"""Returns None where the check says nothing about such a queue."""


async def check_queue(access: AwsAccess, need: QueueNeed) -> tuple[list[Finding], QueueFacts | DequeuerError]:
    """Return the findings about a queue, its dead letters among them; and what was read."""
    region = Finding(id="queue.region", subject=need.name, verdict=judge_region(need, access.settings.region))
    facts = await read_queue(access, need.url)
    if not isinstance(facts, QueueFacts):
        exists = Finding(id="queue.exists", subject=need.name, verdict=judge_missing(facts, need))
        reason = "the attributes of the queue could not be read"
        return [exists, region, *all_unknown(_JUDGES, need.name, reason)], facts
    exists = Finding(id="queue.exists", subject=need.name, verdict=ok(facts.arn or "it is there"))
    found = [exists, region]
    for check, judge in _JUDGES.items():
        verdict = judge(facts, need)
        if verdict is not None:
            found.append(Finding(id=check, subject=need.name, verdict=verdict))
    if facts.redrive is not None and need.use not in SENDS_ONLY:
        found += await check_dead_letters(access, need, facts, facts.redrive)
    return found, facts


def judge_missing(error: DequeuerError, need: QueueNeed) -> Verdict:
    """Return the verdict about a queue whose attributes could not be read."""
    text = clip(str(error))
    if isinstance(error, SourceGoneError):
        return fault(text, f"create the queue, or correct {need.option} (account, region, name, .fifo)")
    if isinstance(error, SourceDeniedError):
        if need.use in SENDS_ONLY:
            return not_known(f"its attributes may not be read: {text}")
        return fault(text, "allow sqs:GetQueueAttributes on the queue; look at the credentials, too")
    return fault(f"SQS: {text}", "see the checks network.*; without the queue nothing is received or sent")


def judge_region(need: QueueNeed, region: str | None) -> Verdict:
    """Return whether queue and bucket are looked for in one region."""
    of_url = queue_region(need.url)
    if of_url is None:
        return ok(f"the URL names none; {region or 'that of the SDK'} is used")
    if region is None or region == of_url:
        return ok(of_url)
    return warning(
        f"the queue is in {of_url}, AWS_REGION is {clip(region)}",
        "the region in the URL is used for the queue, AWS_REGION for the bucket and STS: correct one of them, unless "
        "both are meant",
    )


def judge_type(facts: QueueFacts, need: QueueNeed) -> Verdict | None:
    """Return whether the kind of the queue fits."""
    kind = "FIFO" if facts.is_fifo else "standard"
    if facts.is_fifo != need.url.endswith(".fifo"):
        return fault(
            f"it is a {kind} queue, and the end of its URL says otherwise",
            f"FIFO queues end with .fifo, and programs look at that: create the queue again, and correct {need.option}",
        )
    return ok(kind)


def judge_retention(facts: QueueFacts, need: QueueNeed) -> Verdict | None:
    """Return whether the queue keeps messages long enough, and no longer than the bucket keeps their objects."""
    keeps_s = facts.number("MessageRetentionPeriod")
    if keeps_s is None:
        return not_known("SQS did not say how long messages are kept")
    text = f"messages are kept for {_days(keeps_s)}"
    if need.keeps_s >= keeps_s:
        return warning(
            f"{text}, and {need.keeps_because} is {_days(need.keeps_s)}",
            "a message can be lost before its last attempt: raise MessageRetentionPeriod (at most 14 days), or lower "
            "the settings",
        )
    if need.objects_days and keeps_s > need.objects_days * DAY_S:
        return warning(
            f"{text}, and DEQUEUER_RESULT_RETENTION_DAYS is {need.objects_days}",
            "requests are deleted from the bucket while their messages still wait: raise "
            "DEQUEUER_RESULT_RETENTION_DAYS above the queue's retention",
        )
    return ok(text)


def judge_delay(facts: QueueFacts, _need: QueueNeed) -> Verdict | None:
    """Return whether the queue holds back new messages."""
    delay_s = facts.number("DelaySeconds") or 0
    if not delay_s:
        return ok("none")
    return warning(
        f"each new message is held back for {delay_s} s", "set DelaySeconds of the queue to 0, unless that is meant"
    )


def judge_message_size(facts: QueueFacts, need: QueueNeed) -> Verdict | None:
    """Return whether the largest message that is sent may be sent."""
    if not need.message_bytes:
        return None
    allowed = facts.number("MaximumMessageSize")
    if allowed is None:
        return not_known("SQS did not say how large messages may be")
    text = f"{allowed} bytes are allowed, and messages of {need.message_bytes} bytes are sent"
    if allowed >= need.message_bytes:
        return ok(text)
    if need.use == "job":
        return warning(text, "raise MaximumMessageSize of the queue; else jobs with larger batches fail")
    return fault(text, "raise MaximumMessageSize of the queue, or lower DEQUEUER_INLINE_BYTES")


def judge_encryption(facts: QueueFacts, need: QueueNeed) -> Verdict | None:
    """Return how messages are encrypted, and what that needs."""
    key = facts.attributes.get("KmsMasterKeyId")
    if key:
        sends = "kms:GenerateDataKey and kms:Decrypt" if need.use in SENDS_ONLY else "kms:Decrypt"
        return ok(f"with the KMS key {clip(key)}: {sends} on it must be allowed, by its own policy, too")
    if facts.attributes.get("SqsManagedSseEnabled") == "true":
        return ok("with a key of SQS")
    return ok("SQS names no key")


def judge_depth(facts: QueueFacts, _need: QueueNeed) -> Verdict | None:
    """Return how many messages there are; for information."""
    names = {"waiting": "ApproximateNumberOfMessages", "in flight": "ApproximateNumberOfMessagesNotVisible"}
    counts = [f"{facts.number(name)} {word}" for word, name in names.items() if facts.number(name) is not None]
    return ok(", ".join(counts)) if counts else not_known("SQS did not say how many messages there are")


def judge_redrive(facts: QueueFacts, need: QueueNeed) -> Verdict | None:
    """Return whether messages are moved to the dead-letter queue in time, and not too soon."""
    policy = facts.redrive
    if need.use in SENDS_ONLY:
        return None
    if policy is None:
        return ok("no redrive policy: poison messages and failed attempts are deleted, each with a log line")
    if need.use == "webhooks":
        return fault(
            f"to {clip(policy.target_name)} after {policy.max_receives} receives",
            "each try of a webhook is a receive, so they are moved long before DEQUEUER_WEBHOOK_MAX_AGE: remove the "
            "redrive policy",
        )
    if policy.max_receives is None:
        return not_known("the redrive policy cannot be read")
    return _judge_receives(policy.max_receives, f"to {clip(policy.target_name)}", need.max_attempts)


def _judge_receives(most: int, where: str, max_attempts: int) -> Verdict:
    text = f"{where} after {most} receives"
    if most <= FEW_RECEIVES:
        return fault(
            text,
            "a drain or a crash costs a receive, so messages are moved though nothing failed: set maxReceiveCount to 3 "
            "or more",
        )
    advised = max_attempts + SPARE_RECEIVES
    text += f", and DEQUEUER_MAX_ATTEMPTS is {max_attempts}" if max_attempts else ""
    if max_attempts and most <= max_attempts:
        return fault(
            text,
            "requests are moved before the sidecar can fail them, and keep their status for ever: set maxReceiveCount "
            f"to {advised} or more",
        )
    if max_attempts and most < advised:
        return warning(text, f"drains cost receives, too: set maxReceiveCount to {advised} or more")
    return ok(text)


def _days(seconds: float) -> str:
    return f"{seconds / DAY_S:.1f} days" if seconds >= DAY_S else f"{seconds / 3600:.1f} h"


_JUDGES: Final[Mapping[CheckId, Judge]] = {
    "queue.type": judge_type,
    "queue.retention": judge_retention,
    "queue.delay": judge_delay,
    "queue.message_size": judge_message_size,
    "queue.encryption": judge_encryption,
    "queue.depth": judge_depth,
    "queue.redrive": judge_redrive,
}
CHECKS_OF_QUEUES: Final[Sequence[CheckId]] = ("queue.exists", "queue.region", *_JUDGES)
