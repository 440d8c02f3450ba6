"""Which requests have a log line, and what is in it."""

from __future__ import annotations

from typing import Any

import pytest

from dequeuer.proxy.access_log import MAX_FAILURES_A_MINUTE, MAX_TEXT_CHARS, AccessLog
from dequeuer.proxy.record import RequestRecord


class Log:
    """A logger that keeps its lines."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, dict[str, Any]]] = []

    def info(self, event: str, **fields: Any) -> None:
        self.lines.append((event, fields))

    warning = info


def record(target: bytes = b"/a", reason: str = "", method: bytes = b"GET") -> RequestRecord:
    made = RequestRecord(method, target, 100.0)
    made.status, made.reason = 200, reason
    made.admitted_at, made.first_byte_at, made.ended_at = 100.25, 100.5, 101.0
    made.bytes_in, made.bytes_out, made.trace_id = 1, 2, "abc"
    return made


def test_a_line_says_what_happened() -> None:
    log = Log()
    AccessLog(log, 1.0).request_ended(record())
    assert log.lines == [
        (
            "request",
            {
                "method": "GET",
                "path": "/a",
                "status": 200,
                "duration_s": 1.0,
                "queued_s": 0.25,
                "first_byte_s": 0.5,
                "bytes_in": 1,
                "bytes_out": 2,
                "trace_id": "abc",
            },
        )
    ]


@pytest.mark.parametrize(
    ("target", "shown"),
    [
        (b"/a?token=secret&b=secret", "/a?token=***&b=***"),
        (b"/a?x", "/a?x"),
        (b"/a?", "/a?"),
        (b"/a?b==secret=secret", "/a?b=***"),
        (b"/" + b"a" * 5000, "/" + "a" * (MAX_TEXT_CHARS - 2) + "…"),
    ],
)
def test_a_query_loses_its_values(target: bytes, shown: str) -> None:
    log = Log()
    AccessLog(log, 1.0).request_ended(record(target))
    assert log.lines[0][1]["path"] == shown


def test_a_long_method_is_cut() -> None:
    log = Log()
    AccessLog(log, 1.0).request_ended(record(method=b"M" * 5000))
    assert log.lines[0][1]["method"] == "M" * (MAX_TEXT_CHARS - 1) + "…"


def test_a_share_of_the_requests_is_logged() -> None:
    log = Log()
    access_log = AccessLog(log, 0.5)
    for _ in range(1000):
        access_log.request_ended(record())
    assert 300 < len(log.lines) < 700
    log.lines.clear()
    access_log = AccessLog(log, 0.0)
    for _ in range(1000):
        access_log.request_ended(record())
    assert not log.lines


def test_failures_are_always_logged_but_not_without_end() -> None:
    log = Log()
    now = 1000.0
    access_log = AccessLog(log, 0.0, lambda: now)
    for _ in range(1000):
        access_log.request_ended(record(reason="upstream_unreachable"))
    assert len(log.lines) == MAX_FAILURES_A_MINUTE
    assert log.lines[0][0] == "request_failed"
    assert log.lines[0][1]["reason"] == "upstream_unreachable"
    now += 60
    access_log.request_ended(record(reason="upstream_unreachable"))
    assert log.lines[-1][1]["left_out"] == 1000 - MAX_FAILURES_A_MINUTE
    access_log.request_ended(record(reason="upstream_unreachable"))
    assert "left_out" not in log.lines[-1][1]


def test_many_failures_of_one_kind_hide_no_other() -> None:
    log = Log()
    access_log = AccessLog(log, 0.0, lambda: 1000.0)
    for _ in range(1000):
        access_log.request_ended(record(reason="queue_full"))
    access_log.request_ended(record(reason="cut"))
    assert log.lines[-1][1]["reason"] == "cut"
    assert "left_out" not in log.lines[-1][1]


def test_a_timeout_is_a_failure_where_it_is_not_the_client_s() -> None:
    log = Log()
    access_log = AccessLog(log, 0.0)
    for status in (408, 504):
        ended = record(reason="timeout")
        ended.status = status
        access_log.request_ended(ended)
    assert [line[1]["status"] for line in log.lines] == [504]


@pytest.mark.parametrize("reason", ["client_gone", "bad_request", "too_large", "not_implemented"])
def test_what_clients_do_is_no_failure(reason: str) -> None:
    log = Log()
    AccessLog(log, 0.0).request_ended(record(reason=reason))
    assert not log.lines
