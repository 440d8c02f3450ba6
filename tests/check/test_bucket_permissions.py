from __future__ import annotations

from typing import TYPE_CHECKING, cast

import pytest

from dequeuer.check.aws_access import AwsAccess
from dequeuer.check.bucket_facts import BucketFacts, BucketRead, Known, Unread
from dequeuer.check.bucket_permissions import ask_bucket
from dequeuer.check.permission_result import Allowed, NotAsked, PermissionResult, Refused
from dequeuer.check.plan import BucketNeed
from dequeuer.core.events import Observer
from dequeuer.sinks.s3.lifecycle_xml import RuleState
from tests.check.test_buckets import aws
from tests.fakes import MemoryStore

if TYPE_CHECKING:
    from dequeuer.clients.sdk import Aws
    from dequeuer.sources.sqs.operations import SqsClient

NEED = BucketNeed(name="b", option="DEQUEUER_BUCKET", below="uid/workloads/api/")
UNREAD = Unread(reason="S3 answered 403 AccessDenied", is_denied=True)


class FakeAws:
    """The one method of the clients that is needed here."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store

    def store(self, bucket: str, observer: Observer, *, is_foreign: bool = False) -> MemoryStore:
        return self._store


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


def read_of(
    versioning: Known[str] | Unread | None = None, rule: Known[RuleState] | Unread | None = None
) -> BucketFacts:
    return BucketFacts(
        region="us-west-2",
        versioning=versioning or Known(value=None),
        encryption=UNREAD,
        rule=rule or Known(value="missing"),
        lock_days=UNREAD,
        is_blocked=UNREAD,
    )


async def ask(store: MemoryStore, action: str, read: BucketRead, *, writes: bool = False) -> PermissionResult:
    access = AwsAccess(
        settings=aws(),
        cloud=cast("Aws", FakeAws(store)),
        sqs=cast("SqsClient", None),
        slim=None,
        sdk_because="a test",
        writes=writes,
    )
    return await ask_bucket(access, f"s3:{action}", NEED, NEED.below, read)


@pytest.mark.parametrize(
    "action",
    ["ListBucket", "GetObject", "PutObject", "DeleteObject", "AbortMultipartUpload", "PutLifecycleConfiguration"],
)
async def test_without_writes_nothing_is_written_or_deleted(store: MemoryStore, action: str) -> None:
    await ask(store, action, read_of())
    assert store.journal == []


async def test_with_writes_an_upload_is_begun_and_a_missing_object_deleted(store: MemoryStore) -> None:
    assert await ask(store, "PutObject", read_of(), writes=True) == Allowed()
    assert await ask(store, "DeleteObject", read_of(), writes=True) == Allowed()
    key = "uid/workloads/api/.dequeuer-write-check/result.json"
    assert store.journal == [("check", key), ("delete", key)]


@pytest.mark.parametrize("versioning", [Known(value="Enabled"), Known(value="Suspended"), UNREAD])
async def test_where_a_delete_marker_could_stay_nothing_is_deleted(
    store: MemoryStore, versioning: Known[str] | Unread
) -> None:
    result = await ask(store, "DeleteObject", read_of(versioning), writes=True)
    assert isinstance(result, NotAsked)
    assert store.journal == []


@pytest.mark.parametrize("action", ["ListBucket", "GetObject", "PutObject", "DeleteObject"])
async def test_a_refusal_is_a_missing_permission(store: MemoryStore, action: str) -> None:
    store.refuse(
        {"ListBucket": "list", "GetObject": "get", "PutObject": "check_write", "DeleteObject": "delete"}[action]
    )
    assert isinstance(await ask(store, action, read_of(), writes=True), Refused)


async def test_a_read_that_is_refused_to_who_may_not_list_says_nothing(store: MemoryStore) -> None:
    store.refuse("get", "list")
    assert isinstance(await ask(store, "GetObject", None), NotAsked)


async def test_of_a_bucket_that_cannot_be_looked_at_nothing_is_asked(store: MemoryStore) -> None:
    store.refuse("list")
    assert await ask(store, "ListBucket", UNREAD) == NotAsked(reason=UNREAD.reason)


@pytest.mark.parametrize(
    ("action", "rule", "expected"),
    [
        ("GetLifecycleConfiguration", Known(value="missing"), Allowed),
        ("GetLifecycleConfiguration", UNREAD, Refused),
        ("GetLifecycleConfiguration", Unread(reason="S3 answered 503"), NotAsked),
        ("PutLifecycleConfiguration", Known(value="there"), Allowed),
        ("PutLifecycleConfiguration", Known(value="missing"), NotAsked),
        ("PutLifecycleConfiguration", UNREAD, NotAsked),
    ],
)
async def test_the_permissions_on_the_rules(
    store: MemoryStore, action: str, rule: Known[RuleState] | Unread, expected: type[PermissionResult]
) -> None:
    assert isinstance(await ask(store, action, read_of(rule=rule)), expected)
