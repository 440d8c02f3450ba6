from __future__ import annotations

import json
from typing import Any

import pytest

from dequeuer.client.errors import InvalidAnswerError
from dequeuer.client.job_status import JobStatus, Progress, job_status
from dequeuer.formats.go_json import decode
from tests.client.stage import status_fields


def read(**more: Any) -> JobStatus:
    return job_status(decode(json.dumps(status_fields(**more))))


def test_a_status_is_read_whole() -> None:
    progress = {
        "items_total": 10,
        "items_done": 4,
        "items_failed": 1,
        "rate": 2.5,
        "eta_seconds": 3,
        "batches_total": 5,
    }
    status = read(
        progress=progress,
        worker_counts={"ready": 2},
        paused=True,
        output={"s3_path": "s3://b/p"},
        end_time="2026-11-26T16:38:17.5Z",
    )
    assert status.progress == Progress(
        items_total=10, items_done=4, items_failed=1, rate=2.5, eta_s=3.0, batches_total=5
    )
    assert (status.workers, status.worker_counts, status.batches_in_queue) == (2, {"ready": 2}, 3)
    assert (status.is_paused, status.is_stopping, status.output) == (True, False, "s3://b/p")
    assert status.start_time_s is not None
    assert status.end_time_s == status.start_time_s + 1
    assert not status.has_ended


@pytest.mark.parametrize(
    ("state", "ended"),
    [("pending", False), ("succeeded", True), ("worker_oom", True), ("unknown", False), ("a new word", False)],
)
def test_only_the_statuses_of_ended_jobs_are_ends(state: str, ended: bool) -> None:
    assert read(status=state).has_ended is ended


HOSTILE = {
    "null": "null",
    "boolean": "true",
    "negative": "-1",
    "large": "1e400",
    "fraction": "0.5",
    "digits": "1" * 5000,
    "long text": f'"{"x" * 100_000}"',
    "escape": '"\\u001b[2J"',
    "date": '"9999-99-99T99:99:99Z"',
    "list": "[1, 2]",
    "object": '{"message": 1, "s3_path": []}',
}


@pytest.mark.parametrize("value", HOSTILE.values(), ids=HOSTILE)
def test_fields_of_a_wrong_type_are_as_if_they_were_not_there(value: str) -> None:
    names = ["items_total", "items_done", "items_failed", "batches_total", "batches_done", "rate", "eta_seconds"]
    texts = ["api_name", "kind", "workers", "start_time", "end_time", "error", "output", "batches_in_queue", "paused"]
    more: dict[str, Any] = dict.fromkeys(texts, "@") | {
        "worker_counts": {"a": "@"},
        "progress": dict.fromkeys(names, "@"),
    }
    status = job_status(decode(json.dumps(status_fields(**more)).replace('"@"', value)))
    assert len(status.api_name) <= 256
    assert status.api_name.isprintable()
    assert (status.workers, status.batches_in_queue, status.start_time_s, status.end_time_s) == (None,) * 4
    assert (status.worker_counts, status.error, status.output) == ({}, "", "")
    assert status.progress == Progress(rate=status.progress.rate, eta_s=status.progress.rate)
    assert status.progress.rate in {None, 0.5}


def test_a_time_that_would_be_rounded_into_a_year_that_dates_do_not_have_is_unknown() -> None:
    assert read(end_time="9999-12-31T23:59:59.999999999Z").end_time_s is None
    assert read(end_time="9999-12-31T23:59:59Z").end_time_s == 253_402_300_799.0


@pytest.mark.parametrize("value", [None, [], "x", {}, {"job_id": "x"}, {"job_id": "x", "status": 1}])
def test_what_has_no_id_and_no_status_is_no_status(value: object) -> None:
    with pytest.raises(InvalidAnswerError, match="without the id"):
        job_status(value)


def test_an_error_names_the_place_once() -> None:
    error = {"message": "not JSON", "source": "s3://b/k", "offset": 17}
    assert read(error=error).error == "not JSON (s3://b/k, byte 17)"
    assert read(error=error | {"message": "s3://b/k: not JSON"}).error == "s3://b/k: not JSON"
    assert len(read(error={"message": "x" * 100_000}).error) <= 20_000
    assert read(error="x").error == ""
