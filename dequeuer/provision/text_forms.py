"""What the text forms of the resources have in common: labels of queues, and policies that refer to them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, TypeAlias

from dequeuer.policies.document import Document
from dequeuer.policies.needs import Program
from dequeuer.provision.policy_set import policies
from dequeuer.settings.provision import ProvisionSettings

Json: TypeAlias = dict[str, Any]
"""An object of a document that is printed as JSON."""


def queue_labels(settings: ProvisionSettings) -> Mapping[str, str]:
    """Return what each queue is called in a text, by its name."""
    named = {
        settings.dead_letter_name: "dead_letters",
        settings.queue_name: "queue",
        settings.webhook_queue_name: "webhooks",
    }
    return {name: label for name, label in named.items() if name}


def portable_policies(settings: ProvisionSettings) -> Mapping[Program, Document]:
    """Return the policies without region and account: `*` stands for both, and the partition is `aws`."""
    aws = replace(settings.aws, region=None, s3_bucket_owner=None)
    queue = settings.queue_name
    return policies(replace(settings, aws=aws, queue=queue, is_fifo=False))


def portable_arn(queue_name: str) -> str:
    """Return the ARN by which `portable_policies` name a queue."""
    return f"arn:aws:sqs:*:*:{queue_name}"


def with_resources(document: Document, refer: Callable[[str], object]) -> Json:
    """Return a policy in which each resource is what `refer` returns for its ARN."""

    def referred(resource: object) -> object:
        return [refer(arn) for arn in resource] if isinstance(resource, list) else refer(str(resource))

    statements = [{**one, "Resource": referred(one["Resource"])} for one in document["Statement"]]
    return {"Version": document["Version"], "Statement": statements}


def is_below(arn: str, bucket: str) -> bool:
    """Return whether an ARN of `portable_policies` is that of a bucket, or of its objects."""
    start = f"arn:aws:s3:::{bucket}"
    return bool(bucket) and (arn == start or arn.startswith(f"{start}/"))


def key_below(arn: str, bucket: str) -> str:
    """Return the rest of an ARN after that of the bucket, with its slash; "" for the bucket."""
    return arn.removeprefix(f"arn:aws:s3:::{bucket}")
