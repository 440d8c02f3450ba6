"""To which server requests go, and for which region they are signed: the same for both clients, in every partition."""

import asyncio
import re
from collections.abc import AsyncIterator

import pytest

from dequeuer.clients.choice import ClientName, connect
from dequeuer.clients.regions import MAX_REGIONS
from dequeuer.clients.sdk import Aws
from dequeuer.clients.slim import SlimAws
from dequeuer.core.errors import SourceGoneError
from dequeuer.settings import AwsSettings
from tests.hostile.server import read_request, serving

KEYS = {"AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_CONFIG_FILE": "/dev/null"}
CLIENTS: tuple[ClientName, ...] = ("slim", "sdk")
REGIONS = (
    "us-east-1",
    "eu-west-1",
    "us-gov-west-1",
    "cn-north-1",
    "us-iso-east-1",
    "us-isob-east-1",
    "us-isof-south-1",
    "eu-isoe-west-1",
    "eusc-de-east-1",
)


@pytest.fixture(autouse=True)
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)


def where(region: str, endpoint_url: str | None = None) -> AwsSettings:
    return AwsSettings(region=region, endpoint_url=endpoint_url, endpoint_url_sqs=None, endpoint_url_s3=None)


@pytest.mark.parametrize("region", REGIONS)
async def test_both_clients_ask_the_same_servers(region: str) -> None:
    slim, sdk = SlimAws(where(region), KEYS), Aws(where(region))
    async with sdk._client("sqs", region, None, 1) as client:
        assert client.meta.endpoint_url == f"https://{slim._sqs_origin(region).authority}"
    async with sdk._client("s3", region, None, 1) as client:
        # us-east-1 has two names.
        spelt = client.meta.endpoint_url.replace("//s3.amazonaws.com", "//s3.us-east-1.amazonaws.com")
        assert spelt == f"https://{slim._s3('my.bucket')[0].authority}"
    await slim.close()
    await sdk.close()


class Queues:
    """Records the regions of the signatures; responds as set by the test."""

    def __init__(self) -> None:
        self.regions: list[str] = []
        self.url = ""
        self.response = b"HTTP/1.1 200 OK\r\nContent-Type: application/x-amz-json-1.0\r\nContent-Length: 2\r\n\r\n{}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            found = re.search(rb"Credential=AKID/[0-9]+/([a-z0-9-]+)/sqs/", await read_request(reader))
            assert found is not None
            self.regions.append(found[1].decode())
            writer.write(self.response)
            await writer.drain()


@pytest.fixture
async def queues() -> AsyncIterator[Queues]:
    queues = Queues()
    async with serving(queues.serve) as port:
        queues.url = f"http://127.0.0.1:{port}"
        yield queues


@pytest.mark.parametrize("client", CLIENTS)
async def test_the_region_of_the_queue_signs(client: ClientName, queues: Queues) -> None:
    cloud = connect(where("eu-west-1", queues.url), client, KEYS)
    urls = {
        "https://sqs.ap-south-1.amazonaws.com/123456789012/q": "ap-south-1",
        "https://us-west-2.queue.amazonaws.com/123456789012/q": "us-west-2",
        "https://queue.amazonaws.com/123456789012/q": "us-east-1",
        "https://sqs.cn-north-1.amazonaws.com.cn/123456789012/q": "cn-north-1",
        "https://vpce-1.sqs.us-gov-west-1.vpce.amazonaws.com/123456789012/q": "us-gov-west-1",
        "http://127.0.0.1:4566/123456789012/q": "eu-west-1",
    }
    async with cloud.sqs(longest_wait_s=0) as sqs:
        for url in urls:
            for _ in range(2):
                await sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])
    await cloud.close()
    assert queues.regions == [region for region in urls.values() for _ in range(2)]


async def test_regions_from_callers_open_a_limited_number_of_clients(queues: Queues) -> None:
    cloud = connect(where("eu-west-1", queues.url), "slim", KEYS)
    async with cloud.sqs(longest_wait_s=0) as sqs:
        for number in range(2 * MAX_REGIONS):
            await sqs.send_message(QueueUrl=f"https://sqs.us-x-{number}.amazonaws.com/123456789012/q", MessageBody="m")
    await cloud.close()
    assert len(set(queues.regions)) == MAX_REGIONS


@pytest.mark.parametrize("client", CLIENTS)
async def test_the_error_of_a_missing_queue_names_it_and_its_endpoint(client: ClientName, queues: Queues) -> None:
    body = b'{"__type":"com.amazonaws.sqs#QueueDoesNotExist","message":"none"}'
    kind = b"Content-Type: application/x-amz-json-1.0\r\n"
    queues.response = b"HTTP/1.1 400 Bad\r\n%bContent-Length: %d\r\n\r\n%b" % (kind, len(body), body)
    cloud = connect(where("eu-west-1", queues.url), client, KEYS)
    url = "https://sqs.us-west-2.amazonaws.com/123456789012/mine"
    async with cloud.sqs(longest_wait_s=0) as sqs:
        try:
            await sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])
        except Exception as error:  # noqa: BLE001 - translated, as its caller does
            kind_of_error, translated = cloud.translate(error)
    await cloud.close()
    assert (kind_of_error, type(translated)) == ("missing", SourceGoneError)
    for fact in (url, "us-west-2", queues.url.removeprefix("http://"), "DEQUEUER_QUEUE_URL"):
        assert fact in str(translated)
