"""The template of CloudFormation. What a server makes of it: `tests/integration/test_provision.py`."""

from __future__ import annotations

import json
from typing import Any

import pytest
from cfnlint.api import lint

from dequeuer.provision.cloudformation import cloudformation_text
from dequeuer.settings.provision_loading import load_provision
from tests.provision.stage import ASYNC
from tests.provision.test_terraform import ANY_QUEUE, BATCH, FULL


def text(*flags: str, **environ: str) -> str:
    return cloudformation_text(load_provision((*flags, "--format", "cloudformation"), environ))


@pytest.mark.parametrize("flags", [FULL, ASYNC, BATCH, ANY_QUEUE], ids=["full", "async", "batch", "queue"])
def test_cfn_lint_finds_nothing(flags: tuple[str, ...]) -> None:
    assert lint(text(*flags)) == []


def test_cfn_lint_would_find_an_attribute_that_does_not_exist() -> None:
    assert lint(text(*ASYNC).replace("VisibilityTimeout", "InvisibilityTimeout")) != []


def test_deleting_the_stack_deletes_no_queue_and_no_bucket() -> None:
    resources: dict[str, Any] = json.loads(text(*FULL))["Resources"]
    kept = {name for name, one in resources.items() if one["Type"] in {"AWS::SQS::Queue", "AWS::S3::Bucket"}}
    assert kept == {"Queue", "DeadLetters", "Webhooks", "Bucket"}
    for name in kept:
        assert (resources[name]["DeletionPolicy"], resources[name]["UpdateReplacePolicy"]) == ("Retain", "Retain")


def test_the_policies_refer_to_the_resources_and_keep_what_is_literal() -> None:
    resources = json.loads(text(*ANY_QUEUE, DEQUEUER_QUEUE_RESULTS="s3://store/a$b*/"))["Resources"]
    [queue, *others] = resources["QueuePolicy"]["Properties"]["PolicyDocument"]["Statement"]
    assert queue["Resource"] == {"Fn::GetAtt": ["Queue", "Arn"]}
    assert {"Fn::Sub": "${Bucket.Arn}/a${!$}b${!*}/*"} in [one["Resource"] for one in others]


def test_the_queues_of_jobs_are_those_of_the_account_and_region_of_the_stack() -> None:
    resources = json.loads(text(*BATCH))["Resources"]
    [first, *_] = resources["ControllerPolicy"]["Properties"]["PolicyDocument"]["Statement"]
    assert first["Resource"] == {"Fn::Sub": "arn:${AWS::Partition}:sqs:${AWS::Region}:${AWS::AccountId}:cx_*"}
