"""Results of whole jobs, with every program as a process: read over HTTP, counted in the manifest."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from tests.integration.cloud import CLUSTER, Bucket, Cloud
from tests.integration.gateway_process import Gateway
from tests.integration.jobs.controller import Controller, Job
from tests.integration.waiting import eventually

SPEC = '{"job_id":"%s","api_name":"sum","kind":"BatchAPI","workers":1,"start_time":"2026-11-26T00:00:00Z","output":{"s3_path":"%s"}}'
FAILING = set(range(3, 1000, 10))
"""Items that the container names as failed; those that end in 7 it asks to try again."""


def submission(bucket: Bucket, output: Bucket, **config: Any) -> dict[str, Any]:
    return {
        "workers": 2,
        "item_list": {"items": list(range(1000)), "batch_size": 10},
        "config": {"bucket": bucket.name, "answers": "partly", **config},
        "output": {"s3_path": f"s3://{output.name}/out/"},
    }


def read(gateway: Gateway, job: Job, only: str = "") -> list[Any]:
    status, text = gateway.call(f"/batch/sum/results?jobID={job.id}{only and f'&only={only}'}")
    assert status == 200, text
    return [json.loads(line) for line in text.splitlines()]


def manifest(output: Bucket, job: Job) -> Any:
    """Return the manifest, after a look at every object that it names."""
    prefix = f"out/{job.id}/"
    found = json.loads(output.s3.get_object(Bucket=output.name, Key=f"{prefix}manifest.json")["Body"].read())
    for one in found["objects"]:
        body = output.s3.get_object(Bucket=output.name, Key=prefix + one["key"])["Body"].read()
        assert one["sha256"] == sha256(body).hexdigest()
        assert (one["size"], one["lines"]) == (len(body), body.count(b"\n"))
    return found


def test_results_come_in_order_and_the_manifest_has_all_of_them(
    cloud: Cloud, bucket: Bucket, gateway: Gateway, apis: Path
) -> None:
    output = cloud.bucket()
    with Controller(cloud, bucket, apis):
        job = Job(gateway, bucket, submission(bucket, output, takes=0.02))
        so_far = eventually(lambda: read(gateway, job), "the first results")
        assert [line["index"] for line in so_far] == sorted({line["index"] for line in so_far})
        status = job.wait_status("completed_with_failures")
        found = manifest(output, job)
        job.wait_over()
    lines = read(gateway, job)
    assert [line["index"] for line in lines] == list(range(1000))
    assert {line["index"] for line in lines if "error" in line} == FAILING
    assert all(line["result"] == 2 * line["index"] for line in lines if "result" in line)
    assert [line["index"] for line in read(gateway, job, "errors")] == sorted(FAILING)
    assert found["items"] == {"total": 1000, "succeeded": 900, "failed": 100, "missing": 0}
    assert found["batches"] == {"total": 100, "succeeded": 0, "failed": 100, "missing": 0}
    assert (found["status"], "error" in status) == ("completed_with_failures", False)
    assert status["progress"]["items_failed"] == 100


def test_batches_whose_workers_are_killed_at_their_last_receive_are_told(
    cloud: Cloud, bucket: Bucket, gateway: Gateway, apis: Path
) -> None:
    output, dead = cloud.bucket(), cloud.queue(fifo=True)
    attributes = cloud.sqs.get_queue_attributes(QueueUrl=dead.url, AttributeNames=["QueueArn"])["Attributes"]
    dead_letters = {"arn": attributes["QueueArn"], "max_receive_count": 1}
    body = submission(bucket, output, holds=500) | {"sqs_dead_letter_queue": dead_letters}
    with Controller(cloud, bucket, apis) as controller:
        job = Job(gateway, bucket, body)
        eventually(lambda: job.keys("output/held"), "the batch that is held")
        for sidecar in controller.children("-m", "dequeuer"):
            os.kill(sidecar, signal.SIGKILL)
        status = job.wait_status("completed_with_failures", "succeeded")
        found = manifest(output, job)
        job.wait_over()
    lost: list[int] = []
    while (message := dead.take()) is not None:
        lost += json.loads(message[0])
    lines = [line["index"] for line in read(gateway, job)]
    missing = set(range(1000)) - set(lines)
    assert len(lines) == len(set(lines))
    # A batch whose results were stored, but whose message was not deleted, is in the dead-letter queue, too.
    assert missing <= set(lost)
    assert set(range(500, 510)) <= missing
    assert found["items"]["missing"] == len(missing)
    assert any(first <= 50 <= last for first, last in found["missing_batches"]["ranges"])
    assert status["status"] == "completed_with_failures"
    assert attributes["QueueArn"] in status["error"]["message"]
    assert status["progress"]["items_failed"] == len(missing) + found["items"]["failed"]


def slow_client(gateway: Gateway, job_id: str) -> socket.socket:
    """Ask for results, and take the first bytes of them."""
    client = socket.create_connection(("127.0.0.1", gateway.port), timeout=60)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
    client.sendall(f"GET /sum/results?jobID={job_id} HTTP/1.1\r\nHost: gateway\r\n\r\n".encode())
    assert client.recv(17).startswith(b"HTTP/1.1 200")
    return client


def rest(client: socket.socket) -> bytes:
    """Return what still comes, until the connection ends."""
    received = bytearray()
    with client, contextlib.suppress(ConnectionError):
        while chunk := client.recv(1 << 20):
            received += chunk
    return bytes(received)


@pytest.fixture
def large_job(bucket: Bucket) -> str:
    """A job with 60 MB of results."""
    job_id = "67e3b0f1a2c4d5e6"
    prefix = f"{CLUSTER}/jobs/BatchAPI/0.42.1/sum/{job_id}/"
    text = SPEC % (job_id, f"s3://{bucket.name}/out")
    bucket.s3.put_object(Bucket=bucket.name, Key=f"{prefix}spec.json", Body=text.encode())
    bucket.s3.put_object(Bucket=bucket.name, Key=f"{prefix}succeeded", Body=b"")
    for batch in range(20):
        line = b'{"index":%d,"result":"%s"}\n' % (batch, b"x" * 3_000_000)
        bucket.s3.put_object(Bucket=bucket.name, Key=f"out/{job_id}/results/{batch:08}.jsonl", Body=line)
    return job_id


def test_a_gateway_that_drains_sends_the_results_that_it_has_begun(gateway: Gateway, large_job: str) -> None:
    client = slow_client(gateway, large_job)
    gateway.terminate()
    eventually(lambda: gateway.events("gateway_draining"), "the drain")
    received = rest(client)
    assert len(received) > 60_000_000
    assert received.endswith(b"\r\n0\r\n\r\n")
    assert gateway.wait() == 0


def test_results_of_a_gateway_that_is_killed_or_told_to_stop_at_once_do_not_look_whole(
    gateway: Gateway, large_job: str
) -> None:
    client = slow_client(gateway, large_job)
    gateway.terminate()
    eventually(lambda: gateway.events("gateway_draining"), "the drain")
    gateway.terminate()
    assert gateway.wait() == 1
    received = rest(client)
    assert len(received) < 60_000_000
    assert not received.endswith(b"\r\n0\r\n\r\n")
