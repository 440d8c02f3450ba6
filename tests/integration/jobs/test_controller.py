"""Jobs from submission to their end, with every program as a process, against a real server."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

from tests.integration.cloud import Bucket, Cloud
from tests.integration.gateway_process import Gateway
from tests.integration.jobs.controller import Controller, Job
from tests.integration.waiting import eventually

BATCHES = list(range(0, 1000, 10))
SIDECAR = ("-m", "dequeuer")
LONG_LEASES = {"DEQUEUER_VISIBILITY_TIMEOUT": "60"}
"""A worker that is stalled loses no batch, which would be handled and counted twice."""


def submission(bucket: Bucket, **config: Any) -> dict[str, Any]:
    items = {"items": list(range(1000)), "batch_size": 10}
    return {"workers": 2, "item_list": items, "config": {"bucket": bucket.name, **config}}


def queues(cloud: Cloud, job: Job) -> list[str]:
    return cloud.sqs.list_queues().get("QueueUrls", []) and [
        url for url in cloud.sqs.list_queues()["QueueUrls"] if job.id in url
    ]


def test_a_job_runs_to_its_end(cloud: Cloud, bucket: Bucket, gateway: Gateway, apis: Path) -> None:
    with Controller(cloud, bucket, apis, **LONG_LEASES) as controller:
        job = Job(gateway, bucket, submission(bucket))
        status = job.wait_status("succeeded")
        job.wait_over()
        assert sorted(set(job.handled())) == BATCHES
        assert job.completions() == 1
        assert status["total_batch_count"] == 100
        assert status["progress"]["batches_done"] == 100
        assert queues(cloud, job) == []
        metrics = job.metrics()
        assert (metrics["succeeded"], metrics["failed"]) == (100, 0)
        assert metrics["average_time_per_batch"] > 0
        (complete,) = job.keys("output/complete/")
        spec = json.loads(bucket.s3.get_object(Bucket=bucket.name, Key=complete)["Body"].read())
        assert list(spec) == [
            *(
                "job_id",
                "api_name",
                "kind",
                "workers",
                "sqs_dead_letter_queue",
                "config",
                "timeout",
                "api_id",
                "sqs_url",
            ),
            *(("total_batch_count",) if "total_batch_count" in spec else ()),
            "start_time",
        ]
        names = [event["status"] for event in controller.events("job_status_changed")]
        # A controller that did not run for the time of an epoch takes its own job again, and says its status again.
        assert list(dict.fromkeys(names)) == ["pending", "enqueuing", "running"]
        assert len(names) - 3 < len(controller.events("job_taken"))
        assert controller.metric('dequeuer_jobs_ended_total{state="succeeded"}') == 1
        log = apis.parent / "work/BatchAPI/sum" / job.id / "logs"
        assert {path.name for path in log.iterdir()} >= {"enqueuer.log", "worker-0.sidecar.log", "worker-1.sidecar.log"}
        controller.terminate()
        assert controller.wait() == 0


def test_killed_workers_and_controllers_lose_nothing(
    cloud: Cloud, bucket: Bucket, gateway: Gateway, apis: Path
) -> None:
    job = Job(gateway, bucket, submission(bucket, takes=0.1))
    with Controller(cloud, bucket, apis) as first:
        eventually(lambda: len(job.handled()) > 10, "some batches")
        os.kill(first.children("main.py")[0], signal.SIGKILL)
        eventually(lambda: len(first.events("job_process_ended")) > 0, "the death to be seen")
        first.kill()
    with Controller(cloud, bucket, apis) as second:
        eventually(lambda: len(job.handled()) > 40, "more batches")
        os.kill(second.children(*SIDECAR)[0], signal.SIGKILL)
        job.wait_status("succeeded", "completed_with_failures")
        job.wait_over()
    assert job.status()["status"] == "succeeded"
    assert sorted(set(job.handled())) == BATCHES
    assert job.completions() == 1


def test_two_controllers_share_one_bucket(cloud: Cloud, bucket: Bucket, gateway: Gateway, apis: Path) -> None:
    # A process that gets no time for so long loses its job to the other, or its batch, as it should.
    calm = {"DEQUEUER_OWNERSHIP_TIMEOUT": "120", "DEQUEUER_VISIBILITY_TIMEOUT": "60"}
    with Controller(cloud, bucket, apis, **calm) as one, Controller(cloud, bucket, apis, **calm) as two:
        job = Job(gateway, bucket, submission(bucket))
        job.wait_status("succeeded")
        job.wait_over()
        taken = [*one.events("job_taken"), *two.events("job_taken")]
        started = [*one.events("job_process_started"), *two.events("job_process_started")]
    assert len(taken) == 1
    assert sorted(event["process"] for event in started) == ["enqueuer", "worker-0", "worker-1"]
    assert job.handled() == BATCHES
    assert job.completions() == 1


def test_a_job_is_stopped_while_it_is_enqueued(cloud: Cloud, bucket: Bucket, gateway: Gateway, apis: Path) -> None:
    items = {"items": list(range(20_000)), "batch_size": 1}
    body = submission(bucket, takes=0.2) | {"item_list": items}
    with Controller(cloud, bucket, apis) as controller:
        job = Job(gateway, bucket, body)
        eventually(lambda: "enqueuer" in str(controller.events("job_process_started")), "the enqueuer")
        eventually(lambda: queues(cloud, job), "the queue")
        job.stop()
        assert job.wait_status("stopped")["status"] == "stopped"
        job.wait_over()
        assert queues(cloud, job) == []
        eventually(lambda: not controller.children(*SIDECAR), "the processes to end")
    assert job.completions() == 0


def test_a_container_that_cannot_start_ends_the_job_with_its_last_lines(
    cloud: Cloud, bucket: Bucket, gateway: Gateway, apis: Path
) -> None:
    with Controller(cloud, bucket, apis):
        job = Job(gateway, bucket, submission(bucket, broken=True))
        status = job.wait_status("worker_error")
    assert "no module named torch" in status["error"]["message"]


def test_a_batch_that_fails_for_good_is_a_failure_of_the_job(
    cloud: Cloud, bucket: Bucket, gateway: Gateway, apis: Path
) -> None:
    with Controller(cloud, bucket, apis, **LONG_LEASES):
        job = Job(gateway, bucket, submission(bucket, fails=500))
        job.wait_status("completed_with_failures")
        job.wait_over()
    assert job.handled() == [first for first in BATCHES if first != 500]
    assert job.completions() == 1
    metrics = job.metrics()
    assert (metrics["succeeded"], metrics["failed"]) == (99, 1)


def test_a_task_runs_and_its_output_is_kept(cloud: Cloud, bucket: Bucket, gateway: Gateway, apis: Path) -> None:
    with Controller(cloud, bucket, apis):
        job = Job(gateway, bucket, {"config": {"epochs": 3}}, "/tasks/train")
        job.wait_status("succeeded")
    log = (apis.parent / "work/TaskAPI/train" / job.id / "logs/worker-0.train.log").read_text()
    assert json.loads(log)["config"] == {"epochs": 3}


def test_a_drained_controller_leaves_its_job_to_the_next_one(
    cloud: Cloud, bucket: Bucket, gateway: Gateway, apis: Path
) -> None:
    job = Job(gateway, bucket, submission(bucket, takes=0.1))
    with Controller(cloud, bucket, apis, **LONG_LEASES) as first:
        eventually(lambda: len(job.handled()) > 5, "some batches")
        first.terminate()
        assert first.wait() == 0
        assert first.events("controller_drained")
    assert job.status()["status"] == "running"
    with Controller(cloud, bucket, apis, **LONG_LEASES):
        job.wait_status("succeeded")
        job.wait_over()
    assert job.handled() == BATCHES
    assert job.completions() == 1
