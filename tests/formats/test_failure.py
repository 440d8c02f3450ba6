"""`status/failed`: what is written can be read, and what others have written breaks nothing."""

from __future__ import annotations

import json

import pytest

from dequeuer.core.errors import MAX_FOREIGN_TEXT_CHARS
from dequeuer.formats.failure import (
    FAILURE_CODES,
    MAX_FAILURE_BYTES,
    RequestFailure,
    StoredFailure,
    decode_failure,
    encode_failure,
)


def test_what_is_written_can_be_read() -> None:
    failure = RequestFailure(error="the container answered 500", code="container_status", status_code=500)
    assert decode_failure(encode_failure(failure, 3)) == StoredFailure(
        error="the container answered 500", code="container_status", status_code=500, attempts=3
    )


def test_the_order_of_the_fields_is_that_of_the_docs() -> None:
    content = encode_failure(RequestFailure(error="late", code="expired"), 1)
    assert list(json.loads(content)) == ["error", "code", "status_code", "attempts"]


def test_a_long_text_is_clipped() -> None:
    content = encode_failure(RequestFailure(error="\n" * 100_000, code="bug"), 1)
    assert len(content) < MAX_FAILURE_BYTES
    error = decode_failure(content).error
    assert error is not None
    assert len(error) == MAX_FOREIGN_TEXT_CHARS


@pytest.mark.parametrize("content", [b"", b"[]", b"null", b"{", b"\xff", b"[" * 100_000, b"{}"])
def test_content_of_others_says_nothing(content: bytes) -> None:
    assert decode_failure(content) == StoredFailure()


@pytest.mark.parametrize("code", ["cancelled", "made up", 7, None])
def test_only_known_codes_are_read(code: object) -> None:
    found = decode_failure(json.dumps({"code": code}).encode()).code
    assert found == (code if code in FAILURE_CODES else None)


def test_fields_of_other_types_are_left_out() -> None:
    content = json.dumps({"error": 1, "status_code": "500", "attempts": True}).encode()
    assert decode_failure(content) == StoredFailure()


def test_what_was_written_before_there_were_codes_can_be_read() -> None:
    content = b'{"error": "the container answered 500", "status_code": 500, "attempts": 2}'
    assert decode_failure(content) == StoredFailure(error="the container answered 500", status_code=500, attempts=2)
