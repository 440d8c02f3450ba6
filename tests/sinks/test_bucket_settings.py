"""The settings of a bucket, with both clients, at a server that stores documents as S3 does."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Callable, Iterator

import boto3
import pytest

from dequeuer.clients.base import AdminCloud
from dequeuer.clients.choice import ClientName, connect
from dequeuer.core.errors import StoreDeniedError, StoreUnavailableError
from dequeuer.settings import AwsSettings
from dequeuer.sinks.bucket_settings import BucketSetting, Facts, region_of
from dequeuer.sinks.s3.bucket import Bucket
from dequeuer.sinks.s3.bucket_settings import SlimBucketSettings
from tests.hostile.server import read_request, serving
from tests.moto_server import moto_server
from tests.sinks.fake_s3 import answer, fields_of, refusal
from tests.sinks.stores import slim_endpoint

REGION = "eu-west-1"
KEYS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
POLICY = {
    "Version": "2012-10-17",
    "Statement": [{"Sid": "S", "Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "arn:aws:s3:::b"}],
}
ASKED: list[tuple[BucketSetting, Facts]] = [
    (
        "publicAccessBlock",
        {
            "BlockPublicAcls": "true",
            "IgnorePublicAcls": "false",
            "BlockPublicPolicy": "true",
            "RestrictPublicBuckets": "true",
        },
    ),
    ("ownershipControls", {"ObjectOwnership": "BucketOwnerEnforced"}),
    ("encryption", {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": "alias/a&b", "BucketKeyEnabled": "true"}),
    ("encryption", {"SSEAlgorithm": "AES256"}),
]


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with moto_server() as url:
        yield url


@pytest.fixture
def name() -> str:
    return f"b-{uuid.uuid4().hex[:12]}"


@pytest.fixture(params=["slim", "sdk"])
def connected(
    server: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str], AdminCloud]:
    """Connects to a region with one of the clients."""
    for variable, value in KEYS.items():
        monkeypatch.setenv(variable, value)
    client: ClientName = request.param

    def connected(region: str) -> AdminCloud:
        where = AwsSettings(region=region, endpoint_url=server, endpoint_url_sqs=None, endpoint_url_s3=None)
        return connect(where, client, KEYS)

    return connected


@pytest.fixture
def cloud(connected: Callable[[str], AdminCloud]) -> AdminCloud:
    return connected(REGION)


async def test_a_bucket_is_created_once_and_found(cloud: AdminCloud, server: str, name: str) -> None:
    async with cloud.bucket_settings(name) as bucket:
        assert await bucket.find() is None
        await bucket.create(REGION)
        await bucket.create(REGION)
        assert await bucket.find() is False
        assert await bucket.read("location") == {"LocationConstraint": REGION}
        keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
        s3 = boto3.client("s3", endpoint_url=server, region_name=REGION, **keys)
        s3.put_object(Bucket=name, Key="k", Body=b"")
        assert await bucket.find() is True
    await cloud.close()


async def test_a_bucket_of_the_first_region_has_no_location(connected: Callable[[str], AdminCloud], name: str) -> None:
    cloud = connected("us-east-1")
    async with cloud.bucket_settings(name) as bucket:
        await bucket.create("us-east-1")
        assert await bucket.read("location") == {"LocationConstraint": "us-east-1"}
    await cloud.close()


@pytest.mark.parametrize(("setting", "facts"), ASKED, ids=["public access", "ownership", "own key", "key of S3"])
async def test_a_setting_is_read_as_it_was_written(
    cloud: AdminCloud, name: str, setting: BucketSetting, facts: Facts
) -> None:
    async with cloud.bucket_settings(name) as bucket:
        await bucket.create(REGION)
        if setting != "encryption":  # which every bucket has
            assert await bucket.read(setting) is None
        await bucket.write(setting, facts)
        found = await bucket.read(setting)
    assert found is not None
    assert facts.items() <= found.items()
    await cloud.close()


async def test_a_policy_is_read_as_it_was_written(cloud: AdminCloud, name: str) -> None:
    async with cloud.bucket_settings(name) as bucket:
        await bucket.create(REGION)
        assert await bucket.read("policy") is None
        await bucket.write("policy", {"Policy": json.dumps(POLICY)})
        found = await bucket.read("policy")
    assert found is not None
    assert json.loads(found["Policy"]) == POLICY
    await cloud.close()


async def test_the_lifecycle_rule_is_looked_for_without_being_written(cloud: AdminCloud, name: str) -> None:
    async with cloud.bucket_settings(name) as bucket:
        await bucket.create(REGION)
    rule = {"bucket": name, "prefix": "uid/workloads/"}
    assert not await cloud.has_expiry(**rule, days=7)
    assert not await cloud.has_expiry(**rule, days=7)
    assert await cloud.ensure_expiry(**rule, days=7) == "written"
    assert await cloud.has_expiry(**rule, days=7)
    assert not await cloud.has_expiry(**rule, days=8)
    await cloud.close()


async def test_settings_of_a_bucket_that_does_not_exist_are_refused(cloud: AdminCloud, name: str) -> None:
    async with cloud.bucket_settings(name) as bucket:
        with pytest.raises(StoreDeniedError) as caught:
            await bucket.read("encryption")
    assert caught.value.code == "NoSuchBucket"
    with pytest.raises(StoreDeniedError):
        await cloud.has_expiry(bucket=name, prefix="uid/", days=7)
    await cloud.close()


@pytest.mark.parametrize(
    ("response", "error", "text"),
    [
        (refusal(409, "BucketAlreadyExists"), StoreDeniedError, "another account has a bucket of this name"),
        (refusal(409, "OperationAborted"), StoreUnavailableError, "OperationAborted"),
        (refusal(404, "NoSuchThing"), StoreDeniedError, "NoSuchThing"),
        (refusal(403, "AccessDenied"), StoreDeniedError, "AccessDenied"),
        (refusal(503, "SlowDown"), StoreUnavailableError, "SlowDown"),
    ],
)
async def test_refusals_of_a_creation(response: bytes, error: type[Exception], text: str) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(response)
        await writer.drain()

    async with serving(serve) as port:
        endpoint = slim_endpoint(f"http://127.0.0.1:{port}")
        settings = SlimBucketSettings(Bucket(endpoint, "bucket", path_style=True))
        with pytest.raises(error, match=text):
            await settings.create(REGION)
        await endpoint.close()


async def test_what_s3_demands_of_a_write_is_sent() -> None:
    seen: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await read_request(reader))
        writer.write(answer(200))
        await writer.drain()

    async with serving(serve) as port:
        endpoint = slim_endpoint(f"http://127.0.0.1:{port}")
        settings = SlimBucketSettings(Bucket(endpoint, "bucket", path_style=True))
        await settings.write(
            "encryption", {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": "<&>", "BucketKeyEnabled": "true"}
        )
        await endpoint.close()
    [request] = seen
    head, _, body = request.partition(b"\r\n\r\n")
    assert head.startswith(b"PUT /bucket?encryption= HTTP/1.1\r\n")
    assert b"content-md5:" in head.lower()
    assert body == (
        b'<ServerSideEncryptionConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Rule>'
        b"<ApplyServerSideEncryptionByDefault><SSEAlgorithm>aws:kms</SSEAlgorithm>"
        b"<KMSMasterKeyID>&lt;&amp;&gt;</KMSMasterKeyID></ApplyServerSideEncryptionByDefault>"
        b"<BucketKeyEnabled>true</BucketKeyEnabled></Rule></ServerSideEncryptionConfiguration>"
    )


@pytest.mark.parametrize("client", ["slim", "sdk"])
async def test_the_owner_of_a_bucket_is_compared_unless_it_is_created(
    client: ClientName, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable, value in KEYS.items():
        monkeypatch.setenv(variable, value)
    owners: list[str | None] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while request := await read_request(reader):
            owners.append(fields_of(request).get("x-amz-expected-bucket-owner"))
            writer.write(answer(200, b"<ListBucketResult></ListBucketResult>"))
            await writer.drain()

    async with serving(serve) as port:
        where = AwsSettings(
            region=REGION,
            endpoint_url=f"http://127.0.0.1:{port}",
            endpoint_url_sqs=None,
            endpoint_url_s3=None,
            s3_bucket_owner="123456789012",
        )
        cloud = connect(where, client, KEYS)
        async with cloud.bucket_settings("bucket") as bucket:
            await bucket.find()
            await bucket.create(REGION)
            await bucket.write("ownershipControls", {"ObjectOwnership": "BucketOwnerEnforced"})
        await cloud.close()
    assert owners == ["123456789012", None, "123456789012"]


@pytest.mark.parametrize(("location", "region"), [("", "us-east-1"), ("EU", "eu-west-1"), ("eu-west-2", "eu-west-2")])
def test_old_names_of_locations_are_regions(location: str, region: str) -> None:
    assert region_of(location) == region
