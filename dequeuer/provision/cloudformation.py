"""The same resources and policies as a template of CloudFormation, in JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
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

_KEPT: Final = {"DeletionPolicy": "Retain", "UpdateReplacePolicy": "Retain"}
"""Deleting the stack deletes no message and no object."""
_ANYWHERE: Final = "arn:aws:sqs:*:*:"
_HERE: Final = "arn:${AWS::Partition}:sqs:${AWS::Region}:${AWS::AccountId}:"
_BUCKET_ARN: Final = "${Bucket.Arn}"


def cloudformation_text(settings: ProvisionSettings) -> str:
    """Return the template. It needs the capability `CAPABILITY_IAM`, because it creates policies."""
    wanted = wanted_by(settings)
    ids = {name: _pascal(label) for name, label in queue_labels(settings).items()}
    resources: Json = {ids[queue.name]: _queue(queue, ids) for queue in wanted.queues}
    if wanted.bucket is not None:
        resources["Bucket"] = _bucket(wanted.bucket)
        if wanted.bucket.is_tls_only:
            arn = {"Fn::GetAtt": ["Bucket", "Arn"]}
            statement = tls_statement(arn, {"Fn::Sub": f"{_BUCKET_ARN}/*"})
            policy = {"Version": "2012-10-17", "Statement": [statement]}
            properties = {"Bucket": {"Ref": "Bucket"}, "PolicyDocument": policy}
            resources["BucketPolicy"] = {"Type": "AWS::S3::BucketPolicy", **_KEPT, "Properties": properties}
    outputs: Json = {f"{one}Url": {"Value": {"Ref": one}} for one in ids.values()}
    queue_ids = {portable_arn(name): one for name, one in ids.items()}
    for program, document in portable_policies(settings).items():
        name = f"{_pascal(program)}Policy"
        about = f"What dequeuer needs: {program}, for {settings.api_name}"
        policy = _policy(document, queue_ids, settings.bucket_name)
        properties = {"Description": about, "PolicyDocument": policy}
        resources[name] = {"Type": "AWS::IAM::ManagedPolicy", "Properties": properties}
        outputs[f"{name}Arn"] = {"Value": {"Ref": name}}
    template = {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": f"Made by dequeuer {__version__} provision for {settings.api_name}",
        "Resources": resources,
        "Outputs": outputs,
    }
    return json.dumps(template, indent=2) + "\n"


def _pascal(label: str) -> str:
    return "".join(part.capitalize() for part in label.split("_"))


def _queue(queue: WantedQueue, ids: Mapping[str, str]) -> Json:
    attributes = queue.attributes
    key = attributes.get(KMS_KEY)
    properties: Json = {
        "QueueName": queue.name,
        "VisibilityTimeout": int(attributes["VisibilityTimeout"]),
        "MessageRetentionPeriod": int(attributes["MessageRetentionPeriod"]),
        "ReceiveMessageWaitTimeSeconds": int(attributes["ReceiveMessageWaitTimeSeconds"]),
        **({"FifoQueue": True} if queue.is_fifo else {}),
        **({"KmsMasterKeyId": key} if key else {"SqsManagedSseEnabled": True}),
        "Tags": [{"Key": name, "Value": value} for name, value in queue.tags.items()],
    }
    if queue.dead_letters:
        target = {"Fn::GetAtt": [ids[queue.dead_letters], "Arn"]}
        properties["RedrivePolicy"] = {"deadLetterTargetArn": target, "maxReceiveCount": queue.max_receives}
    if queue.source:
        # By name: a reference to the queue, which refers to this one, would be a circle.
        sources = [{"Fn::Sub": f"{_HERE}{queue.source}"}]
        properties["RedriveAllowPolicy"] = {"redrivePermission": "byQueue", "sourceQueueArns": sources}
    return {"Type": "AWS::SQS::Queue", **_KEPT, "Properties": properties}


def _bucket(bucket: WantedBucket) -> Json:
    blocked = bucket.settings["publicAccessBlock"]
    properties: Json = {
        "BucketName": bucket.name,
        "PublicAccessBlockConfiguration": {name: value == "true" for name, value in blocked.items()},
        "OwnershipControls": {"Rules": [dict(bucket.settings["ownershipControls"])]},
        "BucketEncryption": {"ServerSideEncryptionConfiguration": [_encryption(bucket.settings["encryption"])]},
    }
    if bucket.expiry_days:
        rule = {
            "Id": RULE_ID,
            "Status": "Enabled",
            "Prefix": bucket.expiry_prefix,
            "ExpirationInDays": bucket.expiry_days,
            "NoncurrentVersionExpiration": {"NoncurrentDays": bucket.expiry_days},
            "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": ABORT_AFTER_DAYS},
        }
        properties["LifecycleConfiguration"] = {"Rules": [rule]}
    return {"Type": "AWS::S3::Bucket", **_KEPT, "Properties": properties}


def _encryption(facts: Facts) -> Json:
    default = {name: value for name, value in facts.items() if name != "BucketKeyEnabled"}
    has_key = {"BucketKeyEnabled": True} if "BucketKeyEnabled" in facts else {}
    return {"ServerSideEncryptionByDefault": default, **has_key}


def _policy(document: Document, queue_ids: Mapping[str, str], bucket: str) -> Json:
    """Return a policy with references to the resources of the template instead of their ARNs."""

    def refer(arn: str) -> object:
        if arn in queue_ids:
            return {"Fn::GetAtt": [queue_ids[arn], "Arn"]}
        literal = arn.replace("${", "${!")
        if is_below(arn, bucket):
            key = key_below(literal, bucket)
            return {"Fn::Sub": f"{_BUCKET_ARN}{key}"} if key else {"Fn::GetAtt": ["Bucket", "Arn"]}
        if arn.startswith(_ANYWHERE):
            return {"Fn::Sub": literal.replace(_ANYWHERE, _HERE, 1)}
        return {"Fn::Sub": literal.replace("arn:aws:", "arn:${AWS::Partition}:", 1)}

    return with_resources(document, refer)
