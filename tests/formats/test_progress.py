"""Reports of containers: what is taken, what is refused, what is shown."""

from __future__ import annotations

import json

import pytest

from dequeuer.core.errors import MAX_FOREIGN_TEXT_CHARS, InvalidInputError
from dequeuer.formats.progress import MAX_PROGRESS_BYTES, Progress, decode_progress, encode_progress, parse_report


@pytest.mark.parametrize(
    ("body", "progress"),
    [
        (b'{"progress": 0.4, "message": "page 4"}', Progress(share=0.4, message="page 4")),
        (b'{"progress": 0}', Progress(share=0.0, message="")),
        (b'{"progress": 1, "other": []}', Progress(share=1.0, message="")),
        (b'{"message": "loading"}', Progress(share=None, message="loading")),
        (b'{"progress": null, "message": "loading"}', Progress(share=None, message="loading")),
    ],
)
def test_reports(body: bytes, progress: Progress) -> None:
    assert parse_report(body) == progress


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"", "not a JSON object"),
        (b"[" * 100_000, "not a JSON object"),
        (b"\xff", "not a JSON object"),
        (b"0.4", "not a JSON object"),
        (b"{}", "neither progress nor message"),
        (b'{"message": ""}', "neither progress nor message"),
        (b'{"progress": 1.01}', "progress is 1.01"),
        (b'{"progress": -0.1}', "from 0 to 1"),
        (b'{"progress": NaN}', "from 0 to 1"),
        (b'{"progress": true}', "progress is true"),
        (b'{"progress": "0.4"}', "from 0 to 1"),
        (b'{"progress": 0.4, "message": 5}', "message is not a text"),
    ],
)
def test_what_is_refused_says_why(body: bytes, text: str) -> None:
    with pytest.raises(InvalidInputError, match=text):
        parse_report(body)


def test_what_is_stored_is_shown() -> None:
    content = encode_progress(Progress(share=0.25, message="a quarter"), 1_700_000_000.9)
    assert decode_progress(content) == {"progress": 0.25, "message": "a quarter", "at": "2023-11-14T22:13:20Z"}


def test_a_message_alone_has_no_share() -> None:
    assert "progress" not in decode_progress(encode_progress(Progress(share=None, message="loading"), 0))


def test_long_messages_are_clipped() -> None:
    report = parse_report(json.dumps({"message": "\u0000" * 5000}).encode())
    assert len(report.message) == MAX_FOREIGN_TEXT_CHARS
    assert len(encode_progress(report, 0)) < MAX_PROGRESS_BYTES


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b'{"progress": "x", "message": 1, "at": null}'])
def test_content_of_others_shows_nothing(content: bytes) -> None:
    assert decode_progress(content) == {}
