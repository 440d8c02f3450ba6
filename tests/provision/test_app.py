from __future__ import annotations

import json

import pytest

from dequeuer.provision.app import environment_text
from dequeuer.provision.calls import RETRIES, CallFailedError
from dequeuer.settings.provision_loading import load_provision
from tests.provision.stage import ACCOUNT, ASYNC, REGION, FakeAws, KilledError, arn, run, url

WITH_ALL = (*ASYNC, "--webhook-queue", "hooks", "--tls-only", "--kms-key", "alias/mine", "--tags", "team=ml")
BATCH = ("--api-kind", "batch", "--api-name", "sum", "--cluster-uid", "uid", "--bucket", "store")


async def test_everything_that_is_missing_is_created() -> None:
    aws = FakeAws()
    plan, found = await run(aws, *WITH_ALL)
    assert set(aws.queues) == {"work.fifo", "work-dead-letters.fifo", "hooks"}
    work, lost = aws.queues["work.fifo"], aws.queues["work-dead-letters.fifo"]
    assert work.attributes == {
        "QueueArn": arn("work.fifo"),
        "FifoQueue": "true",
        "VisibilityTimeout": "30",
        "MessageRetentionPeriod": "345600",
        "ReceiveMessageWaitTimeSeconds": "20",
        "KmsMasterKeyId": "alias/mine",
        "RedrivePolicy": f'{{"deadLetterTargetArn":"{arn("work-dead-letters.fifo")}","maxReceiveCount":"10"}}',
    }
    assert work.tags == {"apiName": "text", "team": "ml"}
    assert lost.attributes["MessageRetentionPeriod"] == "1209600"
    assert json.loads(lost.attributes["RedriveAllowPolicy"]) == {
        "redrivePermission": "byQueue",
        "sourceQueueArns": [arn("work.fifo")],
    }
    bucket = aws.buckets["store"]
    assert bucket.region == REGION
    assert bucket.rule == ("uid/workloads/", 7)
    assert bucket.settings["encryption"] == {
        "SSEAlgorithm": "aws:kms",
        "KMSMasterKeyID": "alias/mine",
        "BucketKeyEnabled": "true",
    }
    [statement] = json.loads(bucket.settings["policy"]["Policy"])["Statement"]
    assert statement["Resource"] == ["arn:aws:s3:::store", "arn:aws:s3:::store/*"]
    assert {kind for kind, _ in plan.kinds()} == {"create"}
    assert found["work.fifo"].url == url("work.fifo")


async def test_a_second_run_changes_nothing() -> None:
    aws = FakeAws()
    await run(aws, *WITH_ALL)
    before, aws.calls = aws.state(), []
    plan, _ = await run(aws, *WITH_ALL)
    assert aws.writes() == []
    assert aws.state() == before
    assert {kind for kind, _ in plan.kinds()} == {"leave"}
    assert plan.end(is_dry=False) == "nothing to do\n"


async def test_a_dry_run_says_the_same_steps_and_takes_none() -> None:
    aws = FakeAws()
    planned, found = await run(aws, *WITH_ALL, "--dry-run")
    assert (aws.writes(), aws.queues, aws.buckets, dict(found)) == ([], {}, {}, {})
    done, _ = await run(aws, *WITH_ALL)
    assert planned.steps == done.steps
    assert planned.end(is_dry=True) == f"dry run: {len(done.steps)} steps to take, nothing was changed\n"


@pytest.mark.parametrize("flags", [WITH_ALL, ASYNC, BATCH], ids=["everything", "async", "batch"])
@pytest.mark.parametrize("after_effect", [False, True], ids=["before the effect", "after the effect"])
async def test_killed_at_any_call_and_started_again_the_same_things_are_there(
    flags: tuple[str, ...], *, after_effect: bool
) -> None:
    whole = FakeAws()
    await run(whole, *flags)
    for number in range(1, len(whole.calls) + 1):
        aws = FakeAws()
        aws.dies_at, aws.dies_after_effect = number, after_effect
        with pytest.raises(KilledError):
            await run(aws, *flags)
        plan, _ = await run(aws, *flags)
        assert aws.state() == whole.state(), f"killed at call {number}, {whole.calls[number - 1]}"
        assert plan.counts["differs"] == 0


async def test_killed_again_and_again_it_ends_in_the_same_state() -> None:
    whole, aws = FakeAws(), FakeAws()
    await run(whole, *WITH_ALL)
    for number in range(1, 40):
        aws.calls, aws.dies_at, aws.dies_after_effect = [], number, bool(number % 2)
        try:
            await run(aws, *WITH_ALL)
        except KilledError:
            continue
        break
    assert aws.state() == whole.state()


async def test_a_batch_api_gets_a_dead_letter_queue_that_the_queues_of_all_jobs_may_use() -> None:
    aws = FakeAws()
    _, found = await run(aws, *BATCH)
    [name] = aws.queues
    assert name == "uid-dead-letters.fifo"
    assert "RedriveAllowPolicy" not in aws.queues[name].attributes
    settings = load_provision(BATCH, {"AWS_REGION": REGION})
    assert environment_text(settings, found) == (
        f"DEQUEUER_BUCKET=store\n# sqs_dead_letter_queue.arn of jobs: {arn(name)}\n"
    )


async def test_any_queue_needs_no_bucket() -> None:
    aws = FakeAws()
    _, found = await run(aws, "--api-kind", "queue", "--api-name", "up", "--queue", "uploads", "--dead-letters", "none")
    assert set(aws.queues) == {"uploads"}
    assert aws.buckets == {}
    assert "RedrivePolicy" not in aws.queues["uploads"].attributes
    assert found["uploads"].url == f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/uploads"


async def test_a_refused_call_names_call_resource_code_and_permission() -> None:
    aws = FakeAws()
    aws.refusals["set_queue_attributes"] = (403, "AccessDenied")
    with pytest.raises(CallFailedError) as caught:
        await run(aws, *ASYNC)
    assert str(caught.value) == (
        "SetQueueAttributes of queue work-dead-letters.fifo: AccessDenied: says the test; "
        "look at the permission sqs:SetQueueAttributes, then run this again: it goes on"
    )
    del aws.refusals["set_queue_attributes"]
    await run(aws, *ASYNC)
    whole = FakeAws()
    await run(whole, *ASYNC)
    assert aws.state() == whole.state()


async def test_a_bucket_of_another_account_is_named() -> None:
    aws = FakeAws()
    aws.taken.add("store")
    with pytest.raises(CallFailedError, match="CreateBucket of bucket store: BucketAlreadyExists: another account"):
        await run(aws, *ASYNC)


@pytest.mark.looptime
async def test_an_outage_is_waited_for_and_then_told() -> None:
    aws = FakeAws()
    aws.refusals["create_queue"] = (503, "ServiceUnavailable")
    with pytest.raises(CallFailedError, match=r"CreateQueue of queue work-dead-letters.+: ServiceUnavailable"):
        await run(aws, *ASYNC)
    assert aws.calls.count("create_queue") == RETRIES.max_attempts
