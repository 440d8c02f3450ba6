"""The same resources and policies as Terraform's JSON configuration (`.tf.json`)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Final

from dequeuer import __version__
from dequeuer.policies.document import Document
from dequeuer.provision.text_forms import (
    Json,
    is_below,
    key_below,
    portable_arn,
    portable_policies,
    queue_labels,
    with_resources,
)
from dequeuer.provision.wanted import KMS_KEY, WantedBucket, WantedQueue, tls_statement, wanted_by
from dequeuer.settings.provision import ProvisionSettings
from dequeuer.sinks.bucket_settings import Facts
from dequeuer.sinks.expiry import ABORT_AFTER_DAYS, RULE_ID

_PARTITION: Final = "${data.aws_partition.current.partition}"
_KEPT: Final = {"lifecycle": {"prevent_destroy": True}}
"""`terraform destroy` deletes no message and no object."""
_BUCKET: Final = "${aws_s3_bucket.bucket.arn}"


def terraform_text(settings: ProvisionSettings) -> str:
    """Return the configuration, which needs the provider `hashicorp/aws`, version 5 or later."""
    wanted = wanted_by(settings)
    labels = queue_labels(settings)
    resources: dict[str, Json] = {}

    def add(kind: str, label: str, values: Json) -> None:
        resources.setdefault(kind, {})[label] = values

    for queue in wanted.queues:
        add("aws_sqs_queue", labels[queue.name], _queue(queue, labels))
        if queue.source:
            sources = f"[aws_sqs_queue.{labels[queue.source]}.arn]"
            policy = f'${{jsonencode({{redrivePermission = "byQueue", sourceQueueArns = {sources}}})}}'
            url = f"${{aws_sqs_queue.{labels[queue.name]}.url}}"
            values = {"queue_url": url, "redrive_allow_policy": policy}
            add("aws_sqs_queue_redrive_allow_policy", labels[queue.name], values)
    if wanted.bucket is not None:
        for kind, values in _bucket(wanted.bucket):
            add(kind, "bucket", values)
    granted = portable_policies(settings)
    references = {portable_arn(name): f"${{aws_sqs_queue.{label}.arn}}" for name, label in labels.items()}
    for program, document in granted.items():
        text = _policy(document, references, settings.bucket_name)
        about = f"What dequeuer needs: {program}, for {settings.api_name}"
        add("aws_iam_policy", program, {"name_prefix": f"dequeuer-{program}-", "description": about, "policy": text})
    urls = {f"{label}_url": {"value": f"${{aws_sqs_queue.{label}.url}}"} for label in labels.values()}
    arns = {f"{program}_policy_arn": {"value": f"${{aws_iam_policy.{program}.arn}}"} for program in granted}
    configuration = {
        "//": f"Made by dequeuer {__version__} provision",
        "terraform": {"required_providers": {"aws": {"source": "hashicorp/aws", "version": ">= 5.0"}}},
        "data": {"aws_partition": {"current": {}}},
        "resource": resources,
        "output": urls | arns,
    }
    return json.dumps(configuration, indent=2) + "\n"


def _literal(text: str) -> str:
    # Strings are templates: both sequences would begin an expression.
    return text.replace("${", "$${").replace("%{", "%%{")


def _queue(queue: WantedQueue, labels: Mapping[str, str]) -> Json:
    attributes = queue.attributes
    key = attributes.get(KMS_KEY)
    values: Json = {
        "name": queue.name,
        "fifo_queue": queue.is_fifo,
        "visibility_timeout_seconds": int(attributes["VisibilityTimeout"]),
        "message_retention_seconds": int(attributes["MessageRetentionPeriod"]),
        "receive_wait_time_seconds": int(attributes["ReceiveMessageWaitTimeSeconds"]),
        **({"kms_master_key_id": key} if key else {"sqs_managed_sse_enabled": True}),
        "tags": {_literal(name): _literal(value) for name, value in queue.tags.items()},
        **_KEPT,
    }
    if queue.dead_letters:
        arn = f"aws_sqs_queue.{labels[queue.dead_letters]}.arn"
        values["redrive_policy"] = (
            f"${{jsonencode({{deadLetterTargetArn = {arn}, maxReceiveCount = {queue.max_receives}}})}}"
        )
    return values


def _bucket(bucket: WantedBucket) -> Iterator[tuple[str, Json]]:
    at = {"bucket": "${aws_s3_bucket.bucket.id}"}
    blocked, ownership = bucket.settings["publicAccessBlock"], bucket.settings["ownershipControls"]
    yield "aws_s3_bucket", {"bucket": bucket.name, **_KEPT}
    yield (
        "aws_s3_bucket_public_access_block",
        {**at, **{_snake(name): value == "true" for name, value in blocked.items()}},
    )
    yield "aws_s3_bucket_ownership_controls", {**at, "rule": [{"object_ownership": ownership["ObjectOwnership"]}]}
    yield (
        "aws_s3_bucket_server_side_encryption_configuration",
        {**at, "rule": [_encryption(bucket.settings["encryption"])]},
    )
    if bucket.expiry_days:
        rule = {
            "id": RULE_ID,
            "status": "Enabled",
            "filter": [{"prefix": bucket.expiry_prefix}],
            "expiration": [{"days": bucket.expiry_days}],
            "noncurrent_version_expiration": [{"noncurrent_days": bucket.expiry_days}],
            "abort_incomplete_multipart_upload": [{"days_after_initiation": ABORT_AFTER_DAYS}],
        }
        yield "aws_s3_bucket_lifecycle_configuration", {**at, "rule": [rule]}
    if bucket.is_tls_only:
        policy = {"Version": "2012-10-17", "Statement": [tls_statement(_BUCKET, f"{_BUCKET}/*")]}
        yield "aws_s3_bucket_policy", {**at, "policy": json.dumps(policy)}


def _encryption(facts: Facts) -> Json:
    default = {"sse_algorithm": facts["SSEAlgorithm"]}
    if "KMSMasterKeyID" in facts:
        default["kms_master_key_id"] = facts["KMSMasterKeyID"]
    by_default: Json = {"apply_server_side_encryption_by_default": [default]}
    return by_default | ({"bucket_key_enabled": True} if facts.get("BucketKeyEnabled") == "true" else {})


def _snake(name: str) -> str:
    return "".join(f"_{char.lower()}" if char.isupper() else char for char in name).lstrip("_")


def _policy(document: Document, references: Mapping[str, str], bucket: str) -> str:
    """Return a policy as text, with references to the resources of the configuration instead of their ARNs."""

    def refer(arn: str) -> str:
        if arn in references:
            return references[arn]
        if is_below(arn, bucket):
            return _BUCKET + _literal(key_below(arn, bucket))
        return _literal(arn).replace("arn:aws:", f"arn:{_PARTITION}:", 1)

    return json.dumps(with_resources(document, refer))
