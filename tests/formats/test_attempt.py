from __future__ import annotations

from dataclasses import replace

import pytest

from dequeuer.formats.attempt import MAX_ATTEMPT_BYTES, Attempt, decode_attempt, encode_attempt

ATTEMPT = Attempt(
    began_s=1_700_000_000.25,
    ended_s=1_700_000_003.0,
    worker="api-7d4b9-x2x",
    code="container_status",
    reason="the container answered 503",
    status_code=503,
)


def test_what_is_written_can_be_shown() -> None:
    assert decode_attempt(encode_attempt(ATTEMPT)) == {
        "began": "2023-11-14T22:13:20.25Z",
        "ended": "2023-11-14T22:13:23Z",
        "worker": "api-7d4b9-x2x",
        "outcome": "retried",
        "code": "container_status",
        "reason": "the container answered 503",
        "status_code": 503,
    }


def test_long_texts_are_clipped() -> None:
    assert len(encode_attempt(replace(ATTEMPT, reason="\n" * 100_000, worker="w" * 100_000))) < MAX_ATTEMPT_BYTES


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b'{"began": 1, "code": "x", "status_code": true}'])
def test_content_of_others_shows_nothing(content: bytes) -> None:
    assert decode_attempt(content) == {}
