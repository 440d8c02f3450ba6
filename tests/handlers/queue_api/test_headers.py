from __future__ import annotations

import pytest

from dequeuer.container.target import _head
from dequeuer.core.errors import InvalidInputError
from dequeuer.handlers.queue_api.headers import MAX_ATTRIBUTES_BYTES, OMITTED_HEADER, path_of, request_headers
from tests.handlers.queue_api.stage import MESSAGE_ID, make


def headers_of(attributes: dict[str, str], system: dict[str, str] | None = None) -> dict[str, str]:
    message = make(receive_count=3, attributes=attributes, system=system)
    headers = request_headers(message, attributes, content_type="application/json")
    # Whatever is in a message, the head of its request can be written.
    _head("/", "Host: h\r\n", headers, "Content-Length: 0\r\n")
    assert len({name.lower() for name, _ in headers}) == len(headers)
    return dict(headers)


def test_the_headers_are_those_of_elastic_beanstalk() -> None:
    assert headers_of({"colour": "red", "count": "7"}) == {
        "Content-Type": "application/json",
        "User-Agent": "aws-sqsd/2.0",
        "X-Aws-Sqsd-Msgid": MESSAGE_ID,
        "X-Aws-Sqsd-Queue": "jobs",
        "X-Aws-Sqsd-Receive-Count": "3",
        "X-Aws-Sqsd-First-Received-At": "2023-11-14T22:13:20Z",
        "X-Aws-Sqsd-Sender-Id": "AIDAIENQZJOLO23YVJ4VO",
        "X-Aws-Sqsd-Attr-colour": "red",
        "X-Aws-Sqsd-Attr-count": "7",
    }


def test_those_of_a_periodic_task_are_not_repeated_as_attributes() -> None:
    task = {
        "beanstalk.sqsd.path": "/nightly",
        "beanstalk.sqsd.task_name": "nightly",
        "beanstalk.sqsd.scheduled_time": "2026-11-27T00:00:00Z",
        "beanstalk.sqsd.other": "1",
    }
    headers = headers_of(task, system={})
    assert set(headers) == {
        "Content-Type",
        "User-Agent",
        *(f"X-Aws-Sqsd-{name}" for name in ("Msgid", "Queue", "Receive-Count", "Path", "Taskname", "Scheduled-At")),
    }
    assert headers["X-Aws-Sqsd-Scheduled-At"] == "2026-11-27T00:00:00Z"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("a", "x\r\nX-Aws-Sqsd-Sender-Id: root"),
        ("a", "x\ny"),
        ("a", "x\ry"),
        ("a", "x\0y"),
        ("a", "x\x7fy"),
        ("a", "x\x85y"),
        ("a", "half of a pair \ud800"),
        ("a\r\nHost: evil", "x"),
        ("a: b", "x"),
        ("a b", "x"),
        ("ä", "x"),
        ("", "x"),
        ("a" * 257, "x"),
        ("a", "x" * MAX_ATTRIBUTES_BYTES),
        ("a", "é" * (MAX_ATTRIBUTES_BYTES // 2)),
    ],
)
def test_an_attribute_that_is_no_safe_header_is_left_out_and_counted(name: str, value: str) -> None:
    headers = headers_of({name: value, "good": "1"})
    assert headers["X-Aws-Sqsd-Attr-good"] == "1"
    assert headers[OMITTED_HEADER] == "1"
    assert sum("Attr-" in header for header in headers) == 1


@pytest.mark.parametrize("value", ["naïve \N{SNOWMAN}", "tab\tstop", "", "a, b; c=d"])
def test_text_of_any_language_is_sent_as_it_is(value: str) -> None:
    assert headers_of({"a": value})["X-Aws-Sqsd-Attr-a"] == value


def test_attributes_whose_names_differ_in_case_only_do_not_become_one_header() -> None:
    headers = headers_of({"Colour": "red", "colour": "blue"})
    assert headers["X-Aws-Sqsd-Attr-Colour"] == "red"
    assert headers[OMITTED_HEADER] == "1"


def test_all_attributes_together_are_bounded() -> None:
    headers = headers_of({f"a{number}": "x" * (MAX_ATTRIBUTES_BYTES // 4) for number in range(10)})
    assert headers[OMITTED_HEADER] == "7"
    assert headers_of({f"a{number}": "x" * (256 << 10) for number in range(10)})[OMITTED_HEADER] == "10"


@pytest.mark.parametrize("value", ["x\r\ny", "x y", "", "9" * 14, "-1", "\N{ARABIC-INDIC DIGIT ONE}"])
def test_what_the_queue_says_itself_is_checked_too(value: str) -> None:
    headers = headers_of({}, system={"ApproximateFirstReceiveTimestamp": value, "SenderId": "x\r\ny"})
    assert "X-Aws-Sqsd-First-Received-At" not in headers
    assert "X-Aws-Sqsd-Sender-Id" not in headers


def test_the_mark_of_a_message_that_was_sent_again_is_not_told() -> None:
    assert not any("repeat" in name for name in headers_of({"may_repeat": "true"}))


@pytest.mark.parametrize("path", ["nightly", "", "/a b", "/a\r\nHost: evil", "/ä", "/a#b", "/" + "a" * 1024])
def test_a_path_that_is_none_is_refused(path: str) -> None:
    with pytest.raises(InvalidInputError, match="path"):
        path_of({"beanstalk.sqsd.path": path}, "/")


def test_a_message_without_a_path_takes_the_default() -> None:
    assert path_of({}, "/work") == "/work"
    assert path_of({"beanstalk.sqsd.path": "/nightly?full=1"}, "/work") == "/nightly?full=1"
