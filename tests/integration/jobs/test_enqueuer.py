"""`dequeuer enqueue` as a process: each kind of source, killed and started again, against real servers."""

from __future__ import annotations

import gzip
import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from functools import partial
from typing import Any

import pytest

from tests.integration.cloud import CLUSTER, KEYS, REGION, Bucket, Cloud, Queue
from tests.integration.servers import free_port
from tests.integration.sidecar import AWS_CLIENT, ROOT
from tests.integration.waiting import DEADLINE_S, eventually

JOB = "67f0a1b2c3d4e5f6"
PREFIX = f"{CLUSTER}/jobs/BatchAPI/0.42.1/api/{JOB}/"

both_clouds = pytest.mark.parametrize("cloud", ["ministack", "fauxqs"], indirect=True)


class Job:
    """A job that is submitted, and its queue."""

    def __init__(self, cloud: Cloud, submission: Any) -> None:
        self.cloud, self.queue, self.bucket = cloud, cloud.queue(fifo=True), cloud.bucket()
        self.put(self.bucket, PREFIX + "payload.json", json.dumps(submission).encode())

    def put(self, bucket: Bucket, key: str, body: bytes) -> None:
        self.cloud.s3.put_object(Bucket=bucket.name, Key=key, Body=body, ContentType="application/octet-stream")

    def start(self, *flags: str, **more: str) -> subprocess.Popen[str]:
        """Start the enqueuer with Cortex's flags."""
        flags = flags or (
            "-cluster-uid", CLUSTER, "-region", REGION, "-bucket", self.bucket.name,
            "-queue", self.queue.url, "-apiName", "api", "-jobID", JOB,
        )  # fmt: skip
        environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_ENDPOINT_URL": self.cloud.url,
            "DEQUEUER_ADMIN_HOST": "127.0.0.1",
            "DEQUEUER_ADMIN_PORT": str(free_port()),
            **KEYS,
            **AWS_CLIENT,
            **more,
        }
        return subprocess.Popen(
            [sys.executable, "-m", "dequeuer", "enqueue", *flags],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, *flags: str, **more: str) -> tuple[int, list[str]]:
        """Run the enqueuer to its end; return its exit status and its log lines."""
        process = self.start(*flags, **more)
        output, _ = process.communicate(timeout=DEADLINE_S)
        return process.returncode, output.splitlines()

    def objects(self) -> dict[str, bytes]:
        """Return the objects of the job."""
        listed = self.cloud.s3.list_objects_v2(Bucket=self.bucket.name, Prefix=PREFIX).get("Contents", ())
        return {
            entry["Key"].removeprefix(PREFIX): self.cloud.s3.get_object(Bucket=self.bucket.name, Key=entry["Key"])[
                "Body"
            ].read()
            for entry in listed
        }

    def take(self, queue: Queue) -> tuple[list[Any], list[dict[str, str]]]:
        """Receive everything; return the items in order, and the attributes of the completion messages."""
        batches: dict[int, str] = {}
        completions = []
        while messages := self.cloud.sqs.receive_message(
            QueueUrl=queue.url, MaxNumberOfMessages=10, MessageAttributeNames=["All"], VisibilityTimeout=600
        ).get("Messages"):
            for message in messages:
                attributes = {name: value["StringValue"] for name, value in message["MessageAttributes"].items()}
                if "job_complete" in attributes:
                    completions.append(attributes)
                    continue
                assert (attributes["api_name"], attributes["job_id"]) == ("api", JOB)
                number = int(attributes["batch_index"])
                assert batches.setdefault(number, message["Body"]) == message["Body"]
        assert sorted(batches) == list(range(len(batches)))
        return [item for _, body in sorted(batches.items()) for item in json.loads(body)], completions

    def check(self, items: Sequence[Any], batch_size: int) -> None:
        """Check that the whole job is in the queue."""
        found, completions = self.take(self.queue)
        assert found == items
        assert completions
        assert completions[0] == {"job_complete": "true", "api_name": "api", "job_id": JOB}
        objects = self.objects()
        assert objects["max_batch_count"] == b"%d" % -(-len(items) // batch_size)
        assert "payload.json" not in objects
        assert json.loads(objects["checkpoint.json"])["is_complete"] is True


def events(lines: Sequence[str]) -> list[str]:
    return [json.loads(line)["event"] for line in lines]


@both_clouds
def test_a_list_of_items(cloud: Cloud) -> None:
    items = [1, "ä<\ufffe", {"a": [None, 2.5]}, [], "\U0001f600"]
    job = Job(cloud, {"workers": 1, "item_list": {"items": items, "batch_size": 2}})
    status, lines = job.run()
    assert (status, events(lines)[-1]) == (0, "enqueue_completed"), lines
    job.check(items, 2)
    assert job.run()[0] == 0


@both_clouds
def test_paths_of_files(cloud: Cloud) -> None:
    files = cloud.bucket()
    s3_paths = [f"s3://{files.name}/in/"]
    job = Job(
        cloud, {"workers": 1, "file_path_lister": {"s3_paths": s3_paths, "includes": ["**.txt"], "batch_size": 3}}
    )
    names = sorted([*(f"in/{number}.txt" for number in range(7)), "in/ä b+c.txt"], key=str.encode)
    for name in [*names, "in/x.png", "out/1.txt"]:
        job.put(files, name, b"x")
    assert job.run()[0] == 0
    job.check([f"s3://{files.name}/{name}" for name in names], 3)


@both_clouds
def test_values_in_files_plain_and_compressed(cloud: Cloud) -> None:
    files = cloud.bucket()
    job = Job(cloud, {"workers": 1, "delimited_files": {"s3_paths": [f"s3://{files.name}"], "batch_size": 100}})
    values = [{"number": number, "text": "x" * (number % 50)} for number in range(3000)]
    lines = [json.dumps(value).encode() for value in values]
    job.put(files, "1.json", b"\n".join(lines[:1000]))
    job.put(
        files, "2.json.gz", gzip.compress(b" ".join(lines[1000:1500])) + gzip.compress(b"\n".join(lines[1500:2000]))
    )
    job.put(files, "3.json", b"")
    job.put(files, "4.json", b"".join(lines[2000:]))
    assert job.run()[0] == 0
    job.check(values, 100)


def is_at(job: Job, process: subprocess.Popen[str], count: int) -> bool:
    return job.queue.count() >= count or process.poll() is not None


@both_clouds
def test_killed_again_and_again_every_item_is_in_the_queue_once(cloud: Cloud) -> None:
    files = cloud.bucket()
    job = Job(cloud, {"workers": 1, "delimited_files": {"s3_paths": [f"s3://{files.name}"], "batch_size": 1}})
    for name in range(4):
        job.put(files, f"{name}.json", b"\n".join(b"%d" % (name * 400 + number) for number in range(400)))
    kills = 0
    for count in (10, 500, 900):
        process = job.start()
        with process:
            eventually(partial(is_at, job, process, count), f"{count} messages")
            process.kill()
        kills += process.returncode == -signal.SIGKILL
    assert kills
    assert job.run()[0] == 0
    job.check(list(range(1600)), 1)


def test_sigterm_ends_it_with_143_and_the_next_start_goes_on(cloud: Cloud) -> None:
    job = Job(cloud, {"workers": 1, "item_list": {"items": list(range(3000)), "batch_size": 1}})
    process = job.start()
    with process:
        eventually(lambda: job.queue.count() > 0, "messages")
        process.terminate()
        output, _ = process.communicate(timeout=DEADLINE_S)
    assert (process.returncode, events(output.splitlines())[-1]) == (143, "enqueue_stopped")
    assert 0 < json.loads(job.objects()["checkpoint.json"])["batches"] < 3000
    assert job.run()[0] == 0
    job.check(list(range(3000)), 1)


def test_a_bad_item_ends_the_job_with_file_and_offset_or_is_skipped(cloud: Cloud) -> None:
    files = cloud.bucket()
    submission = {"workers": 1, "delimited_files": {"s3_paths": [f"s3://{files.name}"], "batch_size": 2}}
    job = Job(cloud, submission)
    job.put(files, "a.json", b'1\n2\n"' + b"x" * 1_100_000 + b'"\n3\nNaN\n4')
    status, lines = job.run()
    assert (status, events(lines)[-1]) == (1, "enqueue_failed")
    error = json.loads(job.objects()["enqueue_error.json"])
    assert (error["kind"], error["source"], error["offset"]) == (
        "batchapi.message_exceeds_max_size", f"s3://{files.name}/a.json", 4,
    )  # fmt: skip
    assert "its size of 1100002 bytes exceeds the" in error["message"]
    skipping = Job(cloud, submission | {"on_bad_item": "skip"})
    assert skipping.run()[0] == 0
    lines_of_errors = skipping.objects()["skipped/000000000000.jsonl"].splitlines()
    assert [json.loads(line)["error"]["offset"] for line in lines_of_errors] == [4, 1_100_009]
    skipping.check([1, 2, 3, 4], 2)


@pytest.mark.parametrize(
    ("submission", "message"),
    [
        ({"delimited_files": {"s3_paths": ["s3://no-such-bucket-here"], "batch_size": 1}}, "cannot be listed"),
        ({"file_path_lister": {"s3_paths": ["s3://{files}/none"], "batch_size": 1}}, "no s3 files match"),
        ({"item_list": {"items": [1], "batch_size": 0}}, "batch_size"),
    ],
)
def test_a_job_that_cannot_be_enqueued_says_why(cloud: Cloud, submission: Any, message: str) -> None:
    files = cloud.bucket()
    job = Job(cloud, json.loads(json.dumps(submission).replace("{files}", files.name)))
    assert job.run()[0] == 1
    assert message in json.loads(job.objects()["enqueue_error.json"])["message"]


def test_a_queue_or_a_submission_that_does_not_exist(cloud: Cloud) -> None:
    job = Job(cloud, {"item_list": {"items": [1], "batch_size": 1}})
    job.cloud.sqs.delete_queue(QueueUrl=job.queue.url)
    assert job.run()[0] == 1
    assert "queue does not exist" in json.loads(job.objects()["enqueue_error.json"])["message"]
    other = Job(cloud, {})
    cloud.s3.delete_object(Bucket=other.bucket.name, Key=PREFIX + "payload.json")
    assert other.run()[0] == 1


def test_bad_settings_are_told_all_at_once_with_status_2(cloud: Cloud) -> None:
    job = Job(cloud, {})
    status, lines = job.run("-bucket", "B", "-apiName", "Upper", "-jobID", "../x")
    assert status == 2
    text = "\n".join(lines)
    assert all(name in text for name in ("--cluster-uid", "--bucket", "--queue", "--apiName", "--jobID"))
