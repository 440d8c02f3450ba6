from __future__ import annotations

import json
from typing import Any

import pytest

from dequeuer.core.errors import InvalidInputError
from dequeuer.handlers.queue_api.delivery import Delivery, delivery_of
from tests.handlers.queue_api.stage import make

EVENT = json.dumps({"Records": [{"eventSource": "aws:s3", "s3": {"object": {"key": "a+b"}}}]})
TEST_EVENT = json.dumps({"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "b"})
TOPIC = "arn:aws:sns:us-west-2:123456789012:topic"


def notification(message: Any, **more: Any) -> str:
    return json.dumps({"Type": "Notification", "TopicArn": TOPIC, "Message": message, **more})


@pytest.mark.parametrize("body", [EVENT, TEST_EVENT, notification("x"), "no JSON", "[" * 100_000])
def test_raw_bodies_are_not_looked_at(body: str) -> None:
    message = make(body, attributes={"a": "1"})
    assert delivery_of(message, "raw") == Delivery(body=body, attributes={"a": "1"})


def test_a_notification_is_unwrapped_with_its_attributes() -> None:
    published = {
        "text": {"Type": "String", "Value": "red"},
        "list": {"Type": "String.Array", "Value": '["a"]'},
        "count": {"Type": "Number", "Value": "7"},
        "bytes": {"Type": "Binary", "Value": "AA=="},
        "broken": "x",
        "none": {"Type": "String", "Value": None},
    }
    delivery = delivery_of(make(notification("inner", MessageAttributes=published), attributes={"own": "1"}), "sns")
    attributes = {"own": "1", "text": "red", "list": '["a"]', "count": "7"}
    assert delivery == Delivery(body="inner", attributes=attributes)


@pytest.mark.parametrize(
    "body",
    [
        "text",
        "[" * 100_000,
        "[1]",
        json.dumps({"Type": "Notification", "Message": "no topic"}),
        json.dumps({"Type": "SubscriptionConfirmation", "TopicArn": TOPIC, "Message": "x"}),
        notification(7),
    ],
)
def test_what_is_no_notification_stays_as_it_is(body: str) -> None:
    assert delivery_of(make(body), "sns") == Delivery(body=body, attributes={})


@pytest.mark.parametrize("wrap", [str, notification])
def test_an_event_of_s3_is_sent_whole_and_a_test_event_not_at_all(wrap: Any) -> None:
    assert delivery_of(make(wrap(EVENT)), "s3-events") == Delivery(body=EVENT, attributes={})
    assert delivery_of(make(wrap(TEST_EVENT)), "s3-events") is None


@pytest.mark.parametrize("body", ["text", "{}", "[]", json.dumps({"Records": 1}), "[" * 100_000, notification("x")])
def test_what_is_no_event_of_s3_is_refused(body: str) -> None:
    with pytest.raises(InvalidInputError, match="DEQUEUER_QUEUE_FORMAT"):
        delivery_of(make(body), "s3-events")
