"""The policies of docs/permissions.md for the programs of jobs suffice, and without each line the stated effect occurs."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from tests.integration.cloud import CLUSTER, Bucket, Cloud, Queue
from tests.integration.container import Container, Reply, Request
from tests.integration.gateway_process import Gateway
from tests.integration.jobs import test_batch_results as results
from tests.integration.jobs import test_enqueuer as enqueuer
from tests.integration.jobs.controller import Controller, Job, write_apis
from tests.integration.refusing import KEY_ARN, Policy, RefusingCloud
from tests.integration.sidecar import Sidecar
from tests.integration.waiting import eventually

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "permissions.md").read_text(encoding="utf-8")
BOTH: Collection[str] = ("s3", "sqs")


def policy(*names: str, **filled: str) -> Policy:
    """Return policies of the page as one."""
    statements = []
    for name in names:
        [document] = re.findall(rf"```json {name}\n(.*?)```", PAGE, re.DOTALL)
        statements += json.loads(document)["Statement"]
    return Policy.of_document({"Statement": statements}, **{"cluster-uid": CLUSTER, "key": KEY_ARN} | filled)


def without(granted: Policy, action: str, resource: str = "") -> Policy:
    """Take an action away, of resources in whose name this is."""
    kept = tuple(grant for grant in granted.grants if grant[0] != action or resource not in grant[1])
    assert kept != granted.grants
    return replace(granted, grants=kept)


@dataclass
class Enqueued:
    """A job with a file in a bucket of its own."""

    job: enqueuer.Job
    files: Bucket
    granted: Policy

    @classmethod
    def submit(cls, cloud: Cloud) -> Enqueued:
        files = cloud.bucket()
        source = {"s3_paths": [f"s3://{files.name}/"], "batch_size": 2}
        job = enqueuer.Job(cloud, {"job_id": enqueuer.JOB, "delimited_files": source})
        job.put(files, "a.json", b"1 2 3")
        queue = job.queue.url.rpartition("/")[2]
        return cls(job, files, policy("enqueuer", bucket=job.bucket.name, files=files.name, queue=queue))


def test_the_policy_of_the_enqueuer_is_enough(cloud: Cloud) -> None:
    given = Enqueued.submit(cloud)
    with RefusingCloud(cloud, given.granted, keyed=BOTH) as refusing:
        assert given.job.run(AWS_ENDPOINT_URL=refusing.url)[0] == 0
        assert not refusing.refused
    given.job.check([1, 2, 3], 2)


@pytest.mark.parametrize(
    ("action", "of_files"),
    [
        ("sqs:GetQueueAttributes", None),
        ("sqs:SendMessage", None),
        ("s3:ListBucket", False),
        ("s3:ListBucket", True),
        ("s3:GetObject", False),
        ("s3:GetObject", True),
        ("s3:PutObject", None),
        ("s3:DeleteObject", None),
        ("kms:Decrypt", None),
        ("kms:GenerateDataKey", None),
    ],
)
def test_what_the_enqueuer_needs(cloud: Cloud, action: str, of_files: bool | None) -> None:
    given = Enqueued.submit(cloud)
    place = {None: "", False: given.job.bucket.name, True: given.files.name}[of_files]
    with RefusingCloud(cloud, without(given.granted, action, place), keyed=BOTH) as refusing:
        status, lines = given.job.run(AWS_ENDPOINT_URL=refusing.url, DEQUEUER_LOG_FORMAT="json")
        assert status == 1
        assert refusing.refused[action]
    assert any('"enqueue_failed"' in line for line in lines)
    may_write = action not in {"s3:PutObject", "kms:GenerateDataKey"}
    assert ("enqueue_error.json" in given.job.objects()) is may_write
    assert given.job.queue.count() == (3 if action == "s3:DeleteObject" else 0), "two batches and the completion"


def large(request: Request) -> Reply:
    """Answer two items with 6 MiB."""
    is_end = request.path == "/on-job-complete"
    return (
        Reply()
        if is_end
        else Reply(headers={"Content-Type": "application/json"}, body=b'["%s",1]' % (b"x" * (6 << 20)))
    )


@contextmanager
def storing(
    cloud: Cloud, bucket: Bucket, container: Container, action: str = "", where: str = ""
) -> Iterator[tuple[Sidecar, RefusingCloud, Queue]]:
    """Run a sidecar that stores results, on one batch and the completion. `where`: `jobs` or `results`."""
    queue, stored = cloud.queue(), cloud.bucket()
    names = {"bucket": bucket.name, "output": stored.name, "prefix": "out", "queue": queue.url.rpartition("/")[2]}
    granted = policy("batch", "batch-output", **names)
    if action:
        granted = without(granted, action, {"jobs": bucket.name, "results": stored.name, "": ""}[where])
    queue.send("[7, 8]", batch_index="0", item_index="0")
    queue.send_completion("job-1")
    with RefusingCloud(cloud, granted, keyed=BOTH) as refusing:
        own = results.settings(cloud, queue, bucket, container) | refusing.settings(queue)
        with Sidecar(own | {"DEQUEUER_OUTPUT": f"s3://{stored.name}/out"}) as sidecar:
            yield sidecar, refusing, queue


@pytest.mark.parametrize("answer", [results.answer, large], ids=["failures", "multipart"])
def test_the_policy_of_a_sidecar_with_results_is_enough(
    cloud: Cloud, bucket: Bucket, container: Container, answer: Callable[[Request], Reply]
) -> None:
    container.reply = answer
    with storing(cloud, bucket, container) as (sidecar, refusing, queue):
        assert sidecar.wait() == 0
        assert not refusing.refused
        assert queue.is_empty()


@pytest.mark.parametrize(
    ("action", "where"),
    [
        ("s3:PutObject", "jobs"),
        ("s3:PutObject", "results"),
        ("s3:ListBucket", "results"),
        ("kms:GenerateDataKey", ""),
    ],
)
def test_what_ends_the_start_of_a_sidecar_with_results(
    cloud: Cloud, bucket: Bucket, container: Container, action: str, where: str
) -> None:
    assert re.search(rf"\| `{action}`[^|]* \| exit 1 at start-up \|", PAGE)
    with storing(cloud, bucket, container, action, where) as (sidecar, refusing, queue):
        assert sidecar.wait() == 1
        assert len(sidecar.events("cannot_go_on")) == 1
        assert refusing.refused[action]
        assert queue.count() == 2


@pytest.mark.parametrize(("action", "status"), [("s3:GetObject", 500), ("sqs:SendMessage", 200)])
def test_items_that_failed_wait_for_a_permission(
    cloud: Cloud, bucket: Bucket, container: Container, action: str, status: int
) -> None:
    container.reply = results.answer
    with storing(cloud, bucket, container, action) as (sidecar, refusing, queue):
        eventually(lambda: refusing.refused[action], "the refusal")
        eventually(lambda: sidecar.get("/healthz")[0] == status, "its health")
        assert queue.count() == 2
        refusing.policy = Policy((*refusing.policy.grants, (action, "*")))
        assert sidecar.wait() == 0
        assert queue.is_empty()


@pytest.mark.parametrize("where", ["jobs", "results"])
def test_a_sidecar_with_results_works_without_aborting(
    cloud: Cloud, bucket: Bucket, container: Container, where: str
) -> None:
    with storing(cloud, bucket, container, "s3:AbortMultipartUpload", where) as (sidecar, refusing, queue):
        container.reply = results.answer
        assert sidecar.wait() == 0
        assert refusing.refused["s3:AbortMultipartUpload"]
        assert queue.is_empty()


class Running:
    """A job that a controller runs with a policy. The container writes to a bucket of its own."""

    def __init__(
        self,
        cloud: Cloud,
        bucket: Bucket,
        folder: Path,
        stack: ExitStack,
        *,
        batch_size: int = 10,
        takes_s: float = 0,
        keeps_results: bool = False,
    ) -> None:
        self.cloud, self.bucket, self._stack = cloud, bucket, stack
        self.apis = write_apis(folder)
        self.output, self.results = cloud.bucket(), cloud.bucket()
        names = {"bucket": bucket.name, "output": self.results.name, "prefix": "out"}
        granted = policy("controller", *(["batch-output"] if keeps_results else []), **names)
        self.granted = replace(granted, grants=(*granted.grants, ("s3:*", f"arn:aws:s3:::{self.output.name}/*")))
        gateway = stack.enter_context(Gateway(cloud.url, bucket, "", apis=self.apis))
        gateway.wait_started()
        items: dict[str, Any] = {"items": list(range(40)), "batch_size": batch_size}
        config = {"bucket": self.output.name, "takes": takes_s, "answers": "all" if keeps_results else ""}
        body: dict[str, Any] = {"workers": 1, "item_list": items, "config": config}
        if keeps_results:
            body["output"] = {"s3_path": f"s3://{self.results.name}/out"}
        self.job = Job(gateway, bucket, body)

    def start(self, granted: Policy, keyed: Collection[str] = BOTH) -> tuple[Controller, RefusingCloud]:
        """Start the controller."""
        refusing = self._stack.enter_context(RefusingCloud(self.cloud, granted, keyed=keyed))
        controller = Controller(self.cloud, self.bucket, self.apis, AWS_ENDPOINT_URL=refusing.url)
        return self._stack.enter_context(controller), refusing

    def has_queue(self) -> bool:
        return any(self.job.id in url for url in self.cloud.sqs.list_queues().get("QueueUrls", ()))

    def is_indexed(self) -> bool:
        return self.job.id in "".join(self.job.keys(f"{CLUSTER}/jobs/BatchAPI/in_progress/"))


@pytest.fixture
def running(cloud: Cloud, bucket: Bucket, tmp_path: Path) -> Iterator[Running]:
    with ExitStack() as stack:
        yield Running(cloud, bucket, tmp_path, stack)


@pytest.mark.parametrize("aborts", [True, False])
def test_the_policy_of_the_controller_is_enough(cloud: Cloud, running: Running, *, aborts: bool) -> None:
    granted = running.granted if aborts else without(running.granted, "s3:AbortMultipartUpload")
    _, refusing = running.start(granted)
    running.job.wait_status("succeeded")
    running.job.wait_over()
    assert set(refusing.refused) == (set() if aborts else {"s3:AbortMultipartUpload"})
    stored = cloud.s3.list_objects_v2(Bucket=running.output.name)["Contents"]
    assert len(stored) == 5, "four sums and the end"
    assert not running.has_queue()


@pytest.mark.parametrize("may_read", [True, False])
def test_the_policy_of_the_controller_of_a_job_with_results(
    cloud: Cloud, bucket: Bucket, tmp_path: Path, *, may_read: bool
) -> None:
    with ExitStack() as stack:
        running = Running(cloud, bucket, tmp_path, stack, keeps_results=True)
        granted = running.granted if may_read else without(running.granted, "s3:GetObject", running.results.name)
        _, refusing = running.start(granted)
        status = running.job.wait_status("succeeded", "completed_with_failures")
        stored = {found["Key"] for found in cloud.s3.list_objects_v2(Bucket=running.results.name)["Contents"]}
        assert (f"out/{running.job.id}/manifest.json" in stored) is may_read
        if may_read:
            assert status["status"] == "succeeded"
            assert not refusing.refused
        else:
            assert status["status"] == "completed_with_failures"
            assert "manifest.json could not be written" in status["error"]["message"]


@pytest.mark.parametrize(
    ("action", "status"),
    [
        ("s3:ListBucket", "pending"),
        ("s3:GetObject", "pending"),
        ("s3:PutObject", "pending"),
        ("sqs:CreateQueue", "pending"),
        ("sqs:TagQueue", "pending"),
        ("kms:Decrypt", "pending"),
        ("kms:GenerateDataKey", "pending"),
        ("sqs:GetQueueAttributes", "enqueuing"),
        ("sqs:ReceiveMessage", "running"),
        ("sqs:DeleteMessage", "running"),
    ],
)
def test_what_holds_a_job_up(running: Running, action: str, status: str) -> None:
    assert re.search(rf"`{action}`[^|]* \| (jobs stay `{status}`|no job is found)", PAGE)
    controller, refusing = running.start(without(running.granted, action))
    eventually(lambda: refusing.refused[action] > 1, "the refusal, and another attempt")
    assert running.job.status()["status"] == status
    if action == "s3:ListBucket":
        eventually(lambda: controller.get("/healthz")[0] == 500, "the controller to say so")
    refusing.policy = running.granted
    running.job.wait_status("succeeded")


def test_batches_that_take_longer_than_a_lease_wait_for_a_permission(
    cloud: Cloud, bucket: Bucket, tmp_path: Path
) -> None:
    """The lease of the sidecars is 3 s here. A shorter batch needs no renewal."""
    with ExitStack() as stack:
        running = Running(cloud, bucket, tmp_path, stack, batch_size=40, takes_s=6)
        _, refusing = running.start(without(running.granted, "sqs:ChangeMessageVisibility"))
        eventually(lambda: refusing.refused["sqs:ChangeMessageVisibility"] > 1, "the refusal, and another attempt")
        assert running.job.status()["status"] == "running"
        refusing.policy = running.granted
        running.job.wait_status("succeeded")


@pytest.mark.parametrize("action", ["sqs:SendMessage", "kms:Decrypt", "kms:GenerateDataKey", "s3:DeleteObject"])
def test_what_jobs_cannot_be_enqueued_without(running: Running, action: str) -> None:
    controller, refusing = running.start(without(running.granted, action), keyed=("sqs",))
    assert running.job.wait_status("enqueue_failed")["error"]["message"]
    assert refusing.refused[action]
    if action == "s3:DeleteObject":
        eventually(lambda: controller.events("job_steps_fail"), "the refusal to be logged")
        assert running.is_indexed()
        refusing.policy = running.granted
    running.job.wait_over()
    assert not running.has_queue()


@pytest.mark.parametrize("action", ["sqs:PurgeQueue", "sqs:DeleteQueue", "sqs:GetQueueUrl"])
def test_what_is_left_of_a_job_without(running: Running, action: str) -> None:
    if action == "sqs:GetQueueUrl":
        running.job.stop()  # before it has a queue: the controller has to ask whether there is one
    controller, refusing = running.start(without(running.granted, action))
    running.job.wait_status("stopped" if action == "sqs:GetQueueUrl" else "succeeded")
    eventually(lambda: refusing.refused[action], "the refusal")
    eventually(lambda: controller.events("job_steps_fail"), "the refusal to be logged")
    assert running.is_indexed()
    assert running.has_queue() is (action != "sqs:GetQueueUrl")
    refusing.policy = running.granted
    running.job.wait_over()
    assert not running.has_queue()
