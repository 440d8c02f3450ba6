"""Runs all checks of a plan, each topic by itself, and bounds the time of the whole."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Final, TypeVar

from dequeuer.check.aws_access import AwsAccess, open_aws
from dequeuer.check.bucket_facts import BucketRead, Unread
from dequeuer.check.buckets import CHECKS_OF_BUCKETS, check_bucket
from dequeuer.check.container import check_container
from dequeuer.check.files import judge_file
from dequeuer.check.finding import CheckId, Finding, all_unknown, in_order
from dequeuer.check.identity import NO_CREDENTIALS, check_caller, check_keys
from dequeuer.check.kubernetes import check_kubernetes, find_api
from dequeuer.check.network import check_network
from dequeuer.check.permissions import check_permissions
from dequeuer.check.plan import BucketNeed, Plan, QueueNeed
from dequeuer.check.pod import check_pod
from dequeuer.check.queue_facts import QueueFacts
from dequeuer.check.queues import CHECKS_OF_QUEUES, check_queue
from dequeuer.check.simulation import Simulation
from dequeuer.core.errors import DequeuerError, SourceUnavailableError
from dequeuer.settings import AwsSettings

T = TypeVar("T")
TOPIC_TIMEOUT_S: Final = 50.0
"""For all checks of one topic."""
FACTS_TIMEOUT_S: Final = 20.0
"""For reading all queues and buckets: with the keys before and the permissions after it, less than a topic has."""
LATE: Final = f"AWS answered too slowly: not everything could be looked at within {FACTS_TIMEOUT_S:g} s"
MAX_AT_A_TIME: Final = 16
"""Queues that are asked about at the same time: a gateway can have hundreds."""


async def run_checks(
    plan: Plan, environ: Mapping[str, str], *, writes: bool = False, pod_grace_s: int | None = None
) -> list[Finding]:
    """Return all findings, in the order of the report. Ends within 55 s.

    Args:
        plan: what is checked.
        environ: of the process.
        writes: see `Options.writes`.
        pod_grace_s: see `Options.pod_grace_s`.

    Raises:
        ConfigurationError: no client can be made of the settings.
    """
    topics: list[Awaitable[list[Finding]]] = [
        _bounded(check_pod(plan.pod), ("pod.memory", "pod.cpu", "pod.open_files", "pod.port")),
        _bounded(check_kubernetes(find_api(environ, plan.pod), plan.pod, pod_grace_s), ("kubernetes.version",)),
    ]
    if plan.container is not None:
        topics.append(_bounded(check_container(plan.container), ("container.probe", "container.http")))
    if plan.aws is not None:
        topics.append(_check_aws(plan, plan.aws, environ, writes=writes))
    found = [finding for findings in await asyncio.gather(*topics) for finding in findings]
    return in_order([*found, *map(judge_file, plan.files)])


async def _bounded(topic: Awaitable[list[Finding]], ids: Sequence[CheckId]) -> list[Finding]:
    """Return the findings of a topic. `ids`: what is not known when it takes too long."""
    try:
        async with asyncio.timeout(TOPIC_TIMEOUT_S):
            return await topic
    except TimeoutError:
        return all_unknown(ids, "", f"no end within {TOPIC_TIMEOUT_S:g} s")


async def _check_aws(plan: Plan, settings: AwsSettings, environ: Mapping[str, str], *, writes: bool) -> list[Finding]:
    async with open_aws(plan, settings, environ, writes=writes) as access:
        ids: Sequence[CheckId] = ("queue.exists", "bucket.exists")
        network, rest = await asyncio.gather(
            _bounded(check_network(plan, access, environ), ("network.connection",)),
            _bounded(_check_with_keys(plan, access, environ), ids),
        )
    return [*network, *rest]


async def _check_with_keys(plan: Plan, access: AwsAccess, environ: Mapping[str, str]) -> list[Finding]:
    found, has_keys = await check_keys(access, environ)
    if not has_keys:
        for queue in plan.queues:
            found += all_unknown(CHECKS_OF_QUEUES, queue.name, NO_CREDENTIALS)
        for bucket in plan.buckets:
            found += all_unknown(CHECKS_OF_BUCKETS, bucket.name, NO_CREDENTIALS)
        return found
    turns = asyncio.Semaphore(MAX_AT_A_TIME)
    ends_at = asyncio.get_running_loop().time() + FACTS_TIMEOUT_S

    async def in_turn(check: Callable[[], Awaitable[T]], late: T) -> T:
        # Queues that are not reached in time must not cost the findings about the others.
        try:
            async with asyncio.timeout_at(ends_at), turns:
                return await check()
        except TimeoutError:
            return late

    (of_caller, caller_arn), of_queues, of_buckets = await asyncio.gather(
        check_caller(access, plan.queues, environ),
        asyncio.gather(*(in_turn(partial(check_queue, access, one), _late_queue(one)) for one in plan.queues)),
        asyncio.gather(*(in_turn(partial(check_bucket, access, one), _late_bucket(one)) for one in plan.buckets)),
    )
    found += of_caller
    for findings, _ in (*of_queues, *of_buckets):
        found += findings
    queues = {queue.url: read for queue, (_, read) in zip(plan.queues, of_queues, strict=True)}
    buckets = {bucket.name: read for bucket, (_, read) in zip(plan.buckets, of_buckets, strict=True)}
    simulation = Simulation(access, caller_arn, environ)
    return [*found, *await check_permissions(plan, access, queues, buckets, simulation)]


def _late_queue(queue: QueueNeed) -> tuple[list[Finding], QueueFacts | DequeuerError]:
    return all_unknown(CHECKS_OF_QUEUES, queue.name, LATE), SourceUnavailableError(LATE)


def _late_bucket(bucket: BucketNeed) -> tuple[list[Finding], BucketRead]:
    return all_unknown(CHECKS_OF_BUCKETS, bucket.name, LATE), Unread(reason=LATE)
