"""Start and end of the process, and its messages when it is killed."""

from __future__ import annotations

import json
import select
import socket
import time
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path

import pytest

from tests.integration.cloud import Bucket, Cloud, Queue
from tests.integration.container import Container, Held
from tests.integration.servers import free_port, ministack
from tests.integration.sidecar import Sidecar, async_settings, batch_settings
from tests.integration.waiting import DEADLINE_S, eventually


def test_idle_it_ends_at_once(cloud: Cloud, queue: Queue, bucket: Bucket, container: Container) -> None:
    settings = async_settings(cloud, queue, bucket, container.port, DEQUEUER_POLL_WAIT="20")
    with Sidecar(settings) as sidecar:
        sidecar.wait_ready()
        eventually(lambda: sidecar.events("started"), "the start")
        sidecar.terminate()
        # Long before the end of the poll of 20 s; usually about one second.
        assert sidecar.wait(15) == 0


def test_sigterm_in_mid_request_finishes_it(cloud: Cloud, queue: Queue, bucket: Bucket, container: Container) -> None:
    container.reply = held = Held()
    with Sidecar(async_settings(cloud, queue, bucket, container.port)) as sidecar:
        request_id = bucket.submit(queue)
        eventually(lambda: container.requests, "the container to have the request")
        sidecar.terminate()
        eventually(lambda: sidecar.events("draining"), "the drain")
        late = bucket.submit(queue)
        held.release.set()
        assert sidecar.wait() == 0
    assert bucket.ended(request_id) == "completed"
    assert "payload" in bucket.names(late)
    assert len(container.requests) == 1
    assert queue.count() == 1


def test_a_hook_that_waits_for_the_drain_is_answered_when_the_last_request_is_finished(
    cloud: Cloud, queue: Queue, bucket: Bucket, container: Container
) -> None:
    container.reply = held = Held()
    with (
        Sidecar(async_settings(cloud, queue, bucket, container.port)) as sidecar,
        closing(HTTPConnection("127.0.0.1", sidecar.admin_port, timeout=DEADLINE_S)) as hook,
    ):
        request_id = bucket.submit(queue)
        eventually(lambda: container.requests, "the container to have the request")
        hook.request("GET", "/wait-for-drain")  # sent here: a thread could be too late, and find nobody
        sidecar.terminate()
        eventually(lambda: sidecar.events("draining"), "the drain")
        assert sidecar.get("/healthz") == (500, "unhealthy")
        assert not select.select([hook.sock], [], [], 0)[0]
        held.release.set()
        answer = hook.getresponse()
        assert (answer.status, answer.read()) == (200, b"drained\n")
        # The container may be stopped from now on.
        assert bucket.ended(request_id) == "completed"
        assert sidecar.wait() == 0


def test_drain_of_the_admin_port_ends_the_work_and_not_the_process(
    cloud: Cloud, queue: Queue, bucket: Bucket, container: Container
) -> None:
    with Sidecar(async_settings(cloud, queue, bucket, container.port)) as sidecar:
        sidecar.wait_ready()
        eventually(lambda: sidecar.events("started"), "the start")
        assert sidecar.get("/drain") == (200, "draining\n")
        assert sidecar.get("/wait-for-drain") == (200, "drained\n")
        bucket.submit(queue)
        assert sidecar.events("drained")
        assert sidecar.get("/livez") == (200, "alive")
        sidecar.terminate()
        assert sidecar.wait() == 0
    assert not container.requests
    assert queue.count() == 1


def test_when_the_grace_is_over_another_worker_has_it_at_once(
    cloud: Cloud, queue: Queue, bucket: Bucket, container: Container
) -> None:
    container.reply = held = Held()
    first = async_settings(
        cloud, queue, bucket, container.port, DEQUEUER_SHUTDOWN_GRACE="0.5", DEQUEUER_VISIBILITY_TIMEOUT="3600"
    )
    with Sidecar(first) as sidecar:
        request_id = bucket.submit(queue)
        eventually(lambda: container.requests, "the container to have the request")
        sidecar.terminate()
        assert sidecar.wait() == 0
        assert [line["settlement"] for line in sidecar.events("message_settled")] == ["released"]
    # The lease would have lasted for an hour.
    with Sidecar(async_settings(cloud, queue, bucket, container.port)):
        held.release.set()
        assert eventually(lambda: bucket.ended(request_id), "the request to end") == "completed"
    assert "status/failed" not in bucket.names(request_id)


@pytest.mark.parametrize("cloud", ["ministack", "fauxqs"], indirect=True)
@pytest.mark.parametrize("sigterms", [1, 2])
def test_a_running_long_poll_does_not_receive_messages_that_are_released(
    cloud: Cloud, queue: Queue, bucket: Bucket, container: Container, sigterms: int
) -> None:
    container.reply = held = Held()
    settings = async_settings(
        cloud,
        queue,
        bucket,
        container.port,
        DEQUEUER_WORKERS="3",
        DEQUEUER_POLL_WAIT="20",
        DEQUEUER_SHUTDOWN_GRACE="0.5" if sigterms == 1 else "30",
        DEQUEUER_VISIBILITY_TIMEOUT="3600",
    )
    with Sidecar(settings) as sidecar:
        request_id = bucket.submit(queue)
        eventually(lambda: container.requests, "the container to have the request")
        # Two slots are free, and a long poll is open, for long enough that the queue counts as quiet.
        time.sleep(1)
        for _ in range(sigterms):
            sidecar.terminate()
            eventually(lambda: sidecar.events("draining"), "the drain")
        sidecar.wait(15)
        assert [line["settlement"] for line in sidecar.events("message_settled")] == ["released"]
    held.release.set()
    # If it were received again and kept, or sent to the closed connection of the poll, it would be hidden for an hour.
    taken = eventually(queue.take, "the message to be visible again")
    assert taken[0] == request_id


def test_a_second_sigterm_skips_the_wait(cloud: Cloud, queue: Queue, bucket: Bucket, container: Container) -> None:
    container.reply = held = Held()
    with Sidecar(async_settings(cloud, queue, bucket, container.port)) as sidecar:
        bucket.submit(queue)
        eventually(lambda: container.requests, "the container to have the request")
        sidecar.terminate()
        eventually(lambda: sidecar.events("draining"), "the drain")
        sidecar.terminate()
        assert sidecar.wait(30) == 1
    held.release.set()
    assert eventually(queue.take, "the message to be visible again") is not None


def test_kill_in_mid_request_loses_nothing(cloud: Cloud, queue: Queue, bucket: Bucket, container: Container) -> None:
    container.reply = held = Held()
    # A stalled sidecar loses a shorter lease, and its request runs once more.
    settings = async_settings(cloud, queue, bucket, container.port, DEQUEUER_VISIBILITY_TIMEOUT="6")
    with Sidecar(settings) as sidecar:
        request_id = bucket.submit(queue)
        eventually(lambda: container.requests, "the container to have the request")
        sidecar.process.kill()
        assert sidecar.wait() == -9
    held.release.set()
    with Sidecar(settings):
        assert eventually(lambda: bucket.ended(request_id), "the request to end") == "completed"
    assert len(container.requests) == 2


def test_a_request_longer_than_its_lease_runs_once(
    cloud: Cloud, queue: Queue, bucket: Bucket, container: Container
) -> None:
    container.reply = held = Held()
    # A stalled sidecar renews late, and would lose a shorter lease.
    settings = async_settings(
        cloud, queue, bucket, container.port, DEQUEUER_VISIBILITY_TIMEOUT="8", DEQUEUER_WORKERS="2"
    )
    with Sidecar(settings) as sidecar:
        request_id = bucket.submit(queue)
        # Six renewals of a lease of eight seconds: three times its length.
        eventually(lambda: sidecar.metric('dequeuer_source_calls_total{error="none",op="renew"}') >= 6, "renewals")
        held.release.set()
        assert eventually(lambda: bucket.ended(request_id), "the request to end") == "completed"
        assert sidecar.metric("dequeuer_leases_lost_total") == 0
        assert "status/in_progress" in bucket.names(request_id)
    assert len(container.requests) == 1


def test_an_outage_of_aws_at_the_start_and_during_work(tmp_path: Path, container: Container) -> None:
    with ministack(tmp_path) as url:
        cloud = Cloud("ministack", url)
        queue, bucket = cloud.queue(), cloud.bucket()
    settings = async_settings(cloud, queue, bucket, container.port)
    with Sidecar(settings) as sidecar:
        eventually(lambda: sidecar.events("queue_unavailable"), "the outage to be logged")
        assert sidecar.process.poll() is None
        sidecar.terminate()
        assert sidecar.wait() == 0


def test_a_queue_that_does_not_exist(cloud: Cloud, queue: Queue, bucket: Bucket, container: Container) -> None:
    settings = async_settings(cloud, queue, bucket, container.port, DEQUEUER_QUEUE_URL=f"{queue.url}-gone")
    with Sidecar(settings) as sidecar:
        assert sidecar.wait() == 1
    assert any("DEQUEUER_QUEUE_URL" in line for line in sidecar.lines)


def test_a_queue_that_is_deleted_meanwhile(cloud: Cloud, queue: Queue, bucket: Bucket, container: Container) -> None:
    with Sidecar(async_settings(cloud, queue, bucket, container.port)) as sidecar:
        eventually(lambda: sidecar.events("started"), "the start")
        cloud.sqs.delete_queue(QueueUrl=queue.url)
        assert sidecar.wait() == 1
    assert any("does not exist" in line for line in sidecar.lines)


def test_a_bucket_that_does_not_exist(cloud: Cloud, queue: Queue, bucket: Bucket, container: Container) -> None:
    settings = async_settings(cloud, queue, bucket, container.port, DEQUEUER_BUCKET="no-such-bucket")
    request_id = bucket.submit(queue)
    with Sidecar(settings) as sidecar:
        assert sidecar.wait() == 1
    assert any("DEQUEUER_BUCKET" in line for line in sidecar.lines)
    assert queue.take() == (request_id, 1)


def test_all_bad_settings_are_reported_at_once(cloud: Cloud, queue: Queue, container: Container) -> None:
    settings = batch_settings(cloud, queue, container.port, DEQUEUER_WORKERS="zero", DEQUEUER_WORKRES="1")
    del settings["DEQUEUER_JOB_ID"]
    with Sidecar(settings) as sidecar:
        assert sidecar.wait() == 2
    text = "\n".join(sidecar.lines)
    for name in ("DEQUEUER_WORKERS", "DEQUEUER_WORKRES", "DEQUEUER_JOB_ID"):
        assert name in text


@pytest.mark.parametrize(
    ("probes", "text"),
    [
        ({"api": {"exec": {"command": ["true"]}}}, "exec"),
        ({"api": {"httpGet": {"port": 80}, "tcpSocket": {"port": 80}}}, "tcpSocket"),
        ({"api": {"periodSeconds": 1}}, "httpGet"),
        ({"api": {"tcpSocket": {"port": 80}, "periodSecond": 1}}, "periodSeconds"),
    ],
)
def test_bad_probes_are_a_configuration_error(
    cloud: Cloud, queue: Queue, bucket: Bucket, tmp_path: Path, probes: object, text: str
) -> None:
    file = tmp_path / "probes.json"
    file.write_text(json.dumps(probes), encoding="utf-8")
    settings = async_settings(cloud, queue, bucket, free_port(), DEQUEUER_PROBES_PATH=str(file))
    with Sidecar(settings) as sidecar:
        assert sidecar.wait() == 2
    assert text in "\n".join(sidecar.lines)


def test_cortex_s_command_line_works(
    cloud: Cloud, queue: Queue, bucket: Bucket, container: Container, tmp_path: Path
) -> None:
    file = tmp_path / "cluster.yaml"
    file.write_text(f"cluster_name: c\nregion: us-west-2\nbucket: {bucket.name}\n", encoding="utf-8")
    settings = async_settings(cloud, queue, bucket, container.port)
    kept = {name: value for name, value in settings.items() if name.startswith("AWS_") and name != "AWS_REGION"}
    arguments = [
        f"--cluster-config={file}", "--cluster-uid", "cluster-uid", "--probes-path", str(tmp_path / "none.json"),
        "--queue", queue.url, "--api-kind", "AsyncAPI", "--api-name", "api", "--user-port", str(container.port),
        "--statsd-address", "127.0.0.1:9125", "--workers", "2",
    ]  # fmt: skip
    with Sidecar(kept, *arguments):
        request_id = bucket.submit(queue)
        assert eventually(lambda: bucket.ended(request_id), "the request to end") == "completed"


@pytest.mark.parametrize("client", ["slim", "sdk"])
def test_sigterm_while_the_credentials_are_looked_for(
    cloud: Cloud, queue: Queue, bucket: Bucket, container: Container, client: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        settings = async_settings(
            cloud,
            queue,
            bucket,
            container.port,
            DEQUEUER_AWS_CLIENT=client,
            AWS_EC2_METADATA_DISABLED="false",
            AWS_EC2_METADATA_SERVICE_ENDPOINT=f"http://127.0.0.1:{silent.getsockname()[1]}/",
            AWS_METADATA_SERVICE_TIMEOUT="60",
            AWS_CONFIG_FILE="/dev/null",
            AWS_SHARED_CREDENTIALS_FILE="/dev/null",
        )
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            del settings[name]
        with Sidecar(settings) as sidecar:
            silent.settimeout(DEADLINE_S)
            with silent.accept()[0]:
                sidecar.terminate()
                assert sidecar.wait(30) == 0
