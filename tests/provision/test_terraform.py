"""The configuration for Terraform: its structure. No binary of Terraform is needed, or used, here."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from dequeuer.provision.policy_set import PROGRAMS
from dequeuer.provision.terraform import terraform_text
from dequeuer.settings.provision_loading import load_provision
from tests.provision.stage import ASYNC

BATCH = ("--api-kind", "batch", "--api-name", "sum", "--cluster-uid", "uid", "--bucket", "store")
ANY_QUEUE = ("--api-kind", "queue", "--api-name", "up", "--queue", "uploads")
FULL = (*ASYNC, "--webhook-queue", "hooks", "--tls-only", "--kms-key", "alias/mine", "--tags", "team=ml")
REFERENCE = re.compile(r"(?<!\$)\$\{(?:data\.)?(aws_[a-z0-9_]+)\.([a-z_]+)\.(arn|id|url|partition)\}")
ARGUMENTS = {
    "aws_sqs_queue": {
        "name",
        "fifo_queue",
        "visibility_timeout_seconds",
        "message_retention_seconds",
        "receive_wait_time_seconds",
        "sqs_managed_sse_enabled",
        "kms_master_key_id",
        "redrive_policy",
        "tags",
        "lifecycle",
    },
    "aws_sqs_queue_redrive_allow_policy": {"queue_url", "redrive_allow_policy"},
    "aws_s3_bucket": {"bucket", "lifecycle"},
    "aws_s3_bucket_public_access_block": {
        "bucket",
        "block_public_acls",
        "ignore_public_acls",
        "block_public_policy",
        "restrict_public_buckets",
    },
    "aws_s3_bucket_ownership_controls": {"bucket", "rule"},
    "aws_s3_bucket_server_side_encryption_configuration": {"bucket", "rule"},
    "aws_s3_bucket_lifecycle_configuration": {"bucket", "rule"},
    "aws_s3_bucket_policy": {"bucket", "policy"},
    "aws_iam_policy": {"name_prefix", "description", "policy"},
}
"""The arguments that the documentation of the provider has, as far as they are used."""


def configuration(*flags: str, **environ: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(terraform_text(load_provision((*flags, "--format", "terraform"), environ)))
    return loaded


@pytest.mark.parametrize("flags", [FULL, ASYNC, BATCH, ANY_QUEUE], ids=["full", "async", "batch", "queue"])
def test_every_argument_is_one_of_the_provider_and_every_reference_leads_somewhere(flags: tuple[str, ...]) -> None:
    document = configuration(*flags)
    for kind, labelled in document["resource"].items():
        for label, arguments in labelled.items():
            assert arguments.keys() <= ARGUMENTS[kind], (kind, label)
    declared = {(kind, label) for kind, labelled in document["resource"].items() for label in labelled}
    declared |= {(kind, label) for kind, labelled in document["data"].items() for label in labelled}
    text = json.dumps(document)
    references = REFERENCE.findall(text)
    assert {(kind, label) for kind, label, _ in references} <= declared
    expressions = len(re.findall(r"(?<!\$)\$\{", text))
    assert expressions == len(references) + text.count("${jsonencode("), "an expression of another form"


def test_the_queues_are_those_that_provision_creates() -> None:
    document = configuration(*FULL)
    queues = document["resource"]["aws_sqs_queue"]
    assert queues["queue"] == {
        "name": "work.fifo",
        "fifo_queue": True,
        "visibility_timeout_seconds": 30,
        "message_retention_seconds": 345600,
        "receive_wait_time_seconds": 20,
        "kms_master_key_id": "alias/mine",
        "tags": {"apiName": "text", "team": "ml"},
        "lifecycle": {"prevent_destroy": True},
        "redrive_policy": (
            "${jsonencode({deadLetterTargetArn = aws_sqs_queue.dead_letters.arn, maxReceiveCount = 10})}"
        ),
    }
    assert queues["dead_letters"]["message_retention_seconds"] == 1209600
    assert queues["webhooks"]["fifo_queue"] is False
    [allowed] = document["resource"]["aws_sqs_queue_redrive_allow_policy"].values()
    assert "sourceQueueArns = [aws_sqs_queue.queue.arn]" in allowed["redrive_allow_policy"]


def test_the_policies_refer_to_the_resources() -> None:
    policies = configuration(*FULL)["resource"]["aws_iam_policy"]
    assert policies.keys() == set(PROGRAMS["async"])
    statements = json.loads(policies["async"]["policy"])["Statement"]
    assert statements[0]["Resource"] == "${aws_sqs_queue.queue.arn}"
    assert statements[2]["Resource"] == "${aws_s3_bucket.bucket.arn}/uid/workloads/text/*"


def test_what_terraform_would_take_for_an_expression_is_escaped() -> None:
    environ = {"DEQUEUER_QUEUE_RESULTS": "s3://store/a$b*/"}
    text = configuration(*ANY_QUEUE, **environ)["resource"]["aws_iam_policy"]["queue"]["policy"]
    assert "${aws_s3_bucket.bucket.arn}/a$${$}b$${*}/*" in text


def test_without_tls_only_and_retention_there_is_no_policy_and_no_rule() -> None:
    resources = configuration(*ASYNC, DEQUEUER_RESULT_RETENTION_DAYS="0")["resource"]
    assert "aws_s3_bucket_policy" not in resources
    assert "aws_s3_bucket_lifecycle_configuration" not in resources
