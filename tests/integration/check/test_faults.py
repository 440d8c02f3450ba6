"""Each of the seeded faults is found by the check that is about it, and no other check cries wolf."""

from __future__ import annotations

import datetime as dt
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeAlias

import boto3
import pytest

from dequeuer.check.finding import State
from tests.integration.check.setup import DAY_S, SetUp
from tests.integration.refusing import Policy
from tests.integration.servers import free_port

Seed: TypeAlias = Callable[[SetUp], object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One fault.

    Attributes:
        name: what is wrong, in words.
        seed: makes it wrong.
        check: the id of the check that must find it.
        state: that it must report.
        also: checks that may report something besides, because they depend on it.
        program: that is checked.
    """

    name: str
    seed: Seed
    check: str
    state: State
    also: frozenset[str] = frozenset()
    program: str = "sidecar"


def environ(**variables: str) -> Seed:
    return lambda setup: setup.environ.update(variables)


def flags(*given: str) -> Seed:
    return lambda setup: setup.flags.extend(given)


def attributes(**given: object) -> Seed:
    return lambda setup: setup.set_attributes(setup.queue, **given)


def denied(*actions: str) -> Seed:
    return lambda setup: setup.front.denied.update(actions)


def denied_with_writes(action: str) -> Seed:
    def seed(setup: SetUp) -> None:
        setup.front.denied.add(action)
        setup.flags.append("--write")

    return seed


def front(**given: object) -> Seed:
    def seed(setup: SetUp) -> None:
        for name, value in given.items():
            setattr(setup.front, name, value)

    return seed


def without_keys(setup: SetUp) -> None:
    del setup.environ["AWS_ACCESS_KEY_ID"], setup.environ["AWS_SECRET_ACCESS_KEY"]


def keys_that_end(in_s: float) -> Seed:
    def seed(setup: SetUp) -> None:  # from the test on: hundreds of tests may come before it
        ends = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=in_s)
        setup.environ["AWS_CREDENTIAL_EXPIRATION"] = ends.isoformat()

    return seed


def missing_queue(setup: SetUp) -> None:
    setup.environ["DEQUEUER_QUEUE_URL"] = f"{setup.front.url}/000000000000/no-such-queue"


def queue_of_another_region(setup: SetUp) -> None:
    elsewhere = boto3.client(
        "sqs",
        endpoint_url=setup.cloud.url,
        region_name="eu-west-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )
    elsewhere.create_queue(QueueName="elsewhere")
    setup.environ["DEQUEUER_QUEUE_URL"] = "https://sqs.eu-west-1.amazonaws.com/000000000000/elsewhere"


def endpoint_where_nobody_listens(setup: SetUp) -> None:
    setup.environ["AWS_ENDPOINT_URL_S3"] = f"http://127.0.0.1:{free_port()}"


def small_messages(setup: SetUp) -> None:
    setup.program("gateway")
    setup.environ["DEQUEUER_INLINE_BYTES"] = "64KiB"
    setup.set_attributes(setup.queue, MaximumMessageSize="4096")


def gateway_without_tokens(setup: SetUp) -> None:
    setup.program("gateway")
    del setup.environ["DEQUEUER_TOKENS"]


def unsigned_webhooks(setup: SetUp) -> None:
    setup.program("webhooks")
    setup.set_attributes(setup.queue, RedrivePolicy="")
    del setup.environ["DEQUEUER_WEBHOOK_KEYS"]
    setup.environ["DEQUEUER_WEBHOOK_UNSIGNED"] = "true"


def short_retention_of_webhooks(setup: SetUp) -> None:
    setup.program("webhooks")
    setup.set_attributes(setup.queue, RedrivePolicy="", MessageRetentionPeriod=str(2 * DAY_S))


def redrive_of_webhooks(setup: SetUp) -> None:
    setup.program("webhooks")


def receives(count: int) -> Seed:
    return lambda setup: setup.redrive_after(count)


def dead_letters_gone(setup: SetUp) -> None:
    setup.cloud.sqs.delete_queue(QueueUrl=setup.dead_letters.url)


def dead_letters_of_the_other_type(setup: SetUp) -> None:
    other = setup.cloud.queue(fifo=True)
    setup.set_attributes(other, MessageRetentionPeriod=str(14 * DAY_S))
    setup.redrive_after(10, other)


def dead_letters_soon_gone(setup: SetUp) -> None:
    setup.set_attributes(setup.dead_letters, MessageRetentionPeriod=str(DAY_S))


def dead_letters_of_others_only(setup: SetUp) -> None:
    policy = {"redrivePermission": "byQueue", "sourceQueueArns": ["arn:aws:sqs:us-west-2:000000000000:another"]}
    setup.set_attributes(setup.dead_letters, RedriveAllowPolicy=policy)


def bucket_of_another_region(setup: SetUp) -> None:
    name = setup.queue.url.rpartition("/")[2]
    setup.environ["DEQUEUER_QUEUE_URL"] = f"https://sqs.us-west-2.amazonaws.com/000000000000/{name}"
    setup.environ["AWS_REGION"] = "eu-west-1"


def old_versions_stay(setup: SetUp) -> None:
    setup.environ["DEQUEUER_RESULT_RETENTION_DAYS"] = "0"
    setup.bucket.s3.put_bucket_versioning(Bucket=setup.bucket.name, VersioningConfiguration={"Status": "Enabled"})


def locked_bucket(setup: SetUp) -> None:
    setup.bucket.s3.put_bucket_versioning(Bucket=setup.bucket.name, VersioningConfiguration={"Status": "Enabled"})
    rule = {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 30}}
    setup.bucket.s3.put_object_lock_configuration(
        Bucket=setup.bucket.name, ObjectLockConfiguration={"ObjectLockEnabled": "Enabled", "Rule": rule}
    )


def public_bucket(setup: SetUp) -> None:
    setup.bucket.s3.delete_public_access_block(Bucket=setup.bucket.name)


def container_gone(setup: SetUp) -> None:
    setup.environ["DEQUEUER_USER_PORT"] = str(free_port())


def container_unwell(setup: SetUp) -> None:
    port = setup.container.port
    setup.file("probes.json", f'{{"api": {{"httpGet": {{"path": "/healthz", "port": {port}}}}}}}')
    setup.container.health = 500


def no_http(setup: SetUp) -> Iterator[None]:
    """A server that greets like one of SSH."""
    with greeting(b"SSH-2.0-OpenSSH_9.2\r\n") as port:
        setup.environ["DEQUEUER_USER_PORT"] = str(port)
        yield


def port_in_use(setup: SetUp) -> Iterator[None]:
    with greeting(b"") as port:
        setup.environ["DEQUEUER_ADMIN_PORT"] = str(port)
        yield


@contextmanager
def greeting(text: bytes) -> Iterator[int]:
    """Listen on a port of all addresses; send a text to each who connects."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def greet() -> None:
            while True:
                try:
                    connection, _ = listening.accept()
                except OSError:
                    return
                with connection:
                    connection.sendall(text)

        thread = threading.Thread(target=greet)
        thread.start()
        try:
            yield listening.getsockname()[1]
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            thread.join()


CASES = [
    Case(name="no credentials", seed=without_keys, check="identity.credentials", state="fault"),
    Case(name="keys that have ended", seed=keys_that_end(-60), check="identity.credentials", state="fault"),
    Case(name="keys that end soon", seed=keys_that_end(300), check="identity.credentials", state="warning"),
    Case(name="keys of another account", seed=front(account="111122223333"), check="identity.account", state="warning"),
    Case(
        name="a name that DNS does not know",
        seed=environ(AWS_ENDPOINT_URL_S3="http://no-such-host.invalid"),
        check="network.dns",
        state="fault",
        also=frozenset({"bucket.exists"}),
    ),
    Case(
        name="an endpoint where nobody listens",
        seed=endpoint_where_nobody_listens,
        check="network.connection",
        state="fault",
        also=frozenset({"bucket.exists"}),
    ),
    Case(name="a clock ten minutes behind", seed=front(skew_s=600.0), check="network.clock", state="fault"),
    Case(name="a clock two minutes ahead", seed=front(skew_s=-120.0), check="network.clock", state="warning"),
    Case(name="no such queue", seed=missing_queue, check="queue.exists", state="fault"),
    Case(name="a queue of another region", seed=queue_of_another_region, check="queue.region", state="warning"),
    Case(
        name="messages that are kept for a day",
        seed=attributes(MessageRetentionPeriod=str(DAY_S)),
        check="queue.retention",
        state="warning",
    ),
    Case(
        name="messages that are kept longer than their objects",
        seed=attributes(MessageRetentionPeriod=str(10 * DAY_S)),
        check="queue.retention",
        state="warning",
    ),
    Case(
        name="webhooks that are tried longer than the queue keeps them",
        seed=short_retention_of_webhooks,
        check="queue.retention",
        state="warning",
        program="webhooks",
    ),
    Case(name="messages that are held back", seed=attributes(DelaySeconds="60"), check="queue.delay", state="warning"),
    Case(
        name="messages too small for inline requests",
        seed=small_messages,
        check="queue.message_size",
        state="fault",
        program="gateway",
    ),
    Case(name="two receives", seed=receives(2), check="queue.redrive", state="fault"),
    Case(name="as many receives as attempts", seed=receives(5), check="queue.redrive", state="fault"),
    Case(name="few receives more than attempts", seed=receives(7), check="queue.redrive", state="warning"),
    Case(
        name="a redrive policy on the queue of webhooks",
        seed=redrive_of_webhooks,
        check="queue.redrive",
        state="fault",
        program="webhooks",
    ),
    Case(name="no such dead-letter queue", seed=dead_letters_gone, check="dead_letters.exists", state="fault"),
    Case(
        name="a FIFO dead-letter queue of a standard queue",
        seed=dead_letters_of_the_other_type,
        check="dead_letters.type",
        state="fault",
    ),
    Case(
        name="dead letters that are soon gone",
        seed=dead_letters_soon_gone,
        check="dead_letters.retention",
        state="warning",
    ),
    Case(
        name="a dead-letter queue of other queues",
        seed=dead_letters_of_others_only,
        check="dead_letters.allowed",
        state="fault",
    ),
    Case(
        name="no such bucket",
        seed=environ(DEQUEUER_BUCKET="no-such-bucket"),
        check="bucket.exists",
        state="fault",
    ),
    Case(
        name="a bucket of another account",
        seed=environ(DEQUEUER_S3_BUCKET_OWNER="111122223333"),
        check="bucket.owner",
        state="fault",
    ),
    Case(
        name="a bucket of another region",
        seed=bucket_of_another_region,
        check="bucket.region",
        state="warning",
        also=frozenset({"queue.region"}),
    ),
    Case(
        name="writes that ask for another encryption",
        seed=environ(DEQUEUER_S3_SSE="aws:kms"),
        check="bucket.encryption",
        state="warning",
    ),
    Case(name="old versions that stay", seed=old_versions_stay, check="bucket.versioning", state="warning"),
    Case(
        name="a rule of other days",
        seed=lambda setup: setup.set_expiry(30),
        check="bucket.lifecycle",
        state="warning",
    ),
    Case(name="objects that are locked", seed=locked_bucket, check="bucket.object_lock", state="warning"),
    Case(name="a bucket that may be public", seed=public_bucket, check="bucket.public_access", state="warning"),
    Case(
        name="no permission to read attributes",
        seed=denied("sqs:GetQueueAttributes"),
        check="permission.sqs.get_queue_attributes",
        state="fault",
        also=frozenset({"queue.exists"}),
    ),
    Case(
        name="no permission to delete messages",
        seed=denied("sqs:DeleteMessage"),
        check="permission.sqs.delete_message",
        state="fault",
    ),
    Case(
        name="no permission to renew leases",
        seed=denied("sqs:ChangeMessageVisibility"),
        check="permission.sqs.change_message_visibility",
        state="fault",
    ),
    Case(
        name="no permission to list",
        seed=denied("s3:ListBucket"),
        check="permission.s3.list_bucket",
        state="fault",
    ),
    Case(
        name="no permission to read objects",
        seed=denied("s3:GetObject"),
        check="permission.s3.get_object",
        state="fault",
    ),
    Case(
        name="no permission to write objects",
        seed=denied_with_writes("s3:PutObject"),
        check="permission.s3.put_object",
        state="fault",
    ),
    Case(
        name="no permission to delete objects",
        seed=denied_with_writes("s3:DeleteObject"),
        check="permission.s3.delete_object",
        state="warning",
    ),
    Case(
        name="no permission to abort uploads",
        seed=denied("s3:AbortMultipartUpload"),
        check="permission.s3.abort_multipart_upload",
        state="warning",
    ),
    Case(
        name="no permission to read the rules",
        seed=denied("s3:GetLifecycleConfiguration"),
        check="permission.s3.get_lifecycle_configuration",
        state="warning",
    ),
    Case(name="a container that is not there", seed=container_gone, check="container.probe", state="fault"),
    Case(name="a container whose probe fails", seed=container_unwell, check="container.probe", state="fault"),
    Case(name="a container that speaks SSH", seed=no_http, check="container.http", state="fault"),
    Case(name="a port that somebody has", seed=port_in_use, check="pod.port", state="fault"),
    Case(name="a pod that is killed too soon", seed=flags("--pod-grace", "30"), check="pod.grace", state="fault"),
    Case(
        name="a gateway that lets everybody in",
        seed=gateway_without_tokens,
        check="gateway.tokens",
        state="warning",
        program="gateway",
    ),
    Case(
        name="webhooks without signatures",
        seed=unsigned_webhooks,
        check="webhooks.keys",
        state="warning",
        program="webhooks",
    ),
]


@contextmanager
def seeded(seed: Seed, setup: SetUp) -> Iterator[None]:
    """Make something wrong for the block."""
    made = seed(setup)
    if not isinstance(made, Iterator):
        yield
        return
    next(made)
    try:
        yield
    finally:
        next(made, None)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_it_is_found(setup: SetUp, case: Case) -> None:
    with seeded(case.seed, setup):
        found = setup.run(case.program)
    wrong = [one for one in found if one.verdict.state in {"warning", "fault"}]
    states = {str(one.id): one.verdict.state for one in wrong}
    assert states.get(case.check) == case.state, found
    assert states.keys() - case.also == {case.check}
    assert [one for one in wrong if not one.verdict.action] == [], "each says what to do"


def test_there_are_more_than_thirty() -> None:
    assert len(CASES) > 30
    assert len({case.name for case in CASES}) == len(CASES)


def test_a_role_with_only_the_permissions_of_the_sidecar_has_no_faults(setup: SetUp) -> None:
    queue, bucket = setup.queue.url.rpartition("/")[2], setup.bucket.name
    objects = f"arn:aws:s3:::{bucket}/cluster-uid/workloads/api/*"
    of_queue = ["GetQueueAttributes", "ReceiveMessage", "DeleteMessage", "ChangeMessageVisibility"]
    setup.front.policy = Policy(
        (
            *((f"sqs:{action}", f"arn:aws:sqs:*:*:{queue}") for action in of_queue),
            *((f"s3:{action}", f"arn:aws:s3:::{bucket}") for action in ("ListBucket", "GetLifecycleConfiguration")),
            *((f"s3:{action}", objects) for action in ("GetObject", "PutObject", "AbortMultipartUpload")),
        )
    )
    states = {str(one.id): one.verdict.state for one in setup.run()}
    assert "fault" not in states.values()
    # What only people look at is not known to such a role, and is no fault.
    assert states["bucket.encryption"] == states["bucket.versioning"] == states["bucket.public_access"] == "not_known"
    assert states["dead_letters.exists"] == "not_known"
