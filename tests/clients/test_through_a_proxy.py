"""Endpoints that only the SDK's clients support: a proxy in this process records where they connect to."""

import asyncio
import contextlib
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from dequeuer.clients.choice import AwsResources, choose, connect
from dequeuer.core.errors import StoreUnavailableError
from dequeuer.core.events import ignore
from dequeuer.settings import AwsSettings
from tests.hostile.server import serving

ROOT = Path(__file__).resolve().parents[2]
KEYS = {"AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_CONFIG_FILE": "/dev/null"}
QUEUE = "https://sqs.us-east-1.amazonaws.com/123456789012/q"
ARN = "arn:aws:s3:us-east-1:123456789012:accesspoint/mine"


class Proxy:
    """Refuses every tunnel, and records its target."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.url = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        self.asked.append(head.split(" ")[1])
        writer.write(b"HTTP/1.1 503 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        await writer.drain()


@pytest.fixture
async def proxy(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Proxy]:
    for name in ("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    proxy = Proxy()
    async with serving(proxy.serve) as port:
        proxy.url = f"http://127.0.0.1:{port}"
        for name, value in (KEYS | {"HTTPS_PROXY": proxy.url, "HTTP_PROXY": proxy.url}).items():
            monkeypatch.setenv(name, value)
        yield proxy


CASES: dict[str, tuple[str, dict[str, str], str, str]] = {
    "a proxy": ("bucket", {}, "sqs.us-east-1.amazonaws.com:443", "bucket.s3.us-east-1.amazonaws.com:443"),
    "FIPS": (
        "bucket",
        {"AWS_USE_FIPS_ENDPOINT": "true"},
        "sqs-fips.us-east-1.amazonaws.com:443",
        "bucket.s3-fips.us-east-1.amazonaws.com:443",
    ),
    "dual-stack": (
        "bucket",
        {"AWS_USE_DUALSTACK_ENDPOINT": "true"},
        "sqs.us-east-1.api.aws:443",
        "bucket.s3.dualstack.us-east-1.amazonaws.com:443",
    ),
    "an access point": (
        ARN,
        {},
        "sqs.us-east-1.amazonaws.com:443",
        "mine-123456789012.s3-accesspoint.us-east-1.amazonaws.com:443",
    ),
    "a directory bucket": (
        "mine--use1-az4--x-s3",
        {},
        "sqs.us-east-1.amazonaws.com:443",
        "mine--use1-az4--x-s3.s3express-use1-az4.us-east-1.amazonaws.com:443",
    ),
}


@pytest.mark.parametrize("name", CASES)
async def test_both_services_are_asked_there(name: str, proxy: Proxy, monkeypatch: pytest.MonkeyPatch) -> None:
    bucket, more, queue_host, bucket_host = CASES[name]
    for variable, value in more.items():
        monkeypatch.setenv(variable, value)
    where = AwsSettings(region="us-east-1", endpoint_url=None, endpoint_url_sqs=None, endpoint_url_s3=None)
    client, reasons = choose(where, os.environ, AwsResources(bucket, (QUEUE,)))
    assert client == "sdk"
    assert reasons
    cloud = connect(where, client, os.environ)
    async with cloud.sqs(longest_wait_s=0) as sqs:
        with contextlib.suppress(Exception):
            await sqs.get_queue_attributes(QueueUrl=QUEUE, AttributeNames=["All"])
    assert proxy.asked[-1] == queue_host
    with pytest.raises(StoreUnavailableError):
        await cloud.store(bucket, ignore).put("key", b"x", "text/plain")
    await cloud.close()
    assert proxy.asked[-1].replace("bucket.s3.amazonaws.com", "bucket.s3.us-east-1.amazonaws.com") == bucket_host


@pytest.mark.parametrize("command", [[], ["gateway"]], ids=["sidecar", "gateway"])
def test_slim_with_an_access_point_is_exit_status_2(command: list[str], tmp_path: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "dequeuer", *command],
        env={
            **KEYS,
            "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path]),
            "AWS_REGION": "us-east-1",
            "DEQUEUER_AWS_CLIENT": "slim",
            "DEQUEUER_BUCKET": ARN,
            "DEQUEUER_CLUSTER_UID": "uid",
            "DEQUEUER_API_KIND": "async",
            "DEQUEUER_API_NAME": "api",
            "DEQUEUER_QUEUE_URL": QUEUE,
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        cwd=tmp_path,
    )
    assert ran.returncode == 2
    assert "DEQUEUER_AWS_CLIENT: slim, and DEQUEUER_BUCKET is the ARN" in ran.stderr
