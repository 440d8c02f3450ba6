from __future__ import annotations

import pytest

from dequeuer.provision.text_forms import is_below


@pytest.mark.parametrize(
    ("arn", "bucket", "is_reference"),
    [
        ("arn:aws:s3:::store", "store", True),
        ("arn:aws:s3:::store/cluster/*", "store", True),
        ("arn:aws:s3:::store-files", "store", False),
        ("arn:aws:s3:::store-files/*", "store", False),
        ("arn:aws:s3:::store", "", False),
    ],
)
def test_a_bucket_whose_name_begins_like_ours_is_another_one(arn: str, bucket: str, is_reference: bool) -> None:
    assert is_below(arn, bucket) is is_reference
