from __future__ import annotations

import io
import sys
from dataclasses import FrozenInstanceError
from pathlib import Path

import pytest

from dequeuer.settings import AwsSettings, LogSettings, SidecarSettings, load_gateway
from dequeuer.settings.auto_workers import AutoWorkers
from dequeuer.settings.pod import PodSettings
from dequeuer.settings.queue_kind import QueueSettings
from tests.settings.environments import ASYNC, BATCH, GATEWAY, faults, load


def test_the_defaults_are_those_of_the_contract() -> None:
    assert load([], ASYNC) == SidecarSettings(
        api_kind="async",
        api_name="my-api",
        queue_url="https://sqs.us-west-2.amazonaws.com/123456789012/my-queue",
        queue_urls=(),
        cluster_uid="cluster-1",
        bucket="my-bucket",
        job_id="",
        user_host=None,
        user_port=8080,
        container_keepalive=True,
        admin_hosts=("0.0.0.0", "::"),
        admin_port=15000,
        workers=1,
        probes_path="/cortex/spec/probes.json",
        statsd_address=None,
        request_timeout_s=39600,
        max_attempts=5,
        retry_statuses=frozenset({429, 503}),
        visibility_timeout_s=30,
        shutdown_grace_s=55,
        result_retention_days=7,
        max_result_bytes=256 * 2**20,
        poll_wait_s=20,
        in_progress_after_s=1,
        cancel_check_interval_s=5,
        pause_check_interval_s=0,
        progress=False,
        completion_delay_s=10,
        aws=AwsSettings(
            region="us-west-2", endpoint_url=None, endpoint_url_sqs=None, endpoint_url_s3=None, client="auto"
        ),
        log=LogSettings(level="info", format="json"),
        queue=QueueSettings(),
        pod=PodSettings(),
    )


def test_batch_needs_no_bucket() -> None:
    settings = load([], BATCH)
    assert (settings.api_kind, settings.job_id) == ("batch", "69b183ed6bdf3e9b")
    assert (settings.bucket, settings.cluster_uid) == ("", "")


def test_the_grace_is_below_that_of_cortex_s_pods_of_each_kind() -> None:
    assert load([], ASYNC).shutdown_grace_s == 55
    assert load([], BATCH).shutdown_grace_s == 25
    for environ in (ASYNC, BATCH):
        assert load([], environ | {"DEQUEUER_SHUTDOWN_GRACE": "0"}).shutdown_grace_s == 0


def test_the_flags_are_those_of_cortex(tmp_path: Path) -> None:
    config = tmp_path / "cluster.yaml"
    config.write_text("region: eu-central-1\nbucket: b-1\n")
    argv = ["--cluster-config", str(config), "--cluster-uid", "uid", "--probes-path", "/p.json"]
    argv += ["--queue", "https://sqs.us-west-2.amazonaws.com/1/q", "--api-kind", "BatchAPI", "--api-name", "a"]
    argv += ["--job-id", "j", "--user-port", "9000", "--statsd-address", "statsd.ns:9125", "--admin-port", "15001"]
    settings = load([*argv, "--workers", "100"], {})
    assert settings.queue_url == "https://sqs.us-west-2.amazonaws.com/1/q"
    assert (settings.api_kind, settings.api_name, settings.job_id) == ("batch", "a", "j")
    assert (settings.cluster_uid, settings.bucket, settings.probes_path) == ("uid", "b-1", "/p.json")
    assert (settings.user_port, settings.admin_port, settings.workers) == (9000, 15001, 100)
    assert settings.statsd_address == ("statsd.ns", 9125)
    assert settings.aws.region == "eu-central-1"


def test_each_variable_ends_up_in_its_field() -> None:
    environ = ASYNC | {
        "DEQUEUER_API_KIND": "async",
        "DEQUEUER_USER_HOST": "10.0.0.7",
        "DEQUEUER_USER_PORT": "1",
        "DEQUEUER_CONTAINER_KEEPALIVE": "False",
        "DEQUEUER_ADMIN_HOST": "127.0.0.1, ::1",
        "DEQUEUER_ADMIN_PORT": "2",
        "DEQUEUER_WORKERS": "3",
        "DEQUEUER_PROBES_PATH": "/p",
        "DEQUEUER_STATSD_ADDRESS": "[::1]:4",
        "DEQUEUER_REQUEST_TIMEOUT": "0.5",
        "DEQUEUER_MAX_ATTEMPTS": "6",
        "DEQUEUER_RETRY_STATUSES": "500, 502",
        "DEQUEUER_VISIBILITY_TIMEOUT": "7",
        "DEQUEUER_SHUTDOWN_GRACE": "8.5",
        "DEQUEUER_RESULT_RETENTION_DAYS": "9",
        "DEQUEUER_MAX_RESULT_BYTES": "10KiB",
        "DEQUEUER_POLL_WAIT": "11",
        "DEQUEUER_IN_PROGRESS_AFTER": "0",
        "DEQUEUER_CANCEL_CHECK_INTERVAL": "0",
        "DEQUEUER_PAUSE_CHECK_INTERVAL": "2.5",
        "DEQUEUER_PROGRESS": "true",
        "DEQUEUER_COMPLETION_DELAY": "12",
        "AWS_REGION": "eu-west-1",
        "AWS_ENDPOINT_URL": "http://a",
        "AWS_ENDPOINT_URL_SQS": "http://b",
        "AWS_ENDPOINT_URL_S3": "http://c",
        "DEQUEUER_AWS_CLIENT": "sdk",
        "DEQUEUER_LOG_LEVEL": "warn",
        "DEQUEUER_LOG_FORMAT": "console",
    }
    assert load([], environ) == SidecarSettings(
        api_kind="async",
        api_name="my-api",
        queue_url=ASYNC["DEQUEUER_QUEUE_URL"],
        queue_urls=(),
        cluster_uid="cluster-1",
        bucket="my-bucket",
        job_id="",
        user_host="10.0.0.7",
        user_port=1,
        container_keepalive=False,
        admin_hosts=("127.0.0.1", "::1"),
        admin_port=2,
        workers=3,
        probes_path="/p",
        statsd_address=("[::1]", 4),
        request_timeout_s=0.5,
        max_attempts=6,
        retry_statuses=frozenset({500, 502}),
        visibility_timeout_s=7,
        shutdown_grace_s=8.5,
        result_retention_days=9,
        max_result_bytes=10240,
        poll_wait_s=11,
        in_progress_after_s=0,
        cancel_check_interval_s=0,
        pause_check_interval_s=2.5,
        progress=True,
        completion_delay_s=12,
        aws=AwsSettings(
            region="eu-west-1",
            endpoint_url="http://a",
            endpoint_url_sqs="http://b",
            endpoint_url_s3="http://c",
            client="sdk",
        ),
        log=LogSettings(level="warning", format="console"),
        queue=QueueSettings(),
        pod=PodSettings(),
    )


def test_settings_stay_as_they_are() -> None:
    with pytest.raises(FrozenInstanceError):
        load([], ASYNC).workers = 2  # type: ignore[misc]  # that is the test


def test_a_flag_wins_over_a_variable_and_variables_have_an_order() -> None:
    both = ASYNC | {"DEQUEUER_USER_PORT": "1", "CORTEX_PORT": "2"}
    assert load(["--user-port=3"], both).user_port == 3
    assert load([], both).user_port == 1
    assert load([], ASYNC | {"CORTEX_PORT": "2"}).user_port == 2
    levels = {"CORTEX_LOG_LEVEL": "error", "DEQUEUER_LOG_LEVEL": "debug"}
    assert load([], ASYNC | levels).log.level == "error"


@pytest.mark.parametrize("blank", ["", " ", "\n"])
def test_a_blank_variable_is_not_set(blank: str) -> None:
    assert load([], ASYNC | {"DEQUEUER_USER_PORT": blank, "CORTEX_PORT": "2"}).user_port == 2
    assert load([], ASYNC | {"DEQUEUER_WORKERS": blank, "AWS_REGION": blank}).workers == 1
    assert "DEQUEUER_API_NAME (or --api-name): is missing" in faults([], ASYNC | {"DEQUEUER_API_NAME": blank})[0]


@pytest.mark.parametrize(
    ("given", "maximum"), [("auto", 100), ("AUTO", 100), ("auto:1", 1), ("auto:8", 8), ("auto:1000", 1000)]
)
def test_workers_can_be_left_to_the_sidecar(given: str, maximum: int) -> None:
    settings = load([], ASYNC | {"DEQUEUER_WORKERS": given})
    assert settings == load(["--workers", given], ASYNC)
    assert settings.workers == AutoWorkers(maximum=maximum)
    assert settings.max_workers == maximum
    assert load(["--workers", "7"], ASYNC).max_workers == 7


@pytest.mark.parametrize(
    "given", ["automatic", "auto:", "auto:0", "auto:1001", "auto:x", "auto 8", "8:auto", "0", "1001"]
)
def test_other_numbers_of_workers_are_refused(given: str) -> None:
    [fault] = faults([], ASYNC | {"DEQUEUER_WORKERS": given})
    allowed = "a whole number from 1 to 1000, or auto (at most 100), or auto:MAX"
    assert fault.startswith(f'DEQUEUER_WORKERS (or --workers): "{given}" is not allowed; allowed: {allowed}; ')


def test_no_retry_statuses_can_be_asked_for() -> None:
    assert load([], ASYNC | {"DEQUEUER_RETRY_STATUSES": ""}).retry_statuses == frozenset()


def test_white_space_around_a_value_is_dropped() -> None:
    # A file that a Secret or a ConfigMap was made of ends with a newline.
    assert load(["--user-port= 3 "], ASYNC | {"DEQUEUER_WORKERS": "2\n"}).workers == 2


def test_variables_of_the_gateway_are_no_faults_of_the_sidecar_and_the_other_way_round() -> None:
    assert load([], ASYNC | {"DEQUEUER_QUEUES": "x", "DEQUEUER_GATEWAY_PORT": "x"}).workers == 1
    assert load_gateway([], GATEWAY | {"DEQUEUER_WORKERS": "x"}).port == 8080


def test_service_links_have_no_effect() -> None:
    link = "tcp://10.0.0.1:80"
    environ = {"DEQUEUER_ADMIN_PORT": link, "DEQUEUER_USER_PORT": link, "CORTEX_PORT": link, "DEQUEUER_PORT": link}
    settings = load([], ASYNC | environ | {"DEQUEUER_SERVICE_HOST": "10.0.0.1"})
    assert (settings.admin_port, settings.user_port) == (15000, 8080)
    assert load([], ASYNC | {"DEQUEUER_USER_PORT": link, "CORTEX_PORT": "9000"}).user_port == 9000
    assert load_gateway([], GATEWAY | {"DEQUEUER_GATEWAY_PORT": link}).port == 8080


def test_help_is_no_setting() -> None:
    (fault,) = faults(["--help"], ASYNC)
    assert fault.startswith("--help")


def test_no_region_is_left_to_the_sdk() -> None:
    environ = ASYNC | {"DEQUEUER_QUEUE_URL": "http://127.0.0.1:4566/000000000000/q"}
    assert load([], environ).aws.region is None
    assert load([], environ | {"AWS_DEFAULT_REGION": "eu-west-1"}).aws.region == "eu-west-1"
    assert load([], environ | {"AWS_DEFAULT_REGION": "eu-west-1", "AWS_REGION": "eu-west-2"}).aws.region == "eu-west-2"


def test_the_endpoint_of_a_service_wins() -> None:
    aws = load([], ASYNC | {"AWS_ENDPOINT_URL": "http://a", "AWS_ENDPOINT_URL_SQS": "http://b"}).aws
    assert (aws.sqs_endpoint, aws.s3_endpoint) == ("http://b", "http://a")
    aws = load([], ASYNC | {"AWS_ENDPOINT_URL_S3": "http://c"}).aws
    assert (aws.sqs_endpoint, aws.s3_endpoint) == (None, "http://c")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_people_get_text_and_machines_get_json(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", Terminal())
    assert load([], ASYNC).log.format == "console"
    assert load([], ASYNC | {"DEQUEUER_LOG_FORMAT": "json"}).log.format == "json"
    monkeypatch.setattr(sys, "stdout", None)
    assert load([], ASYNC).log.format == "json"


@pytest.mark.parametrize("host", ["127.0.0.2", "::1", "fe80::1", "localhost", "web", "web-1.ns.svc.cluster.local"])
def test_the_container_may_be_at_another_host(host: str) -> None:
    assert load([], ASYNC | {"DEQUEUER_USER_HOST": host}).user_host == host


@pytest.mark.parametrize("host", ["http://web", "web:8080", "[::1]", "a b", "1.2.3", "a..b", "127.0.0.1, ::1"])
def test_what_is_no_host_of_a_container(host: str) -> None:
    [fault] = faults([], ASYNC | {"DEQUEUER_USER_HOST": host})
    assert fault.startswith("DEQUEUER_USER_HOST: ")
    assert "an IP address or a host name" in fault


@pytest.mark.parametrize("text", ["no", "0", "off", "tru"])
def test_keep_alive_is_true_or_false(text: str) -> None:
    [fault] = faults([], ASYNC | {"DEQUEUER_CONTAINER_KEEPALIVE": text})
    assert fault.startswith("DEQUEUER_CONTAINER_KEEPALIVE: ")
    assert "true or false" in fault
