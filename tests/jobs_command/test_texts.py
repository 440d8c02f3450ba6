from __future__ import annotations

import json
from typing import Any

import pytest

from dequeuer.client.job_status import JobStatus, job_status
from dequeuer.core import clock
from dequeuer.formats.go_json import decode
from dequeuer.formats.go_time import parse_time
from dequeuer.jobs_command import exit_statuses
from dequeuer.jobs_command.texts import change_line, error_lines, job_lines, list_lines, list_row
from tests.client.stage import status_fields
from tests.jobs.stage import JOB

PROGRESS = {
    "items_total": 1000,
    "items_done": 250,
    "items_failed": 3,
    "batches_total": 100,
    "batches_done": 25,
    "rate": 41.6,
    "eta_seconds": 72,
}


@pytest.fixture(autouse=True)
def a_minute_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "wall", lambda: parse_time("2026-11-26T16:39:18Z") / 1e9)


def job(status: str = "running", **more: Any) -> JobStatus:
    return job_status(decode(json.dumps(status_fields(status, **more))))


def test_all_that_is_known_of_a_job_is_shown() -> None:
    status = job(progress=PROGRESS, worker_counts={"ready": 1, "pending": 1}, paused=True, output={"s3_path": "s3://b"})
    assert job_lines(status) == [
        f"job        {JOB}",
        "api        sum (BatchAPI)",
        "status     running (paused)",
        "submitted  2026-11-26 16:38:16Z",
        "time       1:02",
        "workers    2 (1 ready, 1 pending)",
        "batches    25 of 100 done",
        "items      250 of 1,000 done, 3 failed",
        "progress   [########......................]  25%, 41.6 items/s, 1:12 left",
        "output     s3://b",
    ]
    assert change_line(status) == "running (paused), 250 of 1,000 items done, 3 failed, 41.6 items/s, 1:12 left"


def test_a_job_of_which_little_is_known_is_shown_nevertheless() -> None:
    assert job_lines(job_status({"job_id": "a", "status": "pending"})) == [
        "job     a",
        "api      ()",
        "status  pending",
    ]
    assert change_line(job("pending")) == "pending, 3 in the queue"


@pytest.mark.parametrize(
    ("progress", "text"),
    [
        ({"items_done": 1}, "1 item done"),
        ({"items_done": 0, "items_total": 1}, "0 of 1 item done"),
        ({"items_done": 1, "items_total": 2000}, "1 of 2,000 items done"),
    ],
)
def test_one_item_is_no_plural(progress: dict[str, int], text: str) -> None:
    assert change_line(job(progress=progress)) == f"running, {text}"


def test_a_failed_job_shows_the_last_lines_of_its_log() -> None:
    log = "\n".join(f"line {number}\x1b[2J" for number in range(100))
    status = job("worker_error", end_time="2026-11-26T16:38:30Z", error={"message": f"no worker starts\n{log}"})
    lines = job_lines(status)
    assert "ended      2026-11-26 16:38:30Z" in lines
    assert "error      no worker starts" in lines
    assert lines[-1] == "  line 99\\x1b[2J"
    assert len(lines) < 50
    assert change_line(status) == "worker_error, 3 in the queue, took 0:14"
    assert error_lines(status)[:2] == ["no worker starts", "  line 70\\x1b[2J"]


def test_a_tab_in_an_error_is_as_wide_as_it_is_shown() -> None:
    status = job("worker_error", error={"message": "panic:\tno\n\tmain.go:7\t+0x1f"})
    assert error_lines(status) == ["panic:  no", "          main.go:7       +0x1f"]
    assert job_lines(status)[-2:] == ["error      panic:  no", "          main.go:7       +0x1f"]


@pytest.mark.parametrize("start", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999999Z"])
def test_the_first_and_the_last_moment_are_no_error(start: str) -> None:
    status = job(start_time=start, end_time=start)
    assert job_lines(status)
    assert list_row(status)[0] == JOB


def test_jobs_are_a_table() -> None:
    stopping = job("enqueuing", stopping=True, progress={"items_done": 5})
    ended = job("succeeded", progress=PROGRESS, end_time="2026-11-26T16:38:30Z", stopping=True)
    assert list_lines(map(list_row, [stopping, ended])) == [
        "JOB               STATUS                SUBMITTED             TIME       DONE  FAILED",
        f"{JOB}  enqueuing (stopping)  2026-11-26 16:38:16Z  1:02          5",
        f"{JOB}  succeeded             2026-11-26 16:38:16Z  0:14  250/1,000       3",
    ]


def test_text_of_a_hostile_server_cannot_act_on_a_terminal() -> None:
    evil = "\x1b[2J\x9b\u202e\r\n"
    status = job(evil, error={"message": evil * 2}, output={"s3_path": evil}, worker_counts={evil: 1}, api_name=evil)
    for line in [*job_lines(status), *list_lines([list_row(status)])]:
        assert line.isprintable()


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ("succeeded", 0),
        ("completed_with_failures", 3),
        ("stopped", 4),
        ("timed_out", 5),
        ("enqueue_failed", 6),
        ("worker_error", 6),
        ("worker_oom", 6),
        ("unexpected_error", 6),
    ],
)
def test_each_end_has_its_exit_status(state: str, expected: int) -> None:
    assert exit_statuses.of_job(job(state)) == expected
