"""Jobs through the gateway, as a client and whoever runs them see it: submitted, stored, reported, stopped."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.integration.cloud import CLUSTER, Bucket, Cloud
from tests.integration.gateway_process import Gateway

APIS = """
- name: sum
  kind: BatchAPI
  networking: {endpoint: /v1/sum}
  pod: {containers: [{name: api, image: sum, command: [python, main.py]}]}
- name: train
  kind: TaskAPI
  pod: {containers: [{name: api, image: train, command: [python, train.py]}]}
"""
ITEMS = {"workers": 2, "item_list": {"items": [1.50, "<a>", {"b": 12345678901234567890}], "batch_size": 2}}
BATCH = f"{CLUSTER}/jobs/BatchAPI/0.42.1/sum/"


@pytest.fixture
def gateway(cloud: Cloud, bucket: Bucket, tmp_path: Path) -> Iterator[Gateway]:
    apis = tmp_path / "cortex.yaml"
    apis.write_text(APIS)
    with Gateway(cloud.url, bucket, "", apis=apis) as running:
        running.wait_started()
        yield running


def objects(bucket: Bucket, prefix: str = f"{CLUSTER}/jobs/") -> dict[str, bytes]:
    """Return the objects below a prefix."""
    listed = bucket.s3.list_objects_v2(Bucket=bucket.name, Prefix=prefix).get("Contents", [])
    return {entry["Key"]: bucket.s3.get_object(Bucket=bucket.name, Key=entry["Key"])["Body"].read() for entry in listed}


def put(bucket: Bucket, key: str, body: bytes = b"") -> None:
    bucket.s3.put_object(Bucket=bucket.name, Key=key, Body=body)


def submit(gateway: Gateway, body: Any, path: str = "/batch/sum") -> tuple[str, str]:
    """Submit a job; return its id and the whole answer."""
    status, text = gateway.call(path, json.dumps(body).encode())
    assert status == 200, text
    return json.loads(text)["job_id"], text


def status_of(gateway: Gateway, job_id: str) -> Any:
    status, text = gateway.call(f"/batch/sum?jobID={job_id}")
    assert status == 200, text
    return json.loads(text)["job_status"]


def test_a_job_is_submitted_reported_and_stopped(gateway: Gateway, bucket: Bucket, cloud: Cloud) -> None:
    job_id, answer = submit(gateway, ITEMS, "/v1/sum")
    index = f"{CLUSTER}/jobs/BatchAPI/in_progress/sum/{job_id}"
    assert objects(bucket) == {
        f"{BATCH}{job_id}/spec.json": answer.encode(),
        f"{BATCH}{job_id}/payload.json": (
            b'{"workers":2,"sqs_dead_letter_queue":null,"config":null,"timeout":null,"item_list":{"items":'
            b'[1.5,"\\u003ca\\u003e",{"b":12345678901234567890}],"batch_size":2},"file_path_lister":null,"delimited_files":null}'
        ),
        index: b"",
    }
    pending = status_of(gateway, job_id)
    assert set(pending.pop("progress").values()) == {None}
    assert pending == json.loads(answer) | {"status": "pending", "batches_in_queue": 0}

    queue = cloud.queue()
    for number in range(3):
        queue.send(f"[{number}]")
    put(bucket, f"{BATCH}{job_id}/spec.json", answer.replace('"sqs_url":""', f'"sqs_url":"{queue.url}"').encode())
    put(bucket, f"{BATCH}{job_id}/enqueuing")
    assert status_of(gateway, job_id)["total_batch_count"] == 2
    put(bucket, f"{BATCH}{job_id}/running")
    assert gateway.call(f"/batch/sum?jobID={job_id}&action=pause", method="PUT")[0] == 200
    assert f"{BATCH}{job_id}/pause" in objects(bucket)
    running = status_of(gateway, job_id)
    assert (running["status"], running["batches_in_queue"], running["paused"]) == ("running", 2, True)
    assert gateway.call(f"/batch/sum?jobID={job_id}&action=resume", method="PUT")[0] == 200
    assert f"{BATCH}{job_id}/pause" not in objects(bucket)

    for _ in range(2):
        assert gateway.call(f"/v1/sum?jobID={job_id}", method="DELETE") == (
            200,
            f'{{"message":"stopped job {job_id}"}}',
        )
    assert f"{BATCH}{job_id}/stop" in objects(bucket)
    assert status_of(gateway, job_id)["stopping"] is True
    put(bucket, f"{BATCH}{job_id}/stopped")
    bucket.s3.delete_object(Bucket=bucket.name, Key=index)
    marker = bucket.s3.head_object(Bucket=bucket.name, Key=f"{BATCH}{job_id}/stopped")
    ended = status_of(gateway, job_id)
    assert (ended["status"], ended["batches_in_queue"]) == ("stopped", 0)
    assert datetime.fromisoformat(ended["end_time"]) == marker["LastModified"].astimezone(UTC)
    assert "stopping" not in ended
    status, events = gateway.call(f"/batch/sum/events?jobID={job_id}")
    assert (status, json.loads(events.removeprefix("data: "))) == (200, ended)
    lines = [
        gateway.events(name)[0]["job_id"]
        for name in ("job_submitted", "job_pause_requested", "job_resume_requested", "job_stop_requested")
    ]
    assert lines == [job_id] * 4


def test_the_files_of_a_submission_are_found_where_they_are(gateway: Gateway, bucket: Bucket, cloud: Cloud) -> None:
    files = cloud.bucket()
    for key in ("a/1.json", "a//2.json", "a/x.txt", "a/"):
        put(files, key, b"1")
    body = {
        "workers": 1,
        "delimited_files": {"s3_paths": [f"s3://{files.name}/a"], "includes": ["**.json"], "batch_size": 1},
    }
    status, text = gateway.call("/batch/sum?dryRun=true", json.dumps(body).encode())
    assert (status, text) == (200, f"s3://{files.name}/a//2.json\ns3://{files.name}/a/1.json\nvalidations passed")
    submit(gateway, body)
    body["delimited_files"]["includes"] = ["*.json"]  # type: ignore[index]
    status, text = gateway.call("/batch/sum", json.dumps(body).encode())
    assert (status, json.loads(text)["kind"]) == (400, "batchapi.no_s3_files_found")
    body["delimited_files"]["s3_paths"] = [f"s3://{files.name}-nowhere/a"]  # type: ignore[index]
    status, text = gateway.call("/batch/sum", json.dumps(body).encode())
    assert (status, json.loads(text)["kind"]) == (400, "error")
    assert "NoSuchBucket" in text
    assert len([key for key in objects(bucket) if key.endswith("spec.json")]) == 1


def test_jobs_are_listed_page_by_page(gateway: Gateway) -> None:
    ids = [submit(gateway, ITEMS)[0] for _ in range(5)]
    assert ids == sorted(ids, reverse=True)
    first = json.loads(gateway.call("/batch/sum?limit=2")[1])
    rest = json.loads(gateway.call(f"/batch/sum?after={ids[3]}")[1])
    assert [job["job_id"] for job in first + rest] == ids[::-1]


def test_two_gateways_never_give_an_id_twice(cloud: Cloud, bucket: Bucket, tmp_path: Path) -> None:
    apis = tmp_path / "cortex.yaml"
    apis.write_text(APIS)
    with Gateway(cloud.url, bucket, "", apis=apis) as one, Gateway(cloud.url, bucket, "", apis=apis) as two:
        one.wait_started()
        two.wait_started()
        with ThreadPoolExecutor(8) as threads:
            ids = [job_id for job_id, _ in threads.map(lambda number: submit((one, two)[number % 2], ITEMS), range(60))]
    assert len(set(ids)) == 60
    stored = objects(bucket)
    assert {key for key in stored if "/in_progress/" in key} == {
        f"{CLUSTER}/jobs/BatchAPI/in_progress/sum/{job_id}" for job_id in ids
    }
    assert len(stored) == 180


def test_a_task_has_no_payload(gateway: Gateway, bucket: Bucket) -> None:
    job_id, answer = submit(gateway, {"timeout": 60}, "/tasks/train")
    assert objects(bucket) == {
        f"{CLUSTER}/jobs/TaskAPI/0.42.1/train/{job_id}/spec.json": answer.encode(),
        f"{CLUSTER}/jobs/TaskAPI/in_progress/train/{job_id}": b"",
    }
    assert re.fullmatch(r"[0-9a-f]{16}", job_id)
    assert gateway.call(f"/train?jobID={job_id}")[0] == 200
