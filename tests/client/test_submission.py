from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from dequeuer.client.submission import make_submission


def test_each_submission_has_a_key_of_its_own() -> None:
    keys = {make_submission(b"x").content.headers["Idempotency-Key"] for _ in range(100)}
    assert len(keys) == 100
    assert "Idempotency-Key" not in make_submission(b"x", key="").content.headers
    assert [make_submission(b"x", key=key).has_key for key in ("", "k")] == [False, True]


@pytest.mark.parametrize("payload", [bytearray(b"ab"), memoryview(b"ab"), b"ab"])
def test_all_kinds_of_bytes_are_bytes(payload: Any) -> None:
    submission = make_submission(payload)
    assert submission.content.body == b"ab"
    assert submission.content.headers["Content-Type"] == "application/octet-stream"


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"key": "ä"}, "the key has 1 characters"),
        ({"key": "a\nb"}, "1 to 255 printable ASCII"),
        ({"key": "k" * 256}, "the key has 256 characters"),
        ({"headers": {"idempotency-key": "x"}}, "the header idempotency-key is not for the container"),
        ({"headers": {"Authorization": "x"}}, "the header Authorization is not for the container"),
        ({"deadline": datetime(2026, 1, 1)}, "no time zone"),  # noqa: DTZ001 - that is the fault
        ({"cancel_after_s": 0}, "cancel_after_s is 0; allowed"),
        ({"cancel_after_s": float("nan")}, "cancel_after_s is nan; allowed"),
        ({"cancel_after_s": 1.0, "deadline": datetime.now().astimezone()}, "give one of them"),
    ],
)
def test_what_cannot_be_sent_is_refused_before_it_is(options: dict[str, Any], error: str) -> None:
    with pytest.raises(ValueError, match=error):
        make_submission(b"x", **options)


def test_a_payload_that_json_does_not_have_is_refused() -> None:
    with pytest.raises(ValueError, match="Out of range float"):
        make_submission({"n": float("nan")})
    with pytest.raises(TypeError, match="not JSON serializable"):
        make_submission({"n": object()})
