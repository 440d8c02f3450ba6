"""What is there and different is left as it is, unless --change asks for more."""

from __future__ import annotations

import json

import pytest

from dequeuer.provision.app import Plan
from dequeuer.provision.queues import AnotherAccountError
from dequeuer.provision.wanted import redrive_allow_policy, redrive_policy
from tests.provision.stage import ASYNC, FakeAws, HeldBucket, HeldQueue, arn, run


async def provisioned(*flags: str) -> FakeAws:
    aws = FakeAws()
    await run(aws, *ASYNC, *flags)
    aws.calls = []
    return aws


@pytest.mark.parametrize(
    ("attribute", "value"),
    [
        ("VisibilityTimeout", "45"),
        ("MessageRetentionPeriod", "60"),
        ("ReceiveMessageWaitTimeSeconds", "0"),
        ("SqsManagedSseEnabled", "false"),
        ("RedrivePolicy", redrive_policy(arn("work-dead-letters.fifo"), 5)),
        ("RedrivePolicy", redrive_policy(arn("another.fifo"), 10)),
        ("RedrivePolicy", ""),
        ("RedrivePolicy", "no json"),
    ],
)
async def test_an_attribute_that_somebody_has_set_is_replaced_only_on_demand(attribute: str, value: str) -> None:
    aws = await provisioned()
    asked = aws.queues["work.fifo"].attributes[attribute]
    aws.queues["work.fifo"].attributes[attribute] = value
    plan, _ = await run(aws, *ASYNC)
    assert aws.writes() == []
    assert [(step.kind, step.resource) for step in plan.steps if step.kind != "leave"] == [
        ("differs", "queue work.fifo")
    ]
    assert attribute in next(step.detail for step in plan.steps if step.kind == "differs")
    plan, _ = await run(aws, *ASYNC, "--change", "--dry-run")
    assert (aws.writes(), plan.counts["change"]) == ([], 1)
    plan, _ = await run(aws, *ASYNC, "--change")
    assert aws.queues["work.fifo"].attributes[attribute] == asked
    assert (plan.counts["change"], plan.counts["differs"]) == (1, 0)


async def test_a_key_of_ones_own_is_not_taken_away_even_on_demand() -> None:
    aws = await provisioned("--kms-key", "alias/mine")
    plan, _ = await run(aws, *ASYNC, "--change")
    assert aws.writes() == []
    assert {step.kind for step in plan.steps} == {"leave"}


async def test_another_key_is_a_difference() -> None:
    aws = await provisioned("--kms-key", "alias/mine")
    plan, _ = await run(aws, *ASYNC, "--kms-key", "alias/yours")
    assert aws.writes() == []
    # The bucket has no objects, but its key is not what S3 gives new buckets.
    assert [one.resource for one in plan.steps if one.kind == "differs"] == [
        "queue work-dead-letters.fifo",
        "queue work.fifo",
        "bucket store",
    ]


async def test_a_redrive_policy_that_was_not_asked_for_stays() -> None:
    aws = await provisioned()
    before = aws.state()
    await run(aws, *ASYNC, "--dead-letters", "none", "--change")
    assert aws.state() == before


async def test_missing_tags_are_added_and_others_stay() -> None:
    aws = await provisioned()
    aws.queues["work.fifo"].tags["owner"] = "somebody"
    plan, _ = await run(aws, *ASYNC, "--tags", "team=ml")
    assert aws.queues["work.fifo"].tags == {"apiName": "text", "team": "ml", "owner": "somebody"}
    assert plan.counts["differs"] == 0


async def test_a_tag_with_another_value_is_replaced_only_on_demand() -> None:
    aws = await provisioned("--tags", "team=ml")
    plan, _ = await run(aws, *ASYNC, "--tags", "team=web")
    assert (aws.writes(), plan.counts["differs"]) == ([], 2)
    await run(aws, *ASYNC, "--tags", "team=web", "--change")
    assert aws.queues["work.fifo"].tags["team"] == "web"


async def test_a_dead_letter_queue_of_others_stays_open_to_their_queues() -> None:
    aws = FakeAws()
    attributes = {"QueueArn": arn("lost.fifo"), "MessageRetentionPeriod": "1209600", "VisibilityTimeout": "30"}
    attributes |= {"ReceiveMessageWaitTimeSeconds": "20"}
    aws.queues["lost.fifo"] = HeldQueue(attributes, {"apiName": "text"})
    plan, _ = await run(aws, *ASYNC, "--dead-letters", "lost.fifo")
    assert "RedriveAllowPolicy" not in aws.queues["lost.fifo"].attributes
    assert "deadLettersOf" not in aws.queues["lost.fifo"].tags
    assert ("leave", "queue lost.fifo") in plan.kinds()
    assert arn("lost.fifo") in aws.queues["work.fifo"].attributes["RedrivePolicy"]


async def test_the_queues_that_may_use_a_dead_letter_queue_become_more_not_others() -> None:
    aws = await provisioned()
    theirs = arn("theirs.fifo")
    aws.queues["work-dead-letters.fifo"].attributes["RedriveAllowPolicy"] = redrive_allow_policy([theirs])
    plan, _ = await run(aws, *ASYNC)
    assert (aws.writes(), plan.counts["differs"]) == ([], 1)
    await run(aws, *ASYNC, "--change")
    policy = json.loads(aws.queues["work-dead-letters.fifo"].attributes["RedriveAllowPolicy"])
    assert policy["sourceQueueArns"] == [theirs, arn("work.fifo")]


async def test_a_dead_letter_queue_that_is_open_to_all_is_left_so() -> None:
    aws = await provisioned()
    aws.queues["work-dead-letters.fifo"].attributes["RedriveAllowPolicy"] = '{"redrivePermission":"allowAll"}'
    plan, _ = await run(aws, *ASYNC)
    assert {step.kind for step in plan.steps} == {"leave"}


@pytest.mark.parametrize("setting", ["publicAccessBlock", "ownershipControls"])
async def test_a_bucket_with_objects_is_changed_only_on_demand(setting: str) -> None:
    aws = await provisioned()
    bucket = aws.buckets["store"]
    bucket.has_objects = True
    del bucket.settings[setting]
    plan, _ = await run(aws, *ASYNC)
    assert (aws.writes(), plan.counts["differs"]) == ([], 1)
    await run(aws, *ASYNC, "--change")
    assert setting in bucket.settings


async def test_a_bucket_without_objects_is_completed() -> None:
    aws = FakeAws()
    aws.buckets["store"] = HeldBucket()
    plan, _ = await run(aws, *ASYNC)
    whole = await provisioned()
    assert aws.state() == whole.state()
    assert plan.counts["differs"] == 0


async def test_what_somebody_has_set_of_a_bucket_without_objects_stays() -> None:
    aws = await provisioned()
    aws.buckets["store"].settings["publicAccessBlock"] = {"BlockPublicAcls": "false"}
    plan, _ = await run(aws, *ASYNC)
    assert (aws.writes(), plan.counts["differs"]) == ([], 1)


async def test_a_bucket_with_objects_gets_another_key_only_on_demand() -> None:
    aws = await provisioned()
    aws.buckets["store"].has_objects = True
    plan, _ = await run(aws, *ASYNC, "--kms-key", "alias/mine")
    assert aws.buckets["store"].settings["encryption"]["SSEAlgorithm"] == "AES256"
    assert ("differs", "bucket store") in plan.kinds()


async def test_a_bucket_in_another_region_is_a_difference_that_cannot_be_changed() -> None:
    aws = await provisioned()
    aws.buckets["store"].region = "eu-west-1"
    plan, _ = await run(aws, *ASYNC, "--change")
    [step] = [one for one in plan.steps if one.kind == "differs"]
    assert step.detail == "region is eu-west-1, asked for is us-west-2; no bucket can be moved"


async def test_the_statements_of_others_in_the_policy_of_a_bucket_stay() -> None:
    aws = await provisioned()
    theirs = {"Sid": "Theirs", "Effect": "Allow", "Principal": {"AWS": "123456789012"}, "Action": "s3:GetObject"}
    aws.buckets["store"].settings["policy"] = {"Policy": json.dumps({"Version": "2012-10-17", "Statement": [theirs]})}
    plan, _ = await run(aws, *ASYNC, "--tls-only")
    assert (aws.writes(), plan.counts["differs"]) == ([], 1)
    await run(aws, *ASYNC, "--tls-only", "--change")
    first, second = json.loads(aws.buckets["store"].settings["policy"]["Policy"])["Statement"]
    assert (first, second["Sid"]) == (theirs, "RefuseRequestsWithoutTls")
    plan, _ = await run(aws, *ASYNC, "--tls-only")
    assert {step.kind for step in plan.steps} == {"leave"}


async def test_the_rule_of_the_sidecar_is_written_as_the_sidecar_writes_it() -> None:
    aws = await provisioned()
    aws.buckets["store"].has_objects = True
    aws.buckets["store"].rule = ("uid/workloads/", 3)
    await run(aws, *ASYNC)
    assert aws.buckets["store"].rule == ("uid/workloads/", 7)


@pytest.mark.parametrize("days", ["0", "7"])
async def test_without_retention_days_the_rules_of_the_bucket_are_left_alone(days: str) -> None:
    aws = FakeAws()
    await run(aws, *ASYNC, environ={"DEQUEUER_RESULT_RETENTION_DAYS": days})
    assert aws.calls.count("ensure_expiry") == (0 if days == "0" else 1)


def test_what_differs_is_counted_and_told() -> None:
    plan = Plan()
    plan.counts["differs"] = 2
    assert plan.end(is_dry=False) == "2 settings left as found: --change replaces what can be replaced\n"


def of_another_account(name: str) -> str:
    return f"https://sqs.us-west-2.amazonaws.com/111111111111/{name}"


@pytest.mark.parametrize(("placed", "name"), [("work.fifo", "work.fifo"), ("", "hooks")])
async def test_a_queue_of_another_account_is_not_taken_for_one_of_this_account(placed: str, name: str) -> None:
    aws = await provisioned("--webhook-queue", "hooks")
    before = aws.queues[name].attributes.copy()
    flags = [of_another_account(name) if flag == placed else flag for flag in ASYNC]
    hooks = "hooks" if placed else of_another_account(name)
    with pytest.raises(AnotherAccountError, match="names account 111111111111: correct one of them"):
        await run(aws, *flags, "--webhook-queue", hooks, "--change", environ={"DEQUEUER_VISIBILITY_TIMEOUT": "99"})
    assert aws.queues[name].attributes == before


async def test_with_credentials_of_another_account_no_more_than_one_queue_is_created() -> None:
    aws = FakeAws()
    flags = [of_another_account(flag) if flag == "work.fifo" else flag for flag in ASYNC]
    with pytest.raises(AnotherAccountError):
        await run(aws, *flags)
    assert list(aws.queues) == ["work-dead-letters.fifo"]
    assert aws.buckets == {}
