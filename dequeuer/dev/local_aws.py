"""The embedded SQS and S3 (ministack): how it is started, and the bucket and the queues that are created in it."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiobotocore.session
from aiobotocore.config import AioConfig
from botocore.exceptions import BotoCoreError, ClientError

from dequeuer.core.errors import clip
from dequeuer.dev import environment
from dequeuer.dev.errors import DevError
from dequeuer.process.ports import HOST

CLUSTER_UID = "dev"
BUCKET = "dequeuer-dev"
API_NAME = "sample"


def find_server(path: str | None) -> list[str]:
    """Return the command that starts ministack; `path` is the user's `PATH`.

    Raises:
        DevError: ministack is not installed.
    """
    if importlib.util.find_spec("ministack") is not None:
        return [sys.executable, "-P", "-m", "ministack"]
    beside = str(Path(sys.executable).parent)
    script = shutil.which("ministack", path=beside) or shutil.which("ministack", path=path)
    if script is None:
        raise DevError("ministack, the embedded SQS and S3, is not installed: pip install 'dequeuer[dev]'")
    return [script]


def server_environment(base: Mapping[str, str], port: int) -> dict[str, str]:
    """Return the environment of ministack; `base` is the result of `base_environment`."""
    return {
        **base,
        "BIND_HOST": HOST,
        "MINISTACK_HOST": HOST,
        "GATEWAY_PORT": str(port),
        "SERVICES": "sqs,s3",
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        # With a Docker socket ministack would remove the containers of every other ministack on the machine at start.
        "DOCKER_HOST": "unix:///nonexistent/docker.sock",
        "MINISTACK_REGION": environment.REGION,
        "S3_DATA_DIR": f"{base['TMPDIR']}/s3",
        "STATE_DIR": f"{base['TMPDIR']}/state",
    }


def queue_name(api_name: str, *, fifo: bool) -> str:
    """Return the name of the queue of an async API."""
    name = f"cx_{CLUSTER_UID}_a_{api_name}_1"
    return f"{name}.fifo" if fifo else name


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalAws:
    """What was created in the local SQS and S3, besides `BUCKET`.

    Attributes:
        queue_urls: by the name of the API.
        s3: the client of the SDK.
    """

    queue_urls: Mapping[str, str]
    s3: Any

    async def read_lines(self, prefix: str) -> list[str]:
        """Return the lines of the objects below a prefix, in the order of their keys. Only for a few small objects."""
        listed = await self.s3.list_objects_v2(Bucket=BUCKET, Prefix=prefix)
        lines: list[str] = []
        for entry in listed.get("Contents", ()):
            answer = await self.s3.get_object(Bucket=BUCKET, Key=entry["Key"])
            async with answer["Body"] as body:
                lines += (await body.read()).decode().splitlines()
        return lines


@asynccontextmanager
async def open_local_aws(endpoint_url: str, queue_names: Mapping[str, str]) -> AsyncIterator[LocalAws]:
    """Create the bucket and the queues. Call `environment.remove_aws_settings` first.

    Args:
        endpoint_url: of SQS and S3.
        queue_names: the queue of each API.

    Raises:
        DevError: a call to SQS or S3 failed, here or within the context.
    """
    session = aiobotocore.session.get_session()

    def client(service: str) -> Any:
        return session.create_client(
            service,
            region_name=environment.REGION,
            endpoint_url=endpoint_url,
            aws_access_key_id=environment.KEY_ID,
            aws_secret_access_key=environment.SECRET,
            config=AioConfig(connect_timeout=5, read_timeout=20, s3={"addressing_style": "path"}),
        )

    try:
        async with client("s3") as s3:
            await s3.create_bucket(Bucket=BUCKET)
            queue_urls: dict[str, str] = {}
            async with client("sqs") as sqs:
                for api_name, name in queue_names.items():
                    attributes = {"FifoQueue": "true"} if name.endswith(".fifo") else {}
                    created = await sqs.create_queue(QueueName=name, Attributes=attributes)
                    queue_urls[api_name] = created["QueueUrl"]
            yield LocalAws(queue_urls=queue_urls, s3=s3)
    except (BotoCoreError, ClientError) as error:
        text = f"the embedded SQS and S3 cannot be used ({clip(str(error))}): run again with --verbose to see their log"
        raise DevError(text) from error
