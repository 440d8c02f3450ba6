"""A set-up in which nothing is wrong: a cloud, two queues, a bucket, a container; and the run of the checks on it."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from dequeuer.check.finding import Finding
from dequeuer.check.loading import load_plan
from dequeuer.check.options import PROGRAMS, parse
from dequeuer.check.running import run_checks
from tests.integration.check.front import FrontCloud
from tests.integration.cloud import CLUSTER, KEYS, REGION, Bucket, Cloud, Queue
from tests.integration.container import Container

DAY_S = 86_400
BLOCKED = dict.fromkeys(("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"), True)


@dataclass(slots=True, kw_only=True)
class SetUp:
    """All of it; a test makes one thing wrong.

    Attributes:
        cloud: the server behind the front.
        front: what the checks ask.
        queue: has a dead-letter queue.
        bucket: of requests.
        container: beside the sidecar.
        folder: for files.
        admin_port: a free port.
        environ: of the program, without what a test changes.
        flags: of `dequeuer check`.
    """

    cloud: Cloud
    front: FrontCloud
    queue: Queue
    bucket: Bucket
    container: Container
    folder: Path
    admin_port: int
    environ: dict[str, str] = field(default_factory=dict)
    flags: list[str] = field(default_factory=list)

    @property
    def dead_letters(self) -> Queue:
        """The dead-letter queue of the queue."""
        assert self.queue.dead_letters is not None
        return self.queue.dead_letters

    def set_attributes(self, queue: Queue, **attributes: object) -> None:
        """Set attributes of a queue."""
        given = {name: value if isinstance(value, str) else json.dumps(value) for name, value in attributes.items()}
        self.cloud.sqs.set_queue_attributes(QueueUrl=queue.url, Attributes=given)

    def redrive_after(self, receives: int, target: Queue | None = None) -> None:
        """Set the redrive policy of the queue."""
        arn = self.arn(target or self.dead_letters)
        self.set_attributes(self.queue, RedrivePolicy={"deadLetterTargetArn": arn, "maxReceiveCount": receives})

    def arn(self, queue: Queue) -> str:
        """Return the ARN of a queue."""
        found = self.cloud.sqs.get_queue_attributes(QueueUrl=queue.url, AttributeNames=["QueueArn"])
        arn: str = found["Attributes"]["QueueArn"]
        return arn

    def set_expiry(self, days: int) -> None:
        """Write a lifecycle rule with the name of ours."""
        rule = {
            "ID": "async-workloads-expiry-policy",
            "Status": "Enabled",
            "Filter": {"Prefix": f"{CLUSTER}/workloads/"},
            "Expiration": {"Days": days},
        }
        self.bucket.s3.put_bucket_lifecycle_configuration(
            Bucket=self.bucket.name, LifecycleConfiguration={"Rules": [rule]}
        )

    def program(self, program: str) -> None:
        """Make the environment that of another program."""
        self.environ = environ_of(self, program)

    def file(self, name: str, text: str) -> str:
        """Write a file; return its path."""
        path = self.folder / name
        path.write_text(text, encoding="utf-8")
        return str(path)

    def run(self, program: str = "sidecar") -> Sequence[Finding]:
        """Run the checks in this process."""
        return asyncio.run(self.run_here(program))

    async def run_here(self, program: str = "sidecar") -> Sequence[Finding]:
        """Run the checks on this event loop."""
        options = parse([program, *self.flags])
        plan = load_plan(PROGRAMS[program], options.arguments, self.environ)
        return await run_checks(plan, self.environ, writes=options.writes, pod_grace_s=options.pod_grace_s)


def environ_of(setup: SetUp, program: str) -> dict[str, str]:
    """Return the settings with which a program uses the set-up."""
    queue_url = setup.front.queue_url(setup.queue)
    shared = {
        **KEYS,
        "PATH": os.environ["PATH"],
        "AWS_REGION": REGION,
        "AWS_ENDPOINT_URL": setup.front.url,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": "/dev/null",
        "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
        "DEQUEUER_ADMIN_PORT": str(setup.admin_port),
    }
    bucket = {"DEQUEUER_CLUSTER_UID": CLUSTER, "DEQUEUER_BUCKET": setup.bucket.name}
    container = {
        "DEQUEUER_USER_PORT": str(setup.container.port),
        "DEQUEUER_PROBES_PATH": str(setup.folder / "probes.json"),
    }
    sidecar = {"DEQUEUER_API_NAME": "api", "DEQUEUER_QUEUE_URL": queue_url, **container}
    more: Mapping[str, dict[str, str]] = {
        "sidecar": {"DEQUEUER_API_KIND": "AsyncAPI", **sidecar, **bucket},
        "batch": {"DEQUEUER_API_KIND": "BatchAPI", "DEQUEUER_JOB_ID": "job-1", **sidecar},
        "queue": {"DEQUEUER_API_KIND": "queue", **sidecar},
        "proxy": {
            "DEQUEUER_API_KIND": "RealtimeAPI",
            "DEQUEUER_MAX_CONCURRENCY": "8",
            "DEQUEUER_MAX_QUEUE_LENGTH": "100",
            **container,
        },
        "gateway": {"DEQUEUER_QUEUES": f"api={queue_url}", "DEQUEUER_TOKENS": "none", **bucket},
        "webhooks": {
            "DEQUEUER_WEBHOOK_QUEUE": queue_url,
            "DEQUEUER_WEBHOOK_KEYS": setup.file("keys", f"whsec_{'MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz'}\n"),
            **bucket,
        },
        "enqueue": {
            "DEQUEUER_API_NAME": "api",
            "DEQUEUER_JOB_ID": "job-1",
            "DEQUEUER_QUEUE_URL": queue_url,
            **bucket,
        },
        "controller": {
            "DEQUEUER_APIS": setup.file("cortex.yaml", CORTEX_YAML),
            **bucket,
        },
    }
    return shared | more[program]


CORTEX_YAML = """\
- name: sum
  kind: BatchAPI
  pod:
    containers:
      - name: api
        image: example.com/sum:1
        command: ["python", "main.py"]
"""
