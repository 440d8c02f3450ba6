"""Credentials of pods, with real processes: IRSA, pod identity and IMDS without the SDK."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.proc import cpu_s
from tests.aws.credentials.server import NEVER, Server, assumed, found, imds, instant, serving
from tests.integration.cloud import KEYS, Bucket, Cloud, Queue
from tests.integration.container import Container, Reply
from tests.integration.sidecar import ROOT, Sidecar, async_settings
from tests.integration.waiting import eventually

RECORD_MODULES = """
import atexit, os, sys
atexit.register(lambda: open(os.environ["MODULES"], "w").write("\\n".join(sys.modules)))
"""


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as running:
        running.answer("POST /", (200, assumed()))
        running.answer("GET /v1/credentials", (200, found()))
        imds(running)
        yield running


def role(kind: str, server: Server, folder: Path) -> dict[str, str]:
    """Return the variables that Kubernetes sets in the pod; none for IMDS."""
    (folder / "token").write_text("identity-token", encoding="utf-8")
    return {
        "web_identity": {
            "AWS_ROLE_ARN": "arn:aws:iam::123456789012:role/api",
            "AWS_WEB_IDENTITY_TOKEN_FILE": str(folder / "token"),
            "AWS_ENDPOINT_URL_STS": server.url,
        },
        "container": {
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{server.url}/v1/credentials",
            "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": str(folder / "token"),
        },
        "imds": {"AWS_EC2_METADATA_DISABLED": "false", "AWS_EC2_METADATA_SERVICE_ENDPOINT": server.url},
    }[kind]


def slim_settings(cloud: Cloud, queue: Queue, bucket: Bucket, port: int, **more: str) -> dict[str, str]:
    """Return settings with the slim clients: `DEQUEUER_AWS_CLIENT` of the run may name those of the SDK."""
    return async_settings(cloud, queue, bucket, port, **{"DEQUEUER_AWS_CLIENT": "slim", **more})


def without_keys(settings: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in settings.items() if name not in KEYS}


def finish(bucket: Bucket, queue: Queue) -> None:
    """Submit a request and wait for its success."""
    request = bucket.submit(queue)
    assert eventually(lambda: bucket.ended(request), "the request to end") == "completed"


@pytest.mark.parametrize("kind", ["web_identity", "container", "imds"])
def test_a_sidecar_with_a_role_works_without_the_sdk(
    kind: str, cloud: Cloud, queue: Queue, bucket: Bucket, container: Container, server: Server, tmp_path: Path
) -> None:
    (tmp_path / "sitecustomize.py").write_text(RECORD_MODULES, encoding="utf-8")
    settings = slim_settings(cloud, queue, bucket, container.port, **role(kind, server, tmp_path))
    settings |= {
        "PYTHONPATH": f"{ROOT}:{tmp_path}",
        "MODULES": str(tmp_path / "modules"),
        "DEQUEUER_AWS_CLIENT": "auto",
    }
    requests = [bucket.submit(queue) for _ in range(10)]
    with Sidecar(without_keys(settings)) as sidecar:
        eventually(lambda: all(bucket.ended(request) == "completed" for request in requests), "all to be completed")
        assert [line["provider"] for line in sidecar.events("credentials_found")] == [kind]
        expires_at = sidecar.metric(f'dequeuer_credentials_expiry_timestamp_seconds{{provider="{kind}"}}')
        assert 3000 < expires_at - time.time() < 7 * 3600
        assert sidecar.metric(f'dequeuer_credentials_refresh_errors_total{{provider="{kind}"}}') == 0
        sidecar.terminate()
        assert sidecar.wait() == 0
    modules = {name.partition(".")[0] for name in (tmp_path / "modules").read_text(encoding="utf-8").split()}
    assert "dequeuer" in modules
    assert not modules & {"botocore", "aiobotocore", "boto3"}
    assert not [line for line in sidecar.lines if "secret" in line or "identity-token" in line or "ASIA" in line]


def test_a_profile_uses_the_sdk_and_the_log_has_the_reason(
    cloud: Cloud, queue: Queue, bucket: Bucket, container: Container, tmp_path: Path
) -> None:
    config = tmp_path / "credentials"
    config.write_text("[default]\naws_access_key_id = test\naws_secret_access_key = test\n", encoding="utf-8")
    settings = slim_settings(cloud, queue, bucket, container.port, AWS_SHARED_CREDENTIALS_FILE=str(config))
    request = bucket.submit(queue)
    with Sidecar(without_keys(settings)) as sidecar:
        eventually(lambda: bucket.ended(request) == "completed", "the request to end")
        [line] = sidecar.events("credentials_found")
        assert (line["provider"], line["reason"]) == ("sdk", f"{config} has a default profile")


def test_an_sts_that_hangs_stops_nothing_while_the_keys_are_valid_for_nine_minutes(
    cloud: Cloud, queue: Queue, bucket: Bucket, container: Container, server: Server, tmp_path: Path
) -> None:
    server.answer("POST /", (200, assumed(instant(540))), NEVER)
    settings = slim_settings(cloud, queue, bucket, container.port, **role("web_identity", server, tmp_path))
    with Sidecar(without_keys(settings)) as sidecar:
        # The SDK's chain is called every 15 s, and renews keys that expire within ten minutes: a call that waits for that
        # renewal has no end here.
        until = time.monotonic() + 18
        eventually(lambda: sidecar.events("started"), "the start")
        while time.monotonic() < until:
            finish(bucket, queue)
        # No request can have waited for STS, because STS was not asked again.
        assert len(server.requests) == 1
        assert not sidecar.events("queue_unavailable") + sidecar.events("store_unavailable")


def test_a_renewal_that_hangs_is_logged_and_work_stops_only_while_the_keys_are_expired(
    cloud: Cloud, queue: Queue, bucket: Bucket, container: Container, server: Server, tmp_path: Path
) -> None:
    server.answer("POST /", (200, assumed(instant(60))), NEVER)
    settings = slim_settings(cloud, queue, bucket, container.port, **role("web_identity", server, tmp_path))
    with Sidecar(without_keys(settings)) as sidecar:
        eventually(lambda: sidecar.events("credentials_renewal_failing"), "the failure to be logged", 60)
        [line] = sidecar.events("credentials_renewal_failing")
        assert (line["provider"], line["level"]) == ("web_identity", "warning")
        assert line["valid_for_s"] > 0
        finish(bucket, queue)
        server.answer("POST /", (200, assumed()))
        eventually(lambda: sidecar.events("credentials_renewed"), "the recovery to be logged", 60)
        assert sidecar.metric('dequeuer_credentials_refresh_errors_total{provider="web_identity"}') >= 1
        finish(bucket, queue)
        sidecar.terminate()
        assert sidecar.wait() == 0


@pytest.mark.parametrize(
    ("environment", "status", "text"),
    [
        (
            {"AWS_EC2_METADATA_DISABLED": "false", "AWS_EC2_METADATA_SERVICE_ENDPOINT": "http://127.0.0.1:1"},
            1,
            "IMDS (127.0.0.1:1) returned none",
        ),
        ({"AWS_EC2_METADATA_DISABLED": "true"}, 1, "IMDS is switched off"),
        ({"AWS_WEB_IDENTITY_TOKEN_FILE": "/x"}, 2, "AWS_ROLE_ARN: not set"),
        ({"AWS_ACCESS_KEY_ID": "AKID"}, 2, "AWS_SECRET_ACCESS_KEY: not set"),
        ({"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://10.0.0.1/"}, 2, "AWS_CONTAINER_CREDENTIALS_FULL_URI: http://"),
    ],
)
def test_without_credentials_the_process_ends_soon_with_the_reason(
    environment: dict[str, str],
    status: int,
    text: str,
    cloud: Cloud,
    queue: Queue,
    bucket: Bucket,
    container: Container,
) -> None:
    settings = without_keys(slim_settings(cloud, queue, bucket, container.port))
    with Sidecar(settings | environment | {"DEQUEUER_AWS_CLIENT": "auto"}) as sidecar:
        assert sidecar.wait(30) == status
    assert text in "\n".join(sidecar.lines)


def test_a_role_costs_next_to_no_memory_with_a_hundred_workers(
    cloud: Cloud, queue: Queue, bucket: Bucket, container: Container, server: Server, tmp_path: Path
) -> None:
    def peak_mib(**more: str) -> float:
        container.most_running = 0
        requests = [bucket.submit(queue, b"x" * 1024) for _ in range(300)]
        settings = slim_settings(cloud, queue, bucket, container.port, DEQUEUER_WORKERS="100", **more)
        with Sidecar(without_keys(settings) if more else settings) as sidecar:
            eventually(lambda: sidecar.metric('dequeuer_messages_total{settlement="completed"}') == 300, "results", 120)
            peak = sidecar.peak_mib()
            sidecar.terminate()
            assert sidecar.wait() == 0
        assert len(requests) == 300
        assert container.most_running == 100
        return peak

    def reply(_request: object) -> Reply:
        # No response is sent before all workers are busy at the same time.
        eventually(lambda: container.most_running == 100, "all workers to be busy")
        return Reply()

    container.reply = reply
    keys = peak_mib()
    irsa = peak_mib(**role("web_identity", server, tmp_path))
    assert irsa - keys < 5


def test_a_role_does_not_delay_the_start(
    cloud: Cloud, queue: Queue, bucket: Bucket, container: Container, server: Server, tmp_path: Path
) -> None:
    def start_s(**more: str) -> float:
        settings = slim_settings(cloud, queue, bucket, container.port, **more)
        with Sidecar(without_keys(settings) if more else settings) as sidecar:
            eventually(lambda: sidecar.events("started"), "the start")
            return cpu_s(sidecar.process.pid)

    # CPU, not time: the role is fetched from this machine, so what could delay the start is work; the SDK's is 0.3 s.
    with_role = role("web_identity", server, tmp_path)
    pairs = [(start_s(), start_s(**with_role)) for _ in range(5)]
    assert statistics.median(irsa - keys for keys, irsa in pairs) < 0.15
