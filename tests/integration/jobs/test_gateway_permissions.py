"""The policy of docs/permissions.md for a gateway with jobs suffices, and without each line the stated effect occurs."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

import pytest

from tests.integration.cloud import CLUSTER, Bucket, Cloud
from tests.integration.gateway_process import Gateway
from tests.integration.jobs.controller import Job, write_apis
from tests.integration.jobs.test_job_permissions import BOTH, policy, without
from tests.integration.refusing import Policy, RefusingCloud

Place: TypeAlias = Literal["jobs", "files", "results", ""]
LINE = b'{"index":0,"result":1}\n'


@dataclass
class Served:
    """A gateway behind a server that refuses, and a running job with files, a queue and a result."""

    gateway: Gateway
    refusing: RefusingCloud
    granted: Policy
    buckets: dict[Place, Bucket]
    job: Job

    def refuse(self, action: str, place: Place) -> None:
        """Refuse an action from now on."""
        name = self.buckets[place].name if place else ""
        self.refusing.policy = without(self.granted, action, name)

    def call(self, name: str) -> tuple[int, str]:
        """Make one call of a client."""
        job = f"jobID={self.job.id}"
        match name:
            case "submit":
                return self.gateway.call("/batch/sum", json.dumps(body(self.buckets)).encode())
            case "list":
                return self.gateway.call("/batch/sum")
            case "status":
                return self.gateway.call(f"/batch/sum?{job}")
            case "results":
                return self.gateway.call(f"/batch/sum/results?{job}")
            case "stop":
                return self.gateway.call(f"/batch/sum?{job}", method="DELETE")
            case _:
                return self.gateway.call(f"/batch/sum?{job}&action={name}", method="PUT")


def body(buckets: dict[Place, Bucket]) -> dict[str, object]:
    """Return a submission."""
    source = {"s3_paths": [f"s3://{buckets['files'].name}/"], "batch_size": 1}
    return {"workers": 1, "delimited_files": source, "output": {"s3_path": f"s3://{buckets['results'].name}/out"}}


@contextmanager
def serving(cloud: Cloud, bucket: Bucket, folder: Path) -> Iterator[Served]:
    buckets: dict[Place, Bucket] = {"jobs": bucket, "files": cloud.bucket(), "results": cloud.bucket()}
    names = {"bucket": bucket.name, "files": buckets["files"].name, "output": buckets["results"].name}
    granted = policy("gateway", "gateway-jobs", **names, prefix="out", queue="none", api="none")
    buckets["files"].s3.put_object(Bucket=names["files"], Key="a.json", Body=b"1")
    url = cloud.sqs.create_queue(QueueName=f"cx_{secrets.token_hex(4)}")["QueueUrl"]
    with (
        RefusingCloud(cloud, granted, keyed=BOTH) as refusing,
        Gateway(refusing.url, bucket, "", apis=write_apis(folder)) as gateway,
    ):
        gateway.wait_started()
        job = Job(gateway, bucket, body(buckets))
        prefix = f"{CLUSTER}/jobs/BatchAPI/0.42.1/sum/{job.id}/"
        spec = bucket.s3.get_object(Bucket=bucket.name, Key=f"{prefix}spec.json")["Body"].read()
        spec = spec.replace(b'"sqs_url":""', f'"sqs_url":"{url.replace(cloud.url, refusing.url)}"'.encode())
        for key, content in ((f"{prefix}spec.json", spec), (f"{prefix}running", b"")):
            bucket.s3.put_object(Bucket=bucket.name, Key=key, Body=content)
        result = f"out/{job.id}/results/00000000.jsonl"
        buckets["results"].s3.put_object(Bucket=names["output"], Key=result, Body=LINE)
        yield Served(gateway, refusing, granted, buckets, job)


def test_the_policy_of_a_gateway_with_jobs_is_enough(cloud: Cloud, bucket: Bucket, tmp_path: Path) -> None:
    with serving(cloud, bucket, tmp_path) as served:
        assert json.loads(served.call("status")[1])["job_status"]["status"] == "running"
        assert served.call("results") == (200, LINE.decode())
        assert [served.call(name)[0] for name in ("submit", "list", "pause", "resume", "stop")] == [200] * 5
        assert not served.refusing.refused


@pytest.mark.parametrize(
    ("action", "place", "call", "status"),
    [
        ("s3:ListBucket", "files", "submit", 400),
        ("s3:PutObject", "jobs", "submit", 503),
        ("s3:ListBucket", "jobs", "list", 503),
        ("s3:GetObject", "jobs", "status", 503),
        ("sqs:GetQueueAttributes", "", "status", 503),
        ("s3:PutObject", "jobs", "pause", 503),
        ("s3:DeleteObject", "jobs", "resume", 503),
        ("s3:PutObject", "jobs", "stop", 503),
        ("s3:ListBucket", "results", "results", 503),
        ("s3:GetObject", "results", "results", 503),
    ],
)
def test_what_a_gateway_with_jobs_cannot_do_without(
    cloud: Cloud, bucket: Bucket, tmp_path: Path, action: str, place: Place, call: str, status: int
) -> None:
    with serving(cloud, bucket, tmp_path) as served:
        if call == "resume":
            assert served.call("pause")[0] == 200
        served.refuse(action, place)
        assert served.call(call)[0] == status
        assert served.refusing.refused[action]
        served.refusing.policy = served.granted
        assert served.call(call)[0] == 200
