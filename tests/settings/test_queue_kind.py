from __future__ import annotations

import pytest

from dequeuer.jobs.s3_path import S3Path
from dequeuer.settings.queue_kind import QueueSettings
from tests.settings.environments import ASYNC, BATCH, QUEUE, faults, load


@pytest.mark.parametrize("kind", ["queue", "Queue", "QUEUE"])
def test_any_queue_needs_its_address_and_a_name_alone(kind: str) -> None:
    settings = load([], QUEUE | {"DEQUEUER_API_KIND": kind})
    assert (settings.api_kind, settings.bucket, settings.cluster_uid, settings.store_bucket) == ("queue", "", "", "")
    assert settings.shutdown_grace_s == 55
    assert settings.queue == QueueSettings(
        path="/",
        takes_paths=False,
        content_type="application/json",
        body_format="raw",
        payload_buckets=(),
        deletes_payloads=False,
        results=None,
    )
    assert settings.queue.buckets == ()


def test_what_is_missing_is_told() -> None:
    assert [fault.split(" ", 1)[0] for fault in faults([], {"DEQUEUER_API_KIND": "queue"})] == [
        "DEQUEUER_API_NAME",
        "DEQUEUER_QUEUE_URL",
    ]


def test_each_variable_ends_up_in_its_field() -> None:
    settings = load(
        [],
        QUEUE
        | {
            "DEQUEUER_QUEUE_PATH": "/work?x=1",
            "DEQUEUER_QUEUE_MESSAGE_PATHS": "true",
            "DEQUEUER_QUEUE_CONTENT_TYPE": "text/plain; charset=utf-8",
            "DEQUEUER_QUEUE_FORMAT": "S3-events",
            "DEQUEUER_QUEUE_PAYLOAD_BUCKETS": "payloads, more-payloads",
            "DEQUEUER_QUEUE_DELETE_PAYLOADS": "true",
            "DEQUEUER_QUEUE_RESULTS": "s3://results/a/",
        },
    )
    assert settings.queue == QueueSettings(
        path="/work?x=1",
        takes_paths=True,
        content_type="text/plain; charset=utf-8",
        body_format="s3-events",
        payload_buckets=("payloads", "more-payloads"),
        deletes_payloads=True,
        results=S3Path("results", "a/"),
    )
    assert settings.queue.buckets == ("results", "payloads", "more-payloads")
    assert settings.store_bucket == "results"


def test_a_bucket_of_other_kinds_is_not_used() -> None:
    assert load([], QUEUE | {"DEQUEUER_BUCKET": "b-1"}).store_bucket == ""
    assert load([], ASYNC).store_bucket == "my-bucket"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PATH", "work"),
        ("PATH", "/a b"),
        ("PATH", "/a#b"),
        ("PATH", "/ä"),
        ("PATH", "/a\r\nHost: evil"),
        ("MESSAGE_PATHS", "maybe"),
        ("CONTENT_TYPE", "json"),
        ("CONTENT_TYPE", "text/plain\r\nHost: evil"),
        ("FORMAT", "sqs"),
        ("PAYLOAD_BUCKETS", "a-b,A_B"),
        ("PAYLOAD_BUCKETS", "a-b,a-b"),
        ("PAYLOAD_BUCKETS", "*"),
        ("PAYLOAD_BUCKETS", "arn:aws:s3:us-west-2:123456789012:accesspoint/a"),
        ("DELETE_PAYLOADS", "true"),
        ("RESULTS", "bucket/prefix"),
    ],
)
def test_a_value_that_is_not_allowed_is_a_fault(name: str, value: str) -> None:
    [fault] = faults([], QUEUE | {f"DEQUEUER_QUEUE_{name}": value})
    assert fault.startswith(f"DEQUEUER_QUEUE_{name}: ")
    assert "allowed: " in fault


@pytest.mark.parametrize("environ", [ASYNC, BATCH])
def test_options_of_any_queue_are_refused_for_other_kinds(environ: dict[str, str]) -> None:
    [fault] = faults([], environ | {"DEQUEUER_QUEUE_RESULTS": "s3://results/"})
    assert fault.startswith("DEQUEUER_QUEUE_RESULTS: is for any queue")


def test_options_of_jobs_are_refused() -> None:
    [fault] = faults([], QUEUE | {"DEQUEUER_JOB_ID": "j"})
    assert fault.startswith("DEQUEUER_JOB_ID (or --job-id): is for batch APIs, and the kind of this API is queue")
