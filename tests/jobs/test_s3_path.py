"""Paths in S3: what is one, and that a key stays as it is stored."""

import pytest

from dequeuer.jobs.s3_path import InvalidS3PathError, S3Path, parse_s3_path


@pytest.mark.parametrize(
    ("text", "bucket", "key"),
    [
        ("s3://bucket", "bucket", ""),
        ("s3://bucket/", "bucket", ""),
        ("s3://bucket/a/b.json", "bucket", "a/b.json"),
        ("s3://bucket//a//b/", "bucket", "/a//b/"),
        ("s3://bucket/../x", "bucket", "../x"),
        ("s3://my.bucket_1-x/ä\n?", "my.bucket_1-x", "ä\n?"),
        ("s3://Upper/x", "Upper", "x"),
    ],
)
def test_a_path_has_a_bucket_and_a_key_exactly_as_stored(text: str, bucket: str, key: str) -> None:
    path = parse_s3_path(text)
    assert path == S3Path(bucket, key)
    assert str(path) == f"s3://{bucket}/{key}"


@pytest.mark.parametrize(
    "text", ["", "s3://", "s3:///key", "s3:/bucket/key", "S3://bucket", "https://bucket/key", "s3://a b", "s3://h:1/x",
             "s3://u@h/x", "s3://-x/y", "s3://b\n/x", "s3://bucket?x/y"],
)  # fmt: skip
def test_any_other_text_is_refused_with_the_words_of_cortex(text: str) -> None:
    with pytest.raises(InvalidS3PathError) as caught:
        parse_s3_path(text)
    assert str(caught.value) == (
        f'"{text}" is not a valid s3 path '
        "(e.g. s3://cortex-examples/pytorch/iris-classifier/weights.pth is a valid s3 path)"
    )
