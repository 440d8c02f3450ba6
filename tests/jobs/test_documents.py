import pytest

from dequeuer.formats.go_json import Number
from dequeuer.formats.go_time import parse_time
from dequeuer.jobs.documents import (
    PROGRESS_FIELDS,
    InvalidDocumentError,
    JobEnd,
    JobError,
    JobProgress,
    dump_end,
    dump_progress,
    parse_end,
    parse_metrics,
    parse_progress,
)

NOON = parse_time("2026-11-26T12:00:00.5Z")


@pytest.mark.parametrize(
    ("end", "text"),
    [
        (JobEnd(state="succeeded", end_time_ns=NOON), '{"status":"succeeded","end_time":"2026-11-26T12:00:00.5Z"}'),
        (
            JobEnd(state="enqueue_failed", end_time_ns=NOON, error=JobError(message="m", source="s3://b/k", offset=7)),
            '{"status":"enqueue_failed","end_time":"2026-11-26T12:00:00.5Z",'  # noqa: ISC004 - one text
            '"error":{"message":"m","source":"s3://b/k","offset":7}}',
        ),
        (
            JobEnd(state="worker_error", end_time_ns=NOON, error=JobError(message="m")),
            '{"status":"worker_error","end_time":"2026-11-26T12:00:00.5Z","error":{"message":"m"}}',
        ),
    ],
)
def test_an_end_reads_as_it_was_written(end: JobEnd, text: str) -> None:
    assert dump_end(end).decode() == text
    assert parse_end(text.encode()) == end


def test_progress_reads_as_it_was_written() -> None:
    progress = JobProgress(worker_counts={"ready": 2, "failed": 0}, progress={"items_total": 10, "rate": 2.5})
    text = dump_progress(progress).decode()
    assert text == (
        '{"worker_counts":{"ready":2},"progress":{"items_total":10,"items_done":null,"items_failed":null,'
        '"batches_total":null,"batches_done":null,"rate":2.5,"eta_seconds":null}}'
    )
    found = parse_progress(text.encode())
    assert found.worker_counts is not None
    assert {name: count for name, count in found.worker_counts.items() if count} == {"ready": 2}
    assert found.progress == dict.fromkeys(PROGRESS_FIELDS) | {"items_total": Number("10"), "rate": Number("2.5")}
    assert dump_progress(found).decode() == text
    assert dump_progress(JobProgress(progress={})).startswith(b'{"progress":{"items_total":null')


def test_metrics_of_cortex_are_read() -> None:
    assert parse_metrics(b'{"succeeded":2,"failed":1,"average_time_per_batch":0.25}') == {
        "succeeded": Number("2"),
        "failed": Number("1"),
        "average_time_per_batch": Number("0.25"),
    }
    assert parse_metrics(b'{"failed":"x"}') == {"succeeded": 0, "failed": 0, "average_time_per_batch": None}


@pytest.mark.parametrize(
    "text",
    [b"", b"[]", b"\xff", b'{"status":"running","end_time":"2026-11-26T12:00:00Z"}', b'{"status":"succeeded"}', b"{}"],
)
def test_what_is_no_end_is_an_error(text: bytes) -> None:
    with pytest.raises(InvalidDocumentError):
        parse_end(text)


def test_other_types_are_as_if_the_field_were_not_there() -> None:
    found = parse_progress(b'{"worker_counts":{"ready":"2","failed":-1,"pending":3},"progress":[1]}')
    assert found.worker_counts is not None
    assert sum(found.worker_counts.values()) == 3
    assert set(found.progress.values()) == {None}
    end = parse_end(b'{"status":"stopped","end_time":"2026-11-26T12:00:00Z","error":{"source":1,"offset":"x"}}')
    assert end.error == JobError(message="")
