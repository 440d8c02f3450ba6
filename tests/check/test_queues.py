from __future__ import annotations

import json

import pytest

from dequeuer.check import dead_letters, queues
from dequeuer.check.finding import State
from dequeuer.check.plan import QueueNeed, QueueUse
from dequeuer.check.queue_facts import QueueFacts
from dequeuer.core.errors import DequeuerError, SourceDeniedError, SourceGoneError, SourceUnavailableError

URL = "https://sqs.us-west-2.amazonaws.com/111122223333/q"
ARN = "arn:aws:sqs:us-west-2:111122223333:q"
DAY_S = 86_400


def facts(**attributes: str) -> QueueFacts:
    return QueueFacts(attributes={"QueueArn": ARN, **attributes})


def need(use: QueueUse = "async", url: str = URL, **more: float | str) -> QueueNeed:
    return QueueNeed(url=url, option="DEQUEUER_QUEUE_URL", use=use, **more)  # type: ignore[arg-type]  # its fields


def redrive(receives: object, name: str = "dead") -> QueueFacts:
    policy = {"deadLetterTargetArn": f"arn:aws:sqs:us-west-2:111122223333:{name}", "maxReceiveCount": receives}
    return facts(RedrivePolicy=json.dumps(policy))


@pytest.mark.parametrize(
    ("error", "use", "state"),
    [
        (SourceGoneError("gone"), "async", "fault"),
        (SourceGoneError("gone"), "submissions", "fault"),
        (SourceDeniedError("no", "AccessDenied"), "async", "fault"),
        # Who only sends needs no permission to read the attributes.
        (SourceDeniedError("no", "AccessDenied"), "submissions", "not_known"),
        (SourceUnavailableError("away"), "submissions", "fault"),
    ],
)
def test_a_queue_that_cannot_be_read(error: DequeuerError, use: QueueUse, state: State) -> None:
    assert queues.judge_missing(error, need(use)).state == state


@pytest.mark.parametrize(
    ("url", "region", "state"),
    [
        (URL, "us-west-2", "ok"),
        (URL, None, "ok"),
        (URL, "eu-west-1", "warning"),
        ("http://127.0.0.1:4566/000000000000/q", "eu-west-1", "ok"),
    ],
)
def test_the_region_of_the_url_is_compared(url: str, region: str | None, state: State) -> None:
    assert queues.judge_region(need(url=url), region).state == state


@pytest.mark.parametrize(
    ("url", "is_fifo", "state"),
    [(URL, "", "ok"), (f"{URL}.fifo", "true", "ok"), (f"{URL}.fifo", "", "fault"), (URL, "true", "fault")],
)
def test_the_type_must_be_that_of_the_url(url: str, is_fifo: str, state: State) -> None:
    verdict = queues.judge_type(facts(FifoQueue=is_fifo), need(url=url))
    assert verdict is not None
    assert verdict.state == state


@pytest.mark.parametrize(
    ("kept", "keeps_s", "objects_days", "state"),
    [
        ("345600", 345_599.0, 0, "ok"),
        ("345600", 345_600.0, 0, "warning"),
        ("604800", 0.0, 7, "ok"),
        ("604801", 0.0, 7, "warning"),
        ("", 1.0, 7, "not_known"),
    ],
)
def test_messages_must_be_kept_long_enough_and_not_too_long(
    kept: str, keeps_s: float, objects_days: int, state: State
) -> None:
    verdict = queues.judge_retention(
        facts(MessageRetentionPeriod=kept), need(keeps_s=keeps_s, objects_days=objects_days)
    )
    assert verdict is not None
    assert verdict.state == state


@pytest.mark.parametrize(
    ("use", "allowed", "state"),
    [
        ("submissions", "4096", "fault"),
        ("job", "4096", "warning"),
        ("submissions", "5000", "ok"),
        ("submissions", "", "not_known"),
    ],
)
def test_messages_must_not_be_too_large(use: QueueUse, allowed: str, state: State) -> None:
    verdict = queues.judge_message_size(facts(MaximumMessageSize=allowed), need(use, message_bytes=5000))
    assert verdict is not None
    assert verdict.state == state


def test_of_who_sends_nothing_large_the_size_does_not_matter() -> None:
    assert queues.judge_message_size(facts(MaximumMessageSize="1024"), need()) is None


@pytest.mark.parametrize(
    ("use", "attempts", "receives", "state"),
    [
        ("async", 5, 10, "ok"),
        ("async", 5, 9, "warning"),
        ("async", 5, 6, "warning"),
        ("async", 5, 5, "fault"),
        ("async", 1, 2, "fault"),
        ("batch", 0, 3, "ok"),
        ("batch", 0, "2", "fault"),
        ("queue", 0, 1, "fault"),
        ("queue", 0, "many", "not_known"),
        ("webhooks", 0, 1000, "fault"),
    ],
)
def test_messages_must_not_be_moved_too_soon(use: QueueUse, attempts: int, receives: object, state: State) -> None:
    verdict = queues.judge_redrive(redrive(receives), need(use, max_attempts=attempts))
    assert verdict is not None
    assert verdict.state == state


def test_without_a_redrive_policy_nothing_is_wrong() -> None:
    for use in ("async", "batch", "queue", "webhooks"):
        verdict = queues.judge_redrive(facts(), need(use))
        assert verdict is not None
        assert verdict.state == "ok"
    assert queues.judge_redrive(redrive(1), need("submissions")) is None


def test_a_key_is_told_with_the_permissions_that_it_needs() -> None:
    keyed = facts(KmsMasterKeyId="alias/mine")
    receiving, sending = (queues.judge_encryption(keyed, need(use)) for use in ("async", "submissions"))
    assert receiving is not None
    assert sending is not None
    assert "kms:GenerateDataKey" not in receiving.found
    assert "kms:GenerateDataKey" in sending.found


@pytest.mark.parametrize(
    ("target", "url"),
    [
        ("arn:aws:sqs:us-west-2:111122223333:dead", "https://sqs.us-west-2.amazonaws.com/111122223333/dead"),
        ("arn:aws:sqs:us-west-2:444455556666:dead", None),
        ("arn:aws:sqs:eu-west-1:111122223333:dead", None),
        ("", None),
    ],
)
def test_the_url_of_the_dead_letter_queue_is_that_beside_the_queue(target: str, url: str | None) -> None:
    assert dead_letters.url_of_target(URL, ARN, target) == url


@pytest.mark.parametrize(
    ("kept", "state"), [("345601", "ok"), ("345600", "warning"), ("3600", "warning"), ("", "not_known")]
)
def test_dead_letters_must_be_kept_longer_than_messages(kept: str, state: State) -> None:
    before = facts(MessageRetentionPeriod="345600")
    assert dead_letters.judge_retention(before, facts(MessageRetentionPeriod=kept)).state == state


@pytest.mark.parametrize(
    ("policy", "state"),
    [
        (None, "ok"),
        ({"redrivePermission": "allowAll"}, "ok"),
        ({"redrivePermission": "byQueue", "sourceQueueArns": [ARN]}, "ok"),
        ({"redrivePermission": "byQueue", "sourceQueueArns": [f"{ARN}2"]}, "fault"),
        ({"redrivePermission": "denyAll"}, "fault"),
        ("not an object", "fault"),
    ],
)
def test_the_dead_letter_queue_must_take_messages_of_this_queue(policy: object, state: State) -> None:
    target = facts() if policy is None else facts(RedriveAllowPolicy=json.dumps(policy))
    assert dead_letters.judge_allowed(facts(), target).state == state
