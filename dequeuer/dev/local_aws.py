"""The embedded SQS and S3 (ministack): how it is started, and the bucket and the queues that are created in it."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from collections.abc import Mapping
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


async def make_bucket_and_queues(endpoint_url: str, queue_names: Mapping[str, str]) -> dict[str, str]:
    """Create `BUCKET` and the queues; return the URLs of the queues by the name of the API.

    Call `environment.remove_aws_settings` first.

    Args:
        endpoint_url: of SQS and S3.
        queue_names: the queue of each API.

    Raises:
        DevError: a call to SQS or S3 failed.
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
            return queue_urls
    except (BotoCoreError, ClientError) as error:
        text = f"the embedded SQS and S3 cannot be used ({clip(str(error))}): run again with --verbose to see their log"
        raise DevError(text) from error
