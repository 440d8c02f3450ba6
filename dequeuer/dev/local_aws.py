"""The embedded SQS and S3 (ministack): how it is started, and the bucket and queue that are created in it."""

from __future__ import annotations

import importlib.util
import shutil
import sys
import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
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
JOB_ID = "dev-job"
MAX_BATCH_SEND = 10


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


def queue_name(kind: str, *, fifo: bool) -> str:
    """Return a queue name in Cortex's layout: prefix, kind of API, API name, and the job or deployment."""
    name = f"cx_{CLUSTER_UID}_{kind[0]}_{API_NAME}_{JOB_ID if kind == 'batch' else '1'}"
    return f"{name}.fifo" if fifo else name


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalAws:
    """The queue of the local stack. Its bucket exists, too."""

    queue_url: str
    sqs: Any

    async def send_batches(self, bodies: Sequence[str]) -> list[str]:
        """Enqueue batches; return their message ids in the same order.

        Raises:
            DevError: the queue accepted only some of them.
        """
        ids: list[str] = []
        for first in range(0, len(bodies), MAX_BATCH_SEND):
            entries = [
                {"Id": str(number), "MessageBody": body} | self._fifo_fields()
                for number, body in enumerate(bodies[first : first + MAX_BATCH_SEND])
            ]
            answer = await self.sqs.send_message_batch(QueueUrl=self.queue_url, Entries=entries)
            taken = {entry["Id"]: entry["MessageId"] for entry in answer.get("Successful", [])}
            if len(taken) < len(entries):
                raise DevError("the embedded SQS did not take all batches: run again with --verbose to see its log")
            ids += [taken[entry["Id"]] for entry in entries]
        return ids

    async def send_completion(self) -> str:
        """Enqueue the completion message of the job; return its id."""
        values = {"job_complete": "true", "api_name": API_NAME, "job_id": JOB_ID}
        answer = await self.sqs.send_message(
            QueueUrl=self.queue_url,
            MessageBody="job_complete",
            MessageAttributes={name: {"DataType": "String", "StringValue": value} for name, value in values.items()},
            **self._fifo_fields(),
        )
        return str(answer["MessageId"])

    def _fifo_fields(self) -> dict[str, str]:
        # Each message has its own message group, as in Cortex: otherwise messages would wait for each other.
        one = str(uuid.uuid4())
        return {"MessageGroupId": one, "MessageDeduplicationId": one} if self.queue_url.endswith(".fifo") else {}


@asynccontextmanager
async def open_local_aws(endpoint_url: str, name: str) -> AsyncIterator[LocalAws]:
    """Create the bucket and the queue `name`. Call `environment.remove_aws_settings` first.

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
        async with client("sqs") as sqs:
            async with client("s3") as s3:
                await s3.create_bucket(Bucket=BUCKET)
            attributes = {"FifoQueue": "true"} if name.endswith(".fifo") else {}
            created = await sqs.create_queue(QueueName=name, Attributes=attributes)
            yield LocalAws(queue_url=created["QueueUrl"], sqs=sqs)
    except (BotoCoreError, ClientError) as error:
        text = f"the embedded SQS and S3 cannot be used ({clip(str(error))}): run again with --verbose to see their log"
        raise DevError(text) from error
