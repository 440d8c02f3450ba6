"""Documents of servers that are broken or hostile: a status has the types that it says, or is none."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from dequeuer.client.errors import InvalidAnswerError
from dequeuer.client.request_status import MAX_ATTEMPTS, Attempt, RequestFailure, RequestProgress, request_status

BEGIN: dict[str, Any] = {"id": "id1", "status": "completed"}


def document(**more: Any) -> bytes:
    return json.dumps(BEGIN | more).encode()


def test_all_that_is_known_has_its_type() -> None:
    moment = "2026-11-27T05:58:12.5Z"
    attempt = {
        "began": moment,
        "ended": moment,
        "worker": "pod-1",
        "outcome": "retried",
        "code": "unreachable",
        "reason": "no connection",
        "status_code": 503,
    }
    status = request_status(
        document(
            created=moment,
            started=moment,
            ended=moment,
            cancel_requested=moment,
            attempts=[attempt],
            progress={"progress": 0.25, "message": "a quarter", "at": moment},
            error={"code": "timeout", "message": "too slow", "status_code": 504},
            result_bytes=70_000,
        )
    )
    when = datetime(2026, 11, 27, 5, 58, 12, 500_000, UTC)
    assert (status.created, status.started, status.ended, status.cancel_requested) == (when,) * 4
    [known] = status.attempts
    assert (known.began, known.ended, known.worker, known.outcome) == (when, when, "pod-1", "retried")
    assert (known.code, known.reason, known.status_code) == ("unreachable", "no connection", 503)
    assert status.progress is not None
    assert status.error is not None
    assert (status.progress.share, status.progress.message, status.progress.at) == (0.25, "a quarter", when)
    assert (status.error.code, status.error.message, status.error.status_code) == ("timeout", "too slow", 504)
    assert status.result_bytes == 70_000


@pytest.mark.parametrize(
    "value", [None, 7, -1, 1e400, "x", "", [], [1], [{}], {}, {"a": {}}, True, "9999-99-99T00:00:00Z"]
)
def test_fields_of_other_types_are_not_known(value: object) -> None:
    names = ("created", "started", "ended", "cancel_requested", "attempts", "progress", "error", "timestamp")
    status = request_status(document(**dict.fromkeys(names, value)).replace(b"Infinity", b"1e400"))
    assert (status.created, status.started, status.ended, status.cancel_requested) == (None,) * 4
    assert status.attempts == ((Attempt(),) if value == [{}] else ())
    is_filled = value == {"a": {}}
    assert status.progress == (RequestProgress() if is_filled else None)
    assert status.error == (RequestFailure() if is_filled else None)


@pytest.mark.parametrize("value", [None, [], [1], {}, {"a": {}}, True])
def test_fields_within_of_other_types_are_not_known(value: object) -> None:
    of_attempts = ("began", "ended", "worker", "outcome", "code", "reason", "status_code")
    status = request_status(
        document(
            attempts=[dict.fromkeys(of_attempts, value)],
            progress=dict.fromkeys(("progress", "message", "at"), value),
            error=dict.fromkeys(("code", "message", "status_code"), value),
            result_bytes=value,
        )
    )
    assert status.attempts == (Attempt(),)
    assert (status.progress, status.error, status.result_bytes) == (RequestProgress(), RequestFailure(), None)


def test_numbers_are_no_texts_and_texts_are_no_numbers() -> None:
    status = request_status(
        document(
            attempts=[{"began": 7, "worker": 7, "reason": 7, "status_code": "7"}],
            progress={"progress": "0.5", "message": 7, "at": 7},
            error={"code": 7, "message": 7, "status_code": "7"},
        )
    )
    assert status.attempts == (Attempt(),)
    assert (status.progress, status.error) == (RequestProgress(), RequestFailure())
    for number in (-1, 0.5, 1e400):
        text = document(error={"status_code": number}, result_bytes=number).replace(b"Infinity", b"1e400")
        assert (request_status(text).error, request_status(text).result_bytes) == (RequestFailure(), None)


def test_texts_are_made_safe_for_a_terminal_and_lists_are_bounded() -> None:
    status = request_status(
        document(error={"message": "a\x1b[2Jb\nc" + "x" * 1000}, attempts=[{"worker": "\x1b"}] * (MAX_ATTEMPTS + 5))
    )
    assert status.error is not None
    assert status.error.message.startswith("a\ufffd[2Jb\ufffdc")
    assert len(status.error.message) == 256
    assert [one.worker for one in status.attempts] == ["\ufffd"] * MAX_ATTEMPTS


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"[1]",
        b'"id"',
        b"<html>",
        b'{"id": "id1"}',
        b'{"id": "../x", "status": "completed"}',
        b'{"id": 7, "status": "completed"}',
        b'{"id": "id1", "status": 7}',
        b'{"id": "id1", "status": "completed", "result": 1',
        b'{"id": "id1", "status": "completed", "result": }',
        b'{"id": "id1", "status": "completed", "result": "\xff"}',
        b'{"id": "id1", "status": "completed", "error": ' + b"[" * 500 + b"]" * 500 + b"}",
    ],
)
def test_what_is_no_status_is_refused(text: bytes) -> None:
    with pytest.raises(InvalidAnswerError):
        request_status(text)


@pytest.mark.parametrize("result", [b"1.10", b'{"a": [1, {"result": 2}] , "b": "}"}', b"null", b'"\\u00e4"', b"[ ]"])
def test_a_result_keeps_its_bytes(result: bytes) -> None:
    status = request_status(b'{"id":"id1","status":"completed","result":' + result + b',"timestamp":"x"}\n')
    assert status.result_json == result
    assert status.result() == json.loads(result)
    assert "result" not in status.fields


def test_a_result_that_is_nested_too_deep_for_python_keeps_its_text() -> None:
    deep = b"[" * 9000 + b"]" * 9000
    status = request_status(b'{"id":"id1","status":"completed","result":' + deep + b"}")
    assert status.result_json == deep
    with pytest.raises(InvalidAnswerError, match="result_json has its text"):
        status.result()


def test_without_a_result_there_is_none() -> None:
    with pytest.raises(InvalidAnswerError, match="request id1 is completed, and no result came"):
        request_status(document()).result()
