from __future__ import annotations

import pytest

from dequeuer.formats.events_target import EventsTarget, target_of_arn


@pytest.mark.parametrize(
    ("arn", "service", "region"),
    [
        ("arn:aws:sns:us-west-2:123456789012:my-topic_1", "sns", "us-west-2"),
        ("arn:aws-cn:sns:cn-north-1:123456789012:t", "sns", "cn-north-1"),
        ("arn:aws-us-gov:events:us-gov-west-1:123456789012:event-bus/default", "events", "us-gov-west-1"),
        ("arn:aws:events:eu-central-1:123456789012:event-bus/aws.partner/example.com/a/b", "events", "eu-central-1"),
    ],
)
def test_topics_and_buses(arn: str, service: str, region: str) -> None:
    assert target_of_arn(arn) == EventsTarget(service=service, address=arn, region=region)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "arn",
    [
        "arn:aws:sns:us-west-2:123456789012:my-topic.fifo",
        "arn:aws:sns:us-west-2:123456789012:my-topic:3f5e-subscription",
        "arn:aws:sqs:us-west-2:123456789012:queue",
        "arn:aws:events:us-west-2:123456789012:rule/mine",
        "arn:aws:sns:us-west-2:12345:my-topic",
        "arn:aws:sns:evil.example:123456789012:t",
        "arn:aws:sns:us-west-2:123456789012:my-topic\n",
        "",
    ],
)
def test_others_are_none(arn: str) -> None:
    assert target_of_arn(arn) is None
