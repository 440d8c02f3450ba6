from __future__ import annotations

import json

import pytest

from dequeuer.core.errors import InvalidInputError
from dequeuer.handlers.queue_api.pointer import CLASSES, is_pointer, pointer_of
from tests.handlers.queue_api.stage import pointer


@pytest.mark.parametrize("name", CLASSES)
def test_pointers_of_present_and_older_libraries_are_read(name: str) -> None:
    assert pointer_of(pointer("bucket", "a/b", name)) == ("bucket", "a/b")


@pytest.mark.parametrize("attribute", ["ExtendedPayloadSize", "SQSLargePayloadSize"])
def test_the_attribute_makes_a_message_a_pointer(attribute: str) -> None:
    assert is_pointer({attribute: "300000"})
    assert not is_pointer({attribute.lower(): "300000"})


@pytest.mark.parametrize(
    "body",
    [
        "text",
        "{}",
        "[" * 5000,
        json.dumps(["another.Class", {"s3BucketName": "b", "s3Key": "k"}]),
        json.dumps([CLASSES[0], {"s3BucketName": "b"}]),
        json.dumps([CLASSES[0], {"s3BucketName": 1, "s3Key": "k"}]),
        json.dumps([CLASSES[0], {"s3BucketName": "b", "s3Key": "k"}, 1]),
        pointer(key="k" * 9000),
        pointer(key=""),
        pointer(key="k" * 1025),
        pointer(key="\ud800"),
        pointer(key="../other/secret"),
        pointer(key="a/../../other/secret"),
        pointer(key="a/./b"),
        pointer(key=".."),
    ],
)
def test_what_names_no_object_or_perhaps_another_one_is_refused(body: str) -> None:
    with pytest.raises(InvalidInputError, match="point"):
        pointer_of(body)


def test_dots_within_a_part_of_a_key_are_only_dots() -> None:
    assert pointer_of(pointer(key="a..b/...")).key == "a..b/..."
