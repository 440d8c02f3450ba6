import copy
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from dequeuer.core.errors import StoreDeniedError, StoreUnavailableError
from dequeuer.sinks.expiry import MISSING_PERMISSION, RULE_ID
from dequeuer.sinks.protection import ObjectProtection
from dequeuer.sinks.s3_sdk.lifecycle import ensure_expiry

OURS = {
    "ID": RULE_ID,
    "Status": "Enabled",
    "Filter": {"Prefix": "uid/workloads/"},
    "Expiration": {"Days": 7},
    "NoncurrentVersionExpiration": {"NoncurrentDays": 7},
    "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1},
}
CORTEX = {name: OURS[name] for name in ("ID", "Status", "Filter", "Expiration")}
THEIRS: list[dict[str, Any]] = [
    {
        "ID": "archive",
        "Status": "Enabled",
        "Filter": {"And": {"Prefix": "logs/", "Tags": [{"Key": "k", "Value": "v"}], "ObjectSizeGreaterThan": 5000}},
        "Transitions": [{"Days": 30, "StorageClass": "GLACIER"}],
        "NoncurrentVersionExpiration": {"NoncurrentDays": 3, "NewerNoncurrentVersions": 2},
    },
    {"ID": "legacy", "Status": "Disabled", "Prefix": "old/", "Expiration": {"Days": 1}},
    {"Status": "Enabled", "Filter": {}, "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1}},
]


def refusal(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": code}}, "Any")


class FakeS3:
    """Replaces the whole configuration with each PUT, as S3 does."""

    def __init__(self, rules: list[dict[str, Any]] | None = None, size: str | None = None) -> None:
        self.configuration: dict[str, Any] | None = {"Rules": rules} if rules is not None else None
        self.size = size
        self.puts = 0
        self.get_error: Exception | None = None
        self.put_error: Exception | None = None

    async def get_bucket_lifecycle_configuration(self, **request: object) -> Any:
        assert request == {"Bucket": "b"}
        if self.get_error is not None:
            raise self.get_error
        if self.configuration is None:
            raise refusal("NoSuchLifecycleConfiguration")
        answer = {"ResponseMetadata": {"HTTPStatusCode": 200}, **copy.deepcopy(self.configuration)}
        return answer | ({"TransitionDefaultMinimumObjectSize": self.size} if self.size else {})

    async def put_bucket_lifecycle_configuration(self, **request: Any) -> Any:
        if self.put_error is not None:
            raise self.put_error
        self.puts += 1
        self.configuration = request["LifecycleConfiguration"]
        self.size = request.get("TransitionDefaultMinimumObjectSize")


async def ensure(client: FakeS3, days: int = 7) -> str:
    return await ensure_expiry(client, bucket="b", prefix="uid/workloads/", days=days)


async def test_made_where_there_is_none() -> None:
    client = FakeS3()
    assert await ensure(client) == "written"
    assert client.configuration == {"Rules": [OURS]}


@pytest.mark.parametrize("size", [None, "varies_by_storage_class"])
async def test_rules_of_others_are_kept_unchanged(size: str | None) -> None:
    client = FakeS3(copy.deepcopy(THEIRS), size)
    assert await ensure(client) == "written"
    assert client.configuration == {"Rules": [*THEIRS, OURS]}
    assert client.size == size


async def test_nothing_is_written_when_it_is_there() -> None:
    client = FakeS3([*THEIRS, OURS])
    assert await ensure(client) == "unchanged"
    assert client.puts == 0


@pytest.mark.parametrize(
    "stale",
    [
        CORTEX,
        {**OURS, "Expiration": {"Days": 3}},
        {**OURS, "Status": "Disabled"},
        {**OURS, "Filter": {"Prefix": "elsewhere/"}},
        {"ID": RULE_ID, "Status": "Enabled", "Prefix": "uid/workloads/", "Expiration": {"Days": 7}},
    ],
)
async def test_a_stale_one_of_ours_is_corrected(stale: dict[str, Any]) -> None:
    client = FakeS3([THEIRS[0], stale, THEIRS[1]])
    assert await ensure(client) == "written"
    assert client.configuration == {"Rules": [THEIRS[0], THEIRS[1], OURS]}


async def test_lifecycle_calls_have_the_owner_of_the_bucket() -> None:
    class OwnedS3(FakeS3):
        async def get_bucket_lifecycle_configuration(self, **request: object) -> Any:
            assert request.pop("ExpectedBucketOwner") == "012345678901"
            return await super().get_bucket_lifecycle_configuration(**request)

        async def put_bucket_lifecycle_configuration(self, **request: Any) -> Any:
            assert request["ExpectedBucketOwner"] == "012345678901"
            await super().put_bucket_lifecycle_configuration(**request)

    owned = ObjectProtection(bucket_owner="012345678901")
    client = OwnedS3()
    assert await ensure_expiry(client, bucket="b", prefix="uid/workloads/", days=7, protection=owned) == "written"
    assert client.puts == 1


async def test_missing_permissions_are_named() -> None:
    client = FakeS3()
    client.get_error = refusal("AccessDenied")
    assert await ensure(client) == "may_not_read"
    client = FakeS3(copy.deepcopy(THEIRS))
    client.put_error = refusal("AccessDenied")
    assert await ensure(client) == "may_not_write"
    assert client.configuration == {"Rules": THEIRS}
    assert set(MISSING_PERMISSION.values()) == {"s3:GetLifecycleConfiguration", "s3:PutLifecycleConfiguration"}


@pytest.mark.parametrize(
    "error",
    [
        refusal("NotImplemented"),
        refusal("MalformedXML"),
        ClientError({"Error": {"Code": "Odd"}, "ResponseMetadata": {"HTTPStatusCode": 501}}, "Any"),
    ],
)
async def test_an_error_that_a_retry_does_not_change_is_reported_as_not_supported(error: ClientError) -> None:
    client = FakeS3(copy.deepcopy(THEIRS))
    client.put_error = error
    assert await ensure(client) == "not_supported"
    client.get_error = error
    assert await ensure(client) == "not_supported"


async def test_a_bucket_that_is_not_there() -> None:
    client = FakeS3()
    client.get_error = refusal("NoSuchBucket")
    with pytest.raises(StoreDeniedError, match="DEQUEUER_BUCKET"):
        await ensure(client)


@pytest.mark.parametrize(
    "error", [refusal("SlowDown"), EndpointConnectionError(endpoint_url="http://s3"), TimeoutError()]
)
async def test_a_temporary_error_is_raised_and_the_caller_retries(error: Exception) -> None:
    client = FakeS3(copy.deepcopy(THEIRS))
    client.get_error = error
    with pytest.raises(StoreUnavailableError):
        await ensure(client)
    client.get_error, client.put_error = None, error
    with pytest.raises(StoreUnavailableError):
        await ensure(client)
    assert client.configuration == {"Rules": THEIRS}


async def test_a_bug_is_not_taken_for_an_outage() -> None:
    client = FakeS3()
    client.get_error = KeyError()
    with pytest.raises(KeyError):
        await ensure(client)
