"""Each permission by itself: what the policies of the program name, asked for by calls that change nothing."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Final, TypeAlias, TypeVar, cast

from dequeuer.check.aws_access import AwsAccess
from dequeuer.check.bucket_facts import BucketFacts, BucketRead, Known
from dequeuer.check.bucket_permissions import ask_bucket
from dequeuer.check.finding import CheckId, Finding, Verdict, fault, not_known, ok, warning
from dequeuer.check.permission_result import Allowed, NotAsked, PermissionResult
from dequeuer.check.plan import BucketNeed, Plan, QueueNeed
from dequeuer.check.queue_facts import QueueFacts
from dequeuer.check.queue_permissions import ask_job_queues, ask_queue
from dequeuer.check.simulation import Decision, Simulation
from dequeuer.core.errors import DequeuerError, clip
from dequeuer.policies import patterns
from dequeuer.policies.all_needs import needs
from dequeuer.policies.arns import bucket_arn, objects_arn, queue_arn
from dequeuer.policies.needs import Need
from dequeuer.settings.text_parsers import queue_region

_PLACEHOLDER: Final = re.compile(r"<([a-z-]+)>")
_SEVERITY: Final = {"ok": 0, "not_known": 1, "warning": 2, "fault": 3}
_OF_PUBLISHING: Final = frozenset({patterns.TOPIC, patterns.BUS})

Named = TypeVar("Named", QueueNeed, BucketNeed)
QueuesRead: TypeAlias = Mapping[str, QueueFacts | DequeuerError]
"""What was read of each queue, by URL."""
BucketsRead: TypeAlias = Mapping[str, BucketRead]
"""What was read of each bucket, by name."""


async def check_permissions(
    plan: Plan, access: AwsAccess, queues: QueuesRead, buckets: BucketsRead, simulation: Simulation
) -> list[Finding]:
    """Return a finding for each action and each queue or bucket that it is needed on."""
    if plan.policies is None:
        return []
    asking: list[Awaitable[list[Finding]]] = []
    for need in needs(plan.policies.program, plan.policies.cases):
        if need.resource == patterns.JOB_QUEUES:
            asking.append(_of_job_queues(access, need))
        elif need.resource == patterns.KEY:
            asking.append(_of_key(need, queues, buckets))
        elif need.resource in _OF_PUBLISHING:
            asking.append(_of_publishing(need))
        elif need.action.startswith("sqs:"):
            asking += [
                _of_queue(access, need, queue, queues[queue.url], simulation)
                for queue in _named(plan.queues, need)
                if need.case != "redrive" or _has_redrive(queues[queue.url])
            ]
        else:
            asking += [
                _of_bucket(access, need, bucket, buckets[bucket.name], simulation)
                for bucket in _named(plan.buckets, need)
            ]
    found = [finding for findings in await asyncio.gather(*asking) for finding in findings]
    return worst_of_each(found)


def worst_of_each(findings: Iterable[Finding]) -> list[Finding]:
    """Return one finding for each action and subject: the worst. An action can be needed below several prefixes."""
    by_subject: dict[tuple[CheckId, str], Finding] = {}
    for finding in findings:
        known = by_subject.setdefault((finding.id, finding.subject), finding)
        if _SEVERITY[finding.verdict.state] > _SEVERITY[known.verdict.state]:
            by_subject[finding.id, finding.subject] = finding
    return list(by_subject.values())


def _named(things: Iterable[Named], need: Need) -> list[Named]:
    name = _PLACEHOLDER.search(need.resource)
    return [thing for thing in things if name is not None and thing.placeholder == name[1]]


def check_id(action: str) -> CheckId:
    """Return the id of the check of an action of IAM."""
    service, _, name = action.partition(":")
    return cast("CheckId", f"permission.{service}.{re.sub('(?<!^)(?=[A-Z])', '_', name).lower()}")


def judge(result: PermissionResult, need: Need, on: str) -> Verdict:
    """Return the verdict about a permission. `on`: the ARN that it is needed on."""
    if isinstance(result, Allowed):
        return ok(result.text)
    if isinstance(result, NotAsked):
        return not_known(result.reason, f"needed: {need.action} on {on}; without it: {need.without}")
    return _missing(need)(result.text, f"allow {need.action} on {on}; without it: {need.without}")


def _missing(need: Need) -> Callable[[str, str], Verdict]:
    """Return what makes the verdict about a permission that is missing: a fault, unless work goes on without it."""
    return warning if need.is_optional else fault


async def _judged(result: PermissionResult, need: Need, on: str, simulation: Simulation) -> Verdict:
    """Return the verdict; where no call showed it, that of IAM, if IAM may be asked."""
    if isinstance(result, NotAsked) and result.can_be_simulated:
        decision = await simulation.decision(need.action, on)
        if decision is not None:
            return judge_simulated(decision, need, on)
    return judge(result, need, on)


def judge_simulated(decision: Decision, need: Need, on: str) -> Verdict:
    """Return the verdict about what IAM has decided from the policies of the role."""
    if decision == "allowed":
        return ok("allowed by the policies of the role, as IAM simulates them")
    action = f"allow {need.action} on {on}; without it: {need.without}"
    if decision == "explicitDeny":
        return _missing(need)("a policy of the role denies it, as IAM simulates them", action)
    return warning("no policy of the role allows it, as IAM simulates them; one of the resource itself may", action)


async def _of_queue(
    access: AwsAccess, need: Need, queue: QueueNeed, read: QueueFacts | DequeuerError, simulation: Simulation
) -> list[Finding]:
    arn = queue_arn(queue.url, queue_region(queue.url) or access.region)
    verdict = await _judged(await ask_queue(access, need.action, queue, read), need, arn, simulation)
    return [Finding(id=check_id(need.action), subject=queue.name, verdict=verdict)]


async def _of_job_queues(access: AwsAccess, need: Need) -> list[Finding]:
    verdict = judge(await ask_job_queues(access, need.action), need, need.resource)
    return [Finding(id=check_id(need.action), subject="cx_*", verdict=verdict)]


async def _of_bucket(
    access: AwsAccess, need: Need, bucket: BucketNeed, read: BucketRead, simulation: Simulation
) -> list[Finding]:
    below = bucket.jobs_below if need.resource == patterns.JOBS and bucket.jobs_below else bucket.below
    is_about_objects = "/" in need.resource
    on = (
        f"{objects_arn(bucket.name, access.region)}/{below}*"
        if is_about_objects
        else bucket_arn(bucket.name, access.region)
    )
    verdict = await _judged(await ask_bucket(access, need.action, bucket, below, read), need, on, simulation)
    return [Finding(id=check_id(need.action), subject=bucket.name, verdict=verdict)]


async def _of_publishing(need: Need) -> list[Finding]:
    verdict = judge(NotAsked(reason="not asked: nothing is published"), need, "DEQUEUER_EVENTS_TARGET")
    return [Finding(id=check_id(need.action), subject="", verdict=verdict)]


async def _of_key(need: Need, queues: QueuesRead, buckets: BucketsRead) -> list[Finding]:
    """Return a finding for each key of a queue or a bucket. Only a message or an object of it could show the rest."""
    keys = {read.attributes.get("KmsMasterKeyId", "") for read in queues.values() if isinstance(read, QueueFacts)}
    encryptions = [read.encryption for read in buckets.values() if isinstance(read, BucketFacts)]
    keys |= {one.value.key for one in encryptions if isinstance(one, Known) and one.value is not None}
    verdict = NotAsked(reason="not asked: it takes a message or an object that is encrypted")
    return [
        Finding(id=check_id(need.action), subject=key, verdict=judge(verdict, need, key))
        for key in sorted(map(clip, keys - {""}))
    ]


def _has_redrive(read: QueueFacts | DequeuerError) -> bool:
    return isinstance(read, QueueFacts) and read.redrive is not None
