"""Runs `dequeuer provision`: brings queues and bucket to what is asked for, step by step, and prints the plan."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections import Counter
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import Final, Protocol

from dequeuer.clients.choice import AwsResources, choose, connect
from dequeuer.core.plurals import counted
from dequeuer.process.running import run_to_status
from dequeuer.provision.buckets import BucketProvisioner, ExpiryRule
from dequeuer.provision.calls import CallFailedError
from dequeuer.provision.queues import AnotherAccountError, FoundQueue, QueueProvisioner
from dequeuer.provision.steps import Limits, Step, StepKind
from dequeuer.provision.wanted import wanted_by
from dequeuer.settings.provision import ProvisionSettings
from dequeuer.sinks.bucket_settings import BucketSettings
from dequeuer.sources.sqs.errors import Translate
from dequeuer.sources.sqs.management import Queues
from dequeuer.sources.sqs.operations import QueueAdministration
from dequeuer.sources.sqs.queue_settings import QueueSettings

EXIT_OK, EXIT_FAILED, EXIT_DIFFERS = 0, 1, 3
_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


def run_provision(settings: ProvisionSettings) -> int:
    """Provision; return the exit status: 0, 1, 3, or that of a signal.

    Raises:
        ConfigurationError: the endpoint is wrong; no call to AWS was made.
    """
    return run_to_status(_until_signal(settings))


async def _until_signal(settings: ProvisionSettings) -> int:
    loop = asyncio.get_running_loop()
    task = asyncio.create_task(_run(settings), name="provision")
    seen: list[int] = []

    def stop(number: int) -> None:
        seen.append(number)
        task.cancel()

    for number in _SIGNALS:
        loop.add_signal_handler(number, stop, number)
    try:
        return await task
    except asyncio.CancelledError:
        if not seen:
            raise
        sys.stderr.write("dequeuer provision: stopped; run it again, and it goes on\n")
        return 128 + seen[0]


async def _run(settings: ProvisionSettings) -> int:
    resources = AwsResources(settings.bucket_name, (settings.queue,) if "://" in settings.queue else ())
    cloud = connect(settings.aws, choose(settings.aws, os.environ, resources).client, os.environ)
    plan = Plan()
    try:
        queues = await provision(cloud, settings, plan)
    except (CallFailedError, AnotherAccountError) as error:
        sys.stderr.write(f"dequeuer provision: {error}\n")
        return EXIT_FAILED
    finally:
        await cloud.close()
    sys.stdout.write(plan.end(is_dry=settings.is_dry_run))
    if not settings.is_dry_run:
        sys.stdout.write(environment_text(settings, queues))
    return EXIT_DIFFERS if plan.counts["differs"] else EXIT_OK


class ProvisioningCloud(ExpiryRule, Protocol):
    """What is needed of the clients; see `dequeuer/clients/base.py`."""

    @property
    def translate(self) -> Translate:
        """Translates the exceptions of the SQS client."""

    def sqs(self, *, longest_wait_s: float) -> AbstractAsyncContextManager[QueueAdministration]:
        """Return the context of an SQS client."""

    def bucket_settings(self, bucket: str) -> AbstractAsyncContextManager[BucketSettings]:
        """Return the context of the settings of a bucket."""


async def provision(cloud: ProvisioningCloud, settings: ProvisionSettings, plan: Plan) -> Mapping[str, FoundQueue]:
    """Bring queues and bucket to what is asked for; return the queues that are there now, by name.

    Raises:
        CallFailedError: AWS refuses a call or does not answer. A later run goes on.
        AnotherAccountError: the credentials are of another account than the URL of a queue.
    """
    wanted = wanted_by(settings)
    limits = Limits(is_dry=settings.is_dry_run, may_change=settings.may_change)
    found = {}
    async with AsyncExitStack() as stack:
        if wanted.queues:
            sqs = await stack.enter_async_context(cloud.sqs(longest_wait_s=0))
            queues = Queues(sqs, cloud.translate), QueueSettings(sqs, cloud.translate)
            provisioner = QueueProvisioner(*queues, limits, plan.add)
            for queue in wanted.queues:
                if (one := await provisioner.provision(queue)) is not None:
                    found[queue.name] = one
        if wanted.bucket is not None:
            bucket = await stack.enter_async_context(cloud.bucket_settings(wanted.bucket.name))
            region = settings.aws.region or ""
            of_bucket = BucketProvisioner(bucket, cloud, region=region, limits=limits, report=plan.add)
            await of_bucket.provision(wanted.bucket)
    return found


class Plan:
    """Prints every step, and counts them.

    Attributes:
        counts: steps by kind.
    """

    def __init__(self) -> None:
        self.counts: Counter[StepKind] = Counter()

    def add(self, step: Step) -> None:
        """Print a step, before it is taken."""
        self.counts[step.kind] += 1
        about = f"{step.resource}: {step.detail}" if step.detail else step.resource
        print(f"{step.kind:<8} {about}", flush=True)  # noqa: T201 - the program's output

    def end(self, *, is_dry: bool) -> str:
        """Return the lines about all steps together."""
        lines = []
        changes = self.counts["create"] + self.counts["change"]
        if self.counts["differs"]:
            lines.append(
                f"{counted(self.counts['differs'], 'setting')} left as found: --change replaces what can be replaced"
            )
        if changes and is_dry:
            lines.append(f"dry run: {counted(changes, 'step')} to take, nothing was changed")
        elif not changes and not self.counts["differs"]:
            lines.append("nothing to do")
        return "".join(f"{line}\n" for line in lines)


def environment_text(settings: ProvisionSettings, queues: Mapping[str, FoundQueue]) -> str:
    """Return the environment variables to set, one a line; of a batch API also what its jobs name."""
    queue, webhooks = queues.get(settings.queue_name), queues.get(settings.webhook_queue_name)
    dead_letters = queues.get(settings.dead_letter_name)
    lines = [
        f"DEQUEUER_QUEUE_URL={queue.url}" if queue else "",
        f"DEQUEUER_WEBHOOK_QUEUE={webhooks.url}" if webhooks else "",
        f"DEQUEUER_BUCKET={settings.bucket}" if settings.bucket else "",
        f"# sqs_dead_letter_queue.arn of jobs: {dead_letters.arn}" if dead_letters and not queue else "",
    ]
    return "".join(f"{line}\n" for line in lines if line)
