from dataclasses import replace

import pytest

from dequeuer.formats.go_json import decode
from dequeuer.formats.go_time import parse_time
from dequeuer.jobs.spec import DeadLetterQueue, InvalidSpecError, JobSpec, dump_spec, parse_spec

START = parse_time("2026-11-26T16:38:16.123456789Z")
BATCH = JobSpec(
    job_id="67e3b0f1a2c4d5e6", api_name="sum", kind="BatchAPI", workers=2, api_id="id-1", start_time_ns=START
)
TASK = replace(BATCH, kind="TaskAPI", spec_id="spec-1", pod_id="pod-1", workers=1)
BATCH_TEXT = (
    '{"job_id":"67e3b0f1a2c4d5e6","api_name":"sum","kind":"BatchAPI","workers":2,"sqs_dead_letter_queue":null,'
    '"config":null,"timeout":null,"api_id":"id-1","sqs_url":"","start_time":"2026-11-26T16:38:16.123456789Z"}'
)
FULL = replace(
    BATCH,
    dead_letter_queue=DeadLetterQueue(arn="arn:aws:sqs:us-west-2:000000000000:dead", max_receive_count=3),
    config=decode('{"a":1.0,"b":["<x>",12345678901234567890]}'),
    timeout_s=60,
    sqs_url="https://sqs/q.fifo",
    total_batch_count=7,
    output_s3_path="s3://b/p",
    on_bad_item="skip",
    priority=5,
)
FULL_TEXT = (
    '{"job_id":"67e3b0f1a2c4d5e6","api_name":"sum","kind":"BatchAPI","workers":2,"sqs_dead_letter_queue":'
    '{"arn":"arn:aws:sqs:us-west-2:000000000000:dead","max_receive_count":3},'
    '"config":{"a":1.0,"b":["\\u003cx\\u003e",12345678901234567890]},"timeout":60,"api_id":"id-1",'
    '"sqs_url":"https://sqs/q.fifo","total_batch_count":7,"start_time":"2026-11-26T16:38:16.123456789Z",'
    '"output":{"s3_path":"s3://b/p"},"on_bad_item":"skip","priority":5}'
)
TASK_TEXT = (
    '{"job_id":"67e3b0f1a2c4d5e6","api_name":"sum","kind":"TaskAPI","workers":1,"config":null,"timeout":null,'
    '"api_id":"id-1","spec_id":"spec-1","pod_id":"pod-1","start_time":"2026-11-26T16:38:16.123456789Z"}'
)
each_spec = pytest.mark.parametrize(("spec", "text"), [(BATCH, BATCH_TEXT), (FULL, FULL_TEXT), (TASK, TASK_TEXT)])


@each_spec
def test_the_fields_have_the_order_and_the_form_of_cortex(spec: JobSpec, text: str) -> None:
    assert dump_spec(spec).decode() == text


@each_spec
def test_what_is_stored_reads_as_the_same_specification(spec: JobSpec, text: str) -> None:
    assert parse_spec(text.encode()) == spec


def test_job_json_is_indented() -> None:
    assert dump_spec(BATCH, indent=2).startswith(b'{\n  "job_id": "67e3b0f1a2c4d5e6",\n  "api_name"')
    assert parse_spec(dump_spec(FULL, indent=2)) == FULL


def test_unknown_fields_and_times_of_other_zones_are_read() -> None:
    text = BATCH_TEXT.replace("}", ',"created_by":"x"}').replace("16:38:16.123456789Z", "17:38:16.123456789+01:00")
    assert parse_spec(text.encode()) == BATCH


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("{", "["), ('"workers":2', '"workers":"2"'), ('"workers":2', '"workers":2.5'), ('"workers":2,', ""), ('"BatchAPI"', '"AsyncAPI"'),
        ('"timeout":null', '"timeout":true'), ('"config":null', '"config":[]'), ('"sum"', "7"), ('"sqs_url":""', '"sqs_url":5'),
        ("2026-11-26T", "26.11."), ('"sqs_dead_letter_queue":null', '"sqs_dead_letter_queue":{"arn":"a"}'), ('"start_time"', '"started"'),
        ('"config":null', '"output":{}'),
    ],
)  # fmt: skip
def test_a_stored_text_that_is_no_specification_is_an_error(old: str, new: str) -> None:
    assert old in BATCH_TEXT
    with pytest.raises(InvalidSpecError):
        parse_spec(BATCH_TEXT.replace(old, new, 1).encode())


def test_text_that_is_not_utf_8_or_no_object_is_an_error() -> None:
    for text in (b"\xff", b"[]", b"7", b""):
        with pytest.raises(InvalidSpecError):
            parse_spec(text)
