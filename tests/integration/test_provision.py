"""`dequeuer provision` as a process against real servers, and the sidecar on what it created, with the printed policies."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import boto3
import pytest

from tests.integration.cloud import CLUSTER, KEYS, REGION, Bucket, Cloud, Queue
from tests.integration.container import Container
from tests.integration.gateway_process import Gateway
from tests.integration.refusing import Policy, RefusingCloud
from tests.integration.servers import ministack
from tests.integration.sidecar import AWS_CLIENT, ROOT, Sidecar, async_settings, queue_settings
from tests.integration.waiting import eventually

# Moto does not keep the allow policy of a dead-letter queue, so a second run would set it again there.
on_each_server = pytest.mark.parametrize("cloud", ["ministack", "moto"], indirect=True)


@dataclass(frozen=True)
class Run:
    """A run that has ended: its status, its lines, and the variables at the end of its output."""

    status: int
    lines: list[str]
    error: str

    @property
    def environment(self) -> dict[str, str]:
        return dict(line.split("=", 1) for line in self.lines if line.startswith("DEQUEUER_"))

    def steps(self, kind: str) -> list[str]:
        return [line.removeprefix(kind).strip() for line in self.lines if line.startswith(f"{kind} ")]


def run(url: str, *arguments: str, **more: str) -> Run:
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_REGION": REGION,
        "AWS_ENDPOINT_URL": url,
        **KEYS,
        **AWS_CLIENT,
        **more,
    }
    command = [sys.executable, "-m", "dequeuer", "provision", *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    return Run(done.returncode, done.stdout.splitlines(), done.stderr)


def printed_policy(program: str, *flags: str, **more: str) -> Policy:
    """Return the policy that is printed for a program."""
    done = run("http://127.0.0.1:1", "policies", program, *flags, **more)
    assert done.status == 0, done.error
    return Policy.of_document(json.loads("\n".join(done.lines)))


@pytest.fixture
def flags() -> tuple[str, ...]:
    """An async API with names of its own."""
    name = f"p-{uuid.uuid4().hex[:12]}"
    api = ("--api-kind", "async", "--api-name", "api", "--cluster-uid", CLUSTER)
    return (*api, "--queue", f"{name}.fifo", "--bucket", name)


def name_of(flags: tuple[str, ...]) -> str:
    return flags[-1]


@on_each_server
def test_a_sidecar_works_off_what_was_provisioned_with_the_printed_policies_alone(
    cloud: Cloud, container: Container, flags: tuple[str, ...]
) -> None:
    with RefusingCloud(cloud, printed_policy("provision", *flags)) as refusing:
        done = run(refusing.url, *flags)
        assert (done.status, dict(refusing.refused)) == (0, {}), done.error
    name = name_of(flags)
    queue = Queue(cloud.sqs, done.environment["DEQUEUER_QUEUE_URL"].replace(refusing.url, cloud.url))
    bucket = Bucket(cloud.s3, done.environment["DEQUEUER_BUCKET"])
    assert (queue.url.rpartition("/")[2], bucket.name) == (f"{name}.fifo", name)
    with RefusingCloud(cloud, printed_policy("async", *flags)) as refusing:
        settings = async_settings(cloud, queue, bucket, container.port) | refusing.settings(queue)
        with Sidecar(settings) as sidecar:
            request_id = bucket.submit(queue)
            assert eventually(lambda: bucket.ended(request_id), "the request to end") == "completed"
            [rule] = eventually(lambda: sidecar.events("expiry_rule"), "the lifecycle rule")
        assert rule["rule"] == "unchanged"
        assert not refusing.refused
    assert queue.is_empty()


def test_a_gateway_takes_requests_with_the_printed_policy_alone(cloud: Cloud, flags: tuple[str, ...]) -> None:
    done = run(cloud.url, *flags)
    queue = Queue(cloud.sqs, done.environment["DEQUEUER_QUEUE_URL"])
    bucket = Bucket(cloud.s3, done.environment["DEQUEUER_BUCKET"])
    with (
        RefusingCloud(cloud, printed_policy("gateway", *flags)) as refusing,
        Gateway(refusing.url, bucket, refusing.queue_url(queue)) as gateway,
    ):
        gateway.wait_started()
        request_id = gateway.submit(b"payload")
        assert queue.take() == (request_id, 1)
        assert '"in_queue"' in gateway.call(f"/api/{request_id}")[1]
        assert not refusing.refused


def test_any_queue_is_worked_off_with_the_printed_policy_alone(cloud: Cloud, container: Container) -> None:
    name = f"p-{uuid.uuid4().hex[:12]}"
    results = {"DEQUEUER_QUEUE_RESULTS": f"s3://{name}/results/"}
    flags = ("--api-kind", "queue", "--api-name", "api", "--queue", name)
    done = run(cloud.url, *flags, **results)
    assert done.status == 0, done.error
    queue = Queue(cloud.sqs, done.environment["DEQUEUER_QUEUE_URL"])
    with RefusingCloud(cloud, printed_policy("queue", *flags, **results)) as refusing:
        settings = queue_settings(cloud, queue, container.port, **results) | refusing.settings(queue)
        with Sidecar(settings) as sidecar:
            queue.send("message")
            assert [line["settlement"] for line in sidecar.settled(1)] == ["completed"]
        assert not refusing.refused
    [stored] = cloud.s3.list_objects_v2(Bucket=name)["Contents"]
    assert stored["Key"].startswith("results/")


def test_a_second_run_has_nothing_to_do_and_a_third_says_what_is_different(
    cloud: Cloud, flags: tuple[str, ...]
) -> None:
    planned = run(cloud.url, *flags, "--dry-run")
    assert planned.lines[-1] == f"dry run: {len(planned.steps('create'))} steps to take, nothing was changed"
    first = run(cloud.url, *flags)
    assert first.steps("create") == planned.steps("create")
    second = run(cloud.url, *flags)
    assert (second.status, second.steps("create"), second.steps("change")) == (0, [], [])
    assert "nothing to do" in second.lines
    assert second.environment == first.environment
    different = run(cloud.url, *flags, "--retention", "86400")
    assert different.status == 3
    assert different.steps("differs") == [
        f"queue {name_of(flags)}.fifo: MessageRetentionPeriod is 345600, asked for is 86400"
    ]
    assert run(cloud.url, *flags, "--retention", "86400", "--change").status == 0
    assert run(cloud.url, *flags, "--retention", "86400").status == 0


def test_a_value_that_the_terminal_cannot_show_is_escaped(cloud: Cloud, flags: tuple[str, ...]) -> None:
    first = run(cloud.url, *flags, "--tags", "team=ml")
    cloud.sqs.tag_queue(
        QueueUrl=first.environment["DEQUEUER_QUEUE_URL"], Tags={"team": "gr\N{LATIN SMALL LETTER U WITH DIAERESIS}n"}
    )
    different = run(cloud.url, *flags, "--tags", "team=ml", PYTHONIOENCODING="ascii")
    assert (different.status, different.error) == (3, "")
    assert different.steps("differs") == [f"queue {name_of(flags)}.fifo: tag team is gr\\xfcn, asked for is ml"]


@pytest.mark.parametrize(
    ("action", "call"),
    [
        ("sqs:CreateQueue", "CreateQueue of queue"),
        ("sqs:TagQueue", "CreateQueue of queue"),
        ("sqs:GetQueueAttributes", "GetQueueAttributes of queue"),
        ("sqs:SetQueueAttributes", "SetQueueAttributes of queue"),
        ("s3:ListBucket", "ListObjectsV2 of bucket"),
        ("s3:CreateBucket", "CreateBucket of bucket"),
        ("s3:PutBucketPublicAccessBlock", "PutPublicAccessBlock of bucket"),
        ("s3:PutEncryptionConfiguration", "PutBucketEncryption of bucket"),
        ("s3:PutLifecycleConfiguration", "PutBucketLifecycleConfiguration of bucket"),
    ],
)
def test_a_permission_that_is_missing_is_named_and_a_later_run_goes_on(
    cloud: Cloud, flags: tuple[str, ...], action: str, call: str
) -> None:
    allowed = printed_policy("provision", *flags)
    with RefusingCloud(cloud, allowed.without(action)) as refusing:
        refused = run(refusing.url, *flags)
        assert refused.status == 1
        assert call in refused.error
        assert action in refused.error
        refusing.policy = allowed
        assert run(refusing.url, *flags).status == 0
        assert "nothing to do" in run(refusing.url, *flags).lines


@pytest.fixture(scope="module")
def stacks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """A server that also has CloudFormation."""
    with ministack(tmp_path_factory.mktemp("stacks"), "sqs,s3,cloudformation,iam,sts") as url:
        yield Cloud("ministack", url)


def test_what_a_stack_creates_is_what_provision_creates(stacks: Cloud, flags: tuple[str, ...]) -> None:
    name = name_of(flags)
    flags = (*flags, "--webhook-queue", f"{name}-hooks", "--tls-only", "--tags", "team=ml")
    template = "\n".join(run("http://127.0.0.1:1", *flags, "--format", "cloudformation").lines)
    keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
    client = boto3.client("cloudformation", endpoint_url=stacks.url, region_name=REGION, **keys)
    client.create_stack(StackName=name, TemplateBody=template, Capabilities=["CAPABILITY_IAM"])

    def described() -> Mapping[str, Any]:
        [stack] = client.describe_stacks(StackName=name)["Stacks"]
        return {} if stack["StackStatus"] == "CREATE_IN_PROGRESS" else stack

    assert eventually(described, "the stack")["StackStatus"] == "CREATE_COMPLETE"
    compared = run(stacks.url, *flags)
    # CloudFormation names the prefix of a rule in the older way, which provision and sidecars replace.
    rule = f"bucket {name}: lifecycle rule: {CLUSTER}/workloads/* is deleted after 7 days"
    assert (compared.steps("create"), compared.steps("differs"), compared.steps("change")) == ([], [], [rule])
    assert set(compared.steps("leave")) == {
        f"queue {queue}" for queue in (f"{name}.fifo", f"{name}-dead-letters.fifo", f"{name}-hooks")
    }
