"""SQS and S3 in memory, as far as `dequeuer provision` uses them. A run can be killed at each call."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, TypeVar

from dequeuer.core.errors import StoreDeniedError
from dequeuer.provision.app import Plan, provision
from dequeuer.provision.queues import FoundQueue
from dequeuer.provision.steps import Step
from dequeuer.settings.provision_loading import load_provision
from dequeuer.sinks.bucket_settings import BucketSetting, BucketSettings, Facts, taken
from dequeuer.sinks.expiry import ExpiryChange
from dequeuer.sources.sqs.errors import SqsResponseError, translate
from dequeuer.sources.sqs.operations import QueueAdministration

T = TypeVar("T")

REGION = "us-west-2"
ACCOUNT = "123456789012"
ASYNC = (
    *("--api-kind", "async", "--api-name", "text", "--cluster-uid", "uid"),
    *("--queue", "work.fifo", "--bucket", "store"),
)
OF_NEW_BUCKETS: Mapping[str, Facts] = {
    "publicAccessBlock": dict.fromkeys(
        ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"), "true"
    ),
    "ownershipControls": {"ObjectOwnership": "BucketOwnerEnforced"},
    "encryption": {"SSEAlgorithm": "AES256", "BucketKeyEnabled": "false"},
}
"""What S3 gives each bucket since April 2023."""


class KilledError(BaseException):
    """The process ends here."""


def arn(name: str) -> str:
    return f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}"


def url(name: str) -> str:
    return f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/{name}"


@dataclass
class HeldQueue:
    attributes: dict[str, str]
    tags: dict[str, str]


@dataclass
class HeldBucket:
    region: str = REGION
    settings: dict[str, Facts] = field(default_factory=dict)
    has_objects: bool = False
    rule: tuple[str, int] | None = None


class FakeAws:
    """`ProvisioningCloud`. It counts calls; number `dies_at` (from 1) kills the run, before or after its effect.

    Attributes:
        queues, buckets: what is there.
        calls: every call, in order.
        taken: names of buckets of other accounts.
        refusals: error codes of SQS by the name of the call.
    """

    translate = staticmethod(translate)

    def __init__(self) -> None:
        self.queues: dict[str, HeldQueue] = {}
        self.buckets: dict[str, HeldBucket] = {}
        self.calls: list[str] = []
        self.taken: set[str] = set()
        self.refusals: dict[str, tuple[int, str]] = {}
        self.dies_at = 0
        self.dies_after_effect = False

    def state(self) -> object:
        """Return all that is there, to be compared."""
        return deepcopy((self.queues, self.buckets))

    def writes(self) -> list[str]:
        """Return the calls that change something."""
        return [call for call in self.calls if not call.startswith(("get_", "list_", "find", "read", "has_"))]

    def called(self, name: str) -> bool:
        """Count a call, which may be the last one; return whether its effect comes before the end."""
        self.calls.append(name)
        if status := self.refusals.get(name):
            raise SqsResponseError(*status, "says the test")
        if len(self.calls) != self.dies_at:
            return False
        if not self.dies_after_effect:
            raise KilledError
        return True

    @asynccontextmanager
    async def sqs(self, *, longest_wait_s: float) -> AsyncIterator[QueueAdministration]:
        assert longest_wait_s == 0
        yield _Sqs(self)

    def bucket_settings(self, bucket: str) -> AbstractAsyncContextManager[BucketSettings]:
        @asynccontextmanager
        async def opened() -> AsyncIterator[BucketSettings]:
            yield _Bucket(self, bucket)

        return opened()

    async def has_expiry(self, *, bucket: str, prefix: str, days: int) -> bool:
        dies = self.called("has_expiry")
        found = self.buckets[bucket].rule == (prefix, days)
        return _last(found, dies=dies)

    async def ensure_expiry(self, *, bucket: str, prefix: str, days: int) -> ExpiryChange:
        dies = self.called("ensure_expiry")
        self.buckets[bucket].rule = (prefix, days)
        change: ExpiryChange = "written"
        return _last(change, dies=dies)


def _last(result: T, *, dies: bool) -> T:
    if dies:
        raise KilledError
    return result


class _Sqs:
    """`QueueAdministration`."""

    def __init__(self, aws: FakeAws) -> None:
        self._aws = aws

    def _queue(self, request: Mapping[str, Any]) -> HeldQueue:
        return self._aws.queues[request["QueueUrl"].rpartition("/")[2]]

    async def get_queue_url(self, **request: Any) -> Any:
        dies = self._aws.called("get_queue_url")
        if request["QueueName"] not in self._aws.queues:
            _last(None, dies=dies)
            raise SqsResponseError(400, "AWS.SimpleQueueService.NonExistentQueue", "says the test")
        return _last({"QueueUrl": url(request["QueueName"])}, dies=dies)

    async def create_queue(self, **request: Any) -> Any:
        dies = self._aws.called("create_queue")
        name = request["QueueName"]
        policy = json.loads(request["Attributes"].get("RedrivePolicy", "{}"))
        if policy:
            target = self._aws.queues[policy["deadLetterTargetArn"].rpartition(":")[2]]
            allowed = json.loads(target.attributes.get("RedriveAllowPolicy", "{}"))
            assert not allowed or arn(name) in allowed["sourceQueueArns"]
        attributes = {**request["Attributes"], "QueueArn": arn(name)}
        self._aws.queues[name] = HeldQueue(attributes, dict(request["tags"]))
        return _last({"QueueUrl": url(name)}, dies=dies)

    async def get_queue_attributes(self, **request: Any) -> Any:
        dies = self._aws.called("get_queue_attributes")
        assert request["AttributeNames"] == ["All"]
        return _last({"Attributes": dict(self._queue(request).attributes)}, dies=dies)

    async def set_queue_attributes(self, **request: Any) -> Any:
        dies = self._aws.called("set_queue_attributes")
        self._queue(request).attributes.update(request["Attributes"])
        return _last({}, dies=dies)

    async def list_queue_tags(self, **request: Any) -> Any:
        dies = self._aws.called("list_queue_tags")
        return _last({"Tags": dict(self._queue(request).tags)}, dies=dies)

    async def tag_queue(self, **request: Any) -> Any:
        dies = self._aws.called("tag_queue")
        self._queue(request).tags.update(request["Tags"])
        return _last({}, dies=dies)

    async def purge_queue(self, **_: Any) -> Any:
        raise AssertionError("nothing is purged")

    async def delete_queue(self, **_: Any) -> Any:
        raise AssertionError("nothing is deleted")


class _Bucket:
    """`BucketSettings`. A new bucket has what S3 gives it."""

    def __init__(self, aws: FakeAws, name: str) -> None:
        self._aws = aws
        self._name = name

    async def find(self) -> bool | None:
        dies = self._aws.called("find")
        bucket = self._aws.buckets.get(self._name)
        return _last(bucket.has_objects if bucket else None, dies=dies)

    async def create(self, region: str) -> None:
        dies = self._aws.called("create")
        if self._name in self._aws.taken:
            raise taken()
        self._aws.buckets[self._name] = HeldBucket(region=region, settings=dict(OF_NEW_BUCKETS))
        _last(None, dies=dies)

    async def read(self, setting: BucketSetting) -> Facts | None:
        dies = self._aws.called(f"read {setting}")
        bucket = self._aws.buckets.get(self._name)
        if bucket is None:
            raise StoreDeniedError("no bucket", "NoSuchBucket")
        found = {"LocationConstraint": bucket.region} if setting == "location" else bucket.settings.get(setting)
        return _last(found, dies=dies)

    async def write(self, setting: BucketSetting, facts: Facts) -> None:
        dies = self._aws.called(f"write {setting}")
        implied = {"BucketKeyEnabled": "false"} if setting == "encryption" else {}
        self._aws.buckets[self._name].settings[setting] = {**implied, **facts}
        _last(None, dies=dies)


class Recorded(Plan):
    """A plan that keeps its steps."""

    def __init__(self) -> None:
        super().__init__()
        self.steps: list[Step] = []

    def add(self, step: Step) -> None:
        self.steps.append(step)
        super().add(step)

    def kinds(self) -> list[tuple[str, str]]:
        """Return the kind and the resource of each step."""
        return [(step.kind, step.resource) for step in self.steps]


async def run(
    aws: FakeAws, *flags: str, environ: Mapping[str, str] = MappingProxyType({})
) -> tuple[Recorded, Mapping[str, FoundQueue]]:
    """Provision once."""
    plan = Recorded()
    settings = load_provision(flags, {"AWS_REGION": REGION, **environ})
    return plan, await provision(aws, settings, plan)
