from __future__ import annotations

import json

import pytest

from dequeuer.dev.controller_log import JobLine, parse_job_line
from dequeuer.dev.log_line import SettledLine, parse_settled_line, probe_text, settled_text


@pytest.mark.parametrize("line", ["", "Traceback (most recent call last):", "[]", "null", '{"event":"started"}', "{"])
def test_other_lines_are_ignored(line: str) -> None:
    assert parse_settled_line(line) is None
    assert parse_job_line(line) is None


def test_a_settled_message_is_read_from_the_log() -> None:
    line = '{"event":"message_settled","message_id":"m","settlement":"rejected","held_s":0.25,"reason":"why"}'
    message = SettledLine(ref="m", settlement="rejected", reason="why", held_s=0.25)
    assert parse_settled_line(line) == message
    assert settled_text(message).split() == ["m", "rejected", "0.2", "s:", "why"]
    of_request = parse_settled_line(
        '{"event":"message_settled","request_id":"r","settlement":"completed","held_s":null}'
    )
    assert of_request == SettledLine(ref="r", settlement="completed", reason="", held_s=0.0)


def test_a_probe_that_begins_to_fail_is_told() -> None:
    line = '{"event":"probe_failing","api_name":"text","probe":"api:http_get","detail":"HTTP 501"}'
    assert probe_text(line) == "  text: the probe api:http_get fails: HTTP 501"
    assert probe_text(line.replace("probe_failing", "probe_healthy")) is None


@pytest.mark.parametrize(
    ("fields", "told", "is_status"),
    [
        ({"event": "job_status_changed", "status": "running"}, "running", True),
        ({"event": "job_ended", "status": "succeeded", "duration_s": 1.0}, "succeeded", True),
        ({"event": "job_ended", "status": "worker_error", "error": "no torch"}, "worker_error: no torch", True),
        (
            {
                "event": "job_process_ended",
                "process": "worker-0",
                "phase": "failed",
                "detail": "worker-0 (api) ended with exit status 1. Its last lines:",
            },
            "worker-0 failed: worker-0 (api) ended with exit status 1.",
            False,
        ),
        ({"event": "job_steps_fail", "error": "no S3"}, "cannot go on for now: no S3", False),
    ],
)
def test_what_happens_to_a_job_is_told(fields: dict[str, object], told: str, is_status: bool) -> None:
    line = json.dumps({"job_id": "67a0", "api_name": "sum", **fields})
    assert parse_job_line(line) == JobLine(job_id="67a0", text=f"  67a0  sum: {told}", is_status=is_status)


def test_the_usual_end_of_an_enqueuer_is_not_told() -> None:
    line = {"event": "job_process_ended", "job_id": "67a0", "process": "enqueuer", "phase": "succeeded", "detail": ""}
    assert parse_job_line(json.dumps(line)) is None
