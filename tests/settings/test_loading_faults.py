from __future__ import annotations

import pytest

from tests.settings.environments import ASYNC, BATCH, faults, load, without


def test_every_fault_is_reported_at_once() -> None:
    environ = {
        "DEQUEUER_QUEUE_URL": "my-queue",
        "DEQUEUER_WORKERS": "0",
        "DEQUEUER_ADMIN_PORT": "8080",
        "DEQUEUER_WORKRES": "1",
        "CORTEX_LOG_LEVEL": "loud",
    }
    told = faults(["--api-name=a/b", "--bogus", "--job-id"], environ)
    starts = {
        "--bogus: unknown flag",
        "--job-id: has no value",
        "DEQUEUER_WORKRES: unknown variable (did you mean DEQUEUER_WORKERS?)",
        '--api-name (or DEQUEUER_API_NAME): "a/b" is not allowed; allowed: a letter or digit, then',
        'DEQUEUER_QUEUE_URL (or --queue): "my-queue" is not allowed; allowed: the URL of a queue',
        'DEQUEUER_WORKERS (or --workers): "0" is not allowed; allowed: a whole number from 1 to 1000',
        'CORTEX_LOG_LEVEL: "loud" is not allowed; allowed: debug, info',
        "DEQUEUER_API_KIND (or --api-kind): is missing; allowed: AsyncAPI, BatchAPI",
        "DEQUEUER_ADMIN_PORT (or --admin-port): 8080 is the port of the container as well",
    }
    assert len(told) == len(starts)
    assert {start for start in starts if any(fault.startswith(start) for fault in told)} == starts


def test_what_was_given_is_clipped_and_printable() -> None:
    (fault,) = faults([], ASYNC | {"DEQUEUER_WORKERS": "\x1b[31m" + "9" * 100_000})
    assert fault.isprintable()
    assert len(fault) < 600


def test_credentials_of_a_url_are_not_repeated() -> None:
    told = faults([], ASYNC | {"DEQUEUER_QUEUE_URL": "https://me:s3cret@host/q", "AWS_ENDPOINT_URL": "http://s3cret@a"})
    assert len(told) == 2
    assert "s3cret" not in "".join(told)


@pytest.mark.parametrize(
    ("environ", "missing"),
    [
        ({}, ["DEQUEUER_API_KIND", "DEQUEUER_API_NAME", "DEQUEUER_QUEUE_URL"]),
        (without(ASYNC, "DEQUEUER_CLUSTER_UID"), ["DEQUEUER_CLUSTER_UID"]),
        (without(ASYNC, "DEQUEUER_BUCKET"), ["DEQUEUER_BUCKET"]),
        (without(BATCH, "DEQUEUER_JOB_ID"), ["DEQUEUER_JOB_ID"]),
        (without(BATCH, "DEQUEUER_API_NAME", "DEQUEUER_JOB_ID"), ["DEQUEUER_API_NAME", "DEQUEUER_JOB_ID"]),
    ],
)
def test_what_is_missing_depends_on_the_kind(environ: dict[str, str], missing: list[str]) -> None:
    told = faults([], environ)
    assert all("is missing" in fault for fault in told)
    assert [fault.split(" ")[0].rstrip(":") for fault in told] == missing


def test_a_job_id_contradicts_an_async_api() -> None:
    (fault,) = faults(["--job-id=j"], ASYNC)
    assert "--job-id" in fault
    assert "DEQUEUER_API_KIND" in fault


def test_a_cluster_uid_does_not_contradict_a_batch_api() -> None:
    assert load(["--cluster-uid=c"], BATCH).cluster_uid == "c"


@pytest.mark.parametrize("argv", [["--admin-port=8080"], ["--user-port=15000"], ["--user-port=1", "--admin-port=1"]])
def test_two_servers_cannot_have_one_port(argv: list[str]) -> None:
    (fault,) = faults(argv, BATCH)
    assert "is the port of the container as well" in fault


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DEQUEUER_REQUEST_TIMEOUT", "0"),
        ("DEQUEUER_REQUEST_TIMEOUT", "42900.1"),
        ("DEQUEUER_VISIBILITY_TIMEOUT", "1"),
        ("DEQUEUER_VISIBILITY_TIMEOUT", "2.5"),
        ("DEQUEUER_POLL_WAIT", "0"),
        ("DEQUEUER_POLL_WAIT", "21"),
        ("DEQUEUER_SHUTDOWN_GRACE", "-1"),
        ("DEQUEUER_MAX_ATTEMPTS", "0"),
        ("DEQUEUER_RETRY_STATUSES", "200"),
        ("DEQUEUER_RESULT_RETENTION_DAYS", "3651"),
        ("DEQUEUER_MAX_RESULT_BYTES", "0"),
        ("DEQUEUER_STATSD_ADDRESS", "host"),
        ("DEQUEUER_API_KIND", "RealtimeAPI"),
        ("CORTEX_PORT", "http"),
        ("AWS_ENDPOINT_URL_S3", "localhost:4566"),
        ("DEQUEUER_AWS_CLIENT", "boto3"),
    ],
)
def test_a_bad_value_is_a_fault_that_names_it(name: str, value: str) -> None:
    (fault,) = faults([], ASYNC | {name: value})
    assert fault.startswith(name)
    assert f'"{value}" is not allowed' in fault


JOB = {"DEQUEUER_BUCKET": "my-bucket", "DEQUEUER_CLUSTER_UID": "cluster-1"}


@pytest.mark.parametrize("given", ["s3", "b/p", "s3://-b", "s3:///p", "s3://bucket/a\nb", "s3://bucket/\u00e4"])
def test_an_output_that_is_no_path_is_a_fault(given: str) -> None:
    (fault,) = faults([], BATCH | JOB | {"DEQUEUER_OUTPUT": given})
    assert fault.startswith("DEQUEUER_OUTPUT: ")


def test_the_objects_of_a_job_need_their_place() -> None:
    for given in ({"DEQUEUER_OUTPUT": "s3://b/p"}, {"DEQUEUER_WORKER_ID": "w"}):
        (fault,) = faults([], BATCH | given)
        assert fault.startswith(next(iter(given)))
        assert "DEQUEUER_BUCKET" in fault
        assert "DEQUEUER_CLUSTER_UID" in fault
        told = faults([], BATCH | JOB | given | {"DEQUEUER_API_NAME": "My_api", "DEQUEUER_JOB_ID": "j.1"})
        assert len(told) == 2
        assert all("cannot be part of the keys of a job" in one for one in told)
        assert load([], BATCH | JOB | given).has_job_objects


def test_without_an_output_and_a_worker_id_a_batch_sidecar_has_no_objects() -> None:
    names = {"DEQUEUER_API_NAME": "My_api", "DEQUEUER_JOB_ID": "j.1"}
    assert not load([], BATCH | JOB | names).has_job_objects


def test_batches_have_no_progress() -> None:
    (fault,) = faults([], BATCH | {"DEQUEUER_PROGRESS": "true"})
    assert fault.startswith("DEQUEUER_PROGRESS: is for async APIs")
    assert not load([], BATCH | {"DEQUEUER_PROGRESS": "false"}).progress


def test_jobs_and_other_queues_are_not_paused_here() -> None:
    (fault,) = faults([], BATCH | {"DEQUEUER_PAUSE_CHECK_INTERVAL": "5"})
    assert fault.startswith("DEQUEUER_PAUSE_CHECK_INTERVAL: is for async APIs")
    assert not load([], BATCH | {"DEQUEUER_PAUSE_CHECK_INTERVAL": "0"}).pause_check_interval_s


def test_an_output_contradicts_an_async_api() -> None:
    (fault,) = faults([], ASYNC | {"DEQUEUER_OUTPUT": "s3://b/p"})
    assert "is for batch APIs" in fault
