from __future__ import annotations

import json

import pytest

from dequeuer.core.errors import ConfigurationError
from dequeuer.policies.needs import Program
from dequeuer.provision.policy_set import grants, policies, policies_text
from dequeuer.settings.provision_loading import load_provision
from tests.provision.stage import ASYNC
from tests.provision.test_terraform import ANY_QUEUE, BATCH

REGION = {"AWS_REGION": "us-west-2"}
URL = "https://sqs.us-west-2.amazonaws.com/123456789012/work"


def granted(program: Program, *flags: str, **environ: str) -> set[tuple[str, str]]:
    """Return what a program may do: actions and ARNs."""
    return {(one.action, one.resource) for one in grants(load_provision(flags, {**REGION, **environ}), program)}


def test_a_queue_that_is_named_by_its_url_is_of_one_account() -> None:
    assert ("sqs:ReceiveMessage", "arn:aws:sqs:us-west-2:123456789012:work") in granted(
        "async", *ASYNC[:-4], "--queue", URL, "--bucket", "store"
    )
    assert ("sqs:ReceiveMessage", "arn:aws:sqs:us-west-2:*:work.fifo") in granted("async", *ASYNC)
    owned = granted("async", *ASYNC, DEQUEUER_S3_BUCKET_OWNER="210987654321")
    assert ("sqs:ReceiveMessage", "arn:aws:sqs:us-west-2:210987654321:work.fifo") in owned


def test_each_option_adds_what_it_needs_and_nothing_else() -> None:
    bare = granted("async", *ASYNC, "--dead-letters", "none", DEQUEUER_RESULT_RETENTION_DAYS="0")
    assert {action for action, _ in granted("async", *ASYNC, "--dead-letters", "none") - bare} == {
        "s3:GetLifecycleConfiguration",
        "s3:PutLifecycleConfiguration",
    }
    without_rule = {"DEQUEUER_RESULT_RETENTION_DAYS": "0"}
    assert granted("async", *ASYNC, **without_rule) - bare == {("sqs:SendMessage", "arn:aws:sqs:us-west-2:*:work.fifo")}
    flags = (*ASYNC, "--dead-letters", "none")
    assert granted("async", *flags, "--webhook-queue", "hooks", **without_rule) - bare == {
        ("sqs:SendMessage", "arn:aws:sqs:us-west-2:*:hooks")
    }
    topic = "arn:aws:sns:us-west-2:123456789012:ends"
    assert granted("async", *flags, DEQUEUER_EVENTS_TARGET=topic, **without_rule) - bare == {("sns:Publish", topic)}
    key = "arn:aws:kms:us-west-2:123456789012:key/k"
    assert granted("async", *flags, "--kms-key", key, **without_rule) - bare == {
        ("kms:Decrypt", key),
        ("kms:GenerateDataKey", key),
    }


def test_the_key_that_programs_name_when_they_write_is_one_of_the_policy() -> None:
    environ = {"DEQUEUER_S3_SSE": "aws:kms", "DEQUEUER_S3_SSE_KMS_KEY_ID": "k1"}
    start = "arn:aws:kms:us-west-2:*:key/"
    keys = {resource for action, resource in granted("async", *ASYNC, **environ) if action == "kms:Decrypt"}
    assert keys == {f"{start}k1"}
    both = granted("async", *ASYNC, "--kms-key", "k2", **environ)
    assert {resource for action, resource in both if action == "kms:Decrypt"} == {f"{start}k1", f"{start}k2"}


def test_a_gateway_of_jobs_alone_sends_to_no_queue_and_reads_no_requests() -> None:
    found = granted("gateway", *BATCH)
    assert "sqs:SendMessage" not in {action for action, _ in found}
    assert not any("/workloads/" in resource for _, resource in found)
    assert ("s3:PutObject", "arn:aws:s3:::store/uid/jobs/*") in found


def test_the_sidecar_of_a_job_has_the_queues_of_jobs() -> None:
    found = granted("batch", *BATCH, DEQUEUER_OUTPUT="s3://out/results/")
    assert ("sqs:DeleteMessage", "arn:aws:sqs:us-west-2:*:cx_*") in found
    assert ("s3:PutObject", "arn:aws:s3:::out/results/*") in found


def test_the_files_of_jobs_are_read_by_enqueuer_and_gateway() -> None:
    flags = (*BATCH, "--file-buckets", "in-1,in-2")
    assert ("s3:GetObject", "arn:aws:s3:::in-2/*") in granted("enqueuer", *flags)
    assert ("s3:ListBucket", "arn:aws:s3:::in-1") in granted("gateway", *flags)


def test_any_queue_has_its_results_and_payloads() -> None:
    environ = {"DEQUEUER_QUEUE_RESULTS": "s3://out/r-", "DEQUEUER_QUEUE_PAYLOAD_BUCKETS": "large"}
    found = granted("queue", *ANY_QUEUE, **environ)
    assert ("s3:PutObject", "arn:aws:s3:::out/r-*") in found
    assert ("s3:GetObject", "arn:aws:s3:::large/*") in found
    assert "s3:DeleteObject" not in {action for action, _ in found}
    deleting = granted("queue", *ANY_QUEUE, DEQUEUER_QUEUE_DELETE_PAYLOADS="true", **environ)
    assert ("s3:DeleteObject", "arn:aws:s3:::large/*") in deleting


def test_the_programs_are_those_of_the_kind() -> None:
    settings = load_provision(ASYNC, REGION)
    assert [*policies(settings)] == ["async", "gateway", "provision"]
    with_webhooks = load_provision((*ASYNC, "--webhook-queue", "hooks"), REGION)
    assert [*policies(with_webhooks)] == ["async", "gateway", "webhooks", "provision"]
    assert [*policies(load_provision(BATCH, REGION))] == ["batch", "enqueuer", "controller", "gateway", "provision"]


def test_one_program_is_printed_as_the_policy_alone() -> None:
    settings = load_provision(ASYNC, REGION)
    assert json.loads(policies_text(settings, "gateway")) == policies(settings)["gateway"]
    assert json.loads(policies_text(settings)) == policies(settings)


def test_a_program_that_is_none_of_the_kind_is_refused_with_those_that_are() -> None:
    with pytest.raises(ConfigurationError) as caught:
        policies(load_provision(ASYNC, REGION), "enqueuer")
    [fault] = caught.value.faults
    assert fault == 'policies "enqueuer": no program of this API; allowed: async, gateway, provision'


def test_whoever_asks_for_the_policy_of_webhooks_without_their_queue_is_told_the_flag() -> None:
    with pytest.raises(
        ConfigurationError, match="allowed: async, gateway, provision; for webhooks set --webhook-queue"
    ):
        policies(load_provision(ASYNC, REGION), "webhooks")
    with pytest.raises(ConfigurationError, match=r"provision$"):
        policies(load_provision(BATCH, REGION), "webhooks")
