"""A bucket in another region than the configured one: S3 names it, and all requests go there."""

import asyncio
import re
from dataclasses import replace

import pytest

from dequeuer.clients.choice import ClientName, connect
from dequeuer.clients.slim import SlimAws
from dequeuer.core.errors import StoreDeniedError
from dequeuer.core.events import ignore
from dequeuer.settings import AwsSettings
from tests.hostile.server import read_request, serving
from tests.sinks.fake_s3 import answer

KEYS = {"AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_CONFIG_FILE": "/dev/null"}
CLIENTS: tuple[ClientName, ...] = ("slim", "sdk")
THERE = "ap-south-1"


@pytest.fixture(autouse=True)
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)


class Bucket:
    """Refuses requests that are signed for another region."""

    def __init__(self, status: int, code: str, named: str = THERE) -> None:
        body = f"<Error><Code>{code}</Code><Region>{named}</Region></Error>".encode()
        self.refusal = answer(status, body, x_amz_bucket_region=named)
        self.regions: list[str] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            asked = await read_request(reader)
            found = re.search(rb"Credential=AKID/[0-9]+/([a-z0-9-]+)/s3/", asked)
            assert found is not None
            self.regions.append(found[1].decode())
            writer.write(
                answer(200, b"body" if asked.startswith(b"GET") else b"", ETag='"e"')
                if self.regions[-1] == THERE
                else self.refusal
            )
            await writer.drain()


def where(url: str | None) -> AwsSettings:
    return AwsSettings(region="eu-west-1", endpoint_url=url, endpoint_url_sqs=None, endpoint_url_s3=None)


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize(
    ("status", "code"), [(301, "PermanentRedirect"), (307, "TemporaryRedirect"), (400, "AuthorizationHeaderMalformed")]
)
async def test_the_bucket_is_followed_to_its_region(client: ClientName, status: int, code: str) -> None:
    bucket = Bucket(status, code)
    async with serving(bucket.serve) as port:
        cloud = connect(where(f"http://127.0.0.1:{port}"), client, KEYS)
        store = cloud.store("bucket", ignore)
        for _ in range(2):
            payload = await store.get("key")
            assert b"".join([chunk async for chunk in payload.chunks]) == b"body"
        await store.put("key", b"x", "text/plain")
        await cloud.close()
    assert bucket.regions == ["eu-west-1", THERE, THERE, THERE]


async def test_a_denial_that_names_another_region() -> None:
    bucket = Bucket(403, "AccessDenied")
    async with serving(bucket.serve) as port:
        cloud = connect(where(f"http://127.0.0.1:{port}"), "slim", KEYS)
        await cloud.store("bucket", ignore).put("key", b"x", "text/plain")
        await cloud.close()
    assert bucket.regions == ["eu-west-1", THERE]


@pytest.mark.parametrize("named", ["eu-west-1", "x.evil.example", ""])
async def test_a_refusal_about_something_else_stays_one(named: str) -> None:
    bucket = Bucket(403, "AccessDenied", named)
    async with serving(bucket.serve) as port:
        cloud = connect(where(f"http://127.0.0.1:{port}"), "slim", KEYS)
        with pytest.raises(StoreDeniedError):
            await cloud.store("bucket", ignore).put("key", b"x", "text/plain")
        await cloud.close()
    assert bucket.regions == ["eu-west-1"]


@pytest.mark.parametrize(
    ("bucket", "host"),
    [("bucket", "bucket.s3.cn-north-1.amazonaws.com.cn"), ("my.bucket", "s3.cn-north-1.amazonaws.com.cn")],
)
async def test_the_server_follows_the_region(bucket: str, host: str) -> None:
    endpoint, _ = SlimAws(where(None), KEYS)._s3(bucket)
    moved = endpoint._redirect("cn-north-1")
    assert moved is not None
    assert moved.authority == host
    await endpoint.close()


@pytest.mark.parametrize("client", CLIENTS)
async def test_lifecycle_requests_have_the_owner_header(client: ClientName) -> None:
    owners: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            found = re.search(rb"(?i)x-amz-expected-bucket-owner: ?([0-9]+)", await read_request(reader))
            owners.append(found[1] if found else b"")
            body = b"<Error><Code>NoSuchLifecycleConfiguration</Code></Error>"
            writer.write(answer(404, body) if len(owners) == 1 else answer(200))
            await writer.drain()

    async with serving(serve) as port:
        settings = replace(where(f"http://127.0.0.1:{port}"), s3_bucket_owner="123456789012")
        cloud = connect(settings, client, KEYS)
        assert await cloud.ensure_expiry(bucket="bucket", prefix="uid/", days=7) == "written"
        await cloud.close()
    assert owners == [b"123456789012"] * 2
