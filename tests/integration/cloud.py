"""SQS and S3 through boto3, as a user sees them: queues, a bucket, requests in the format of Cortex."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

REGION = "us-west-2"
KEYS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
CLUSTER = "cluster-uid"


class Queue:
    """One queue."""

    def __init__(self, sqs: Any, url: str, dead_letters: Queue | None = None) -> None:
        self._sqs = sqs
        self.url = url
        self.dead_letters = dead_letters
        self.is_fifo = url.endswith(".fifo")

    def send(self, body: str, **attributes: str) -> None:
        """Send a message; in a FIFO queue it is its own group."""
        name = uuid.uuid4().hex
        fifo = {"MessageGroupId": name, "MessageDeduplicationId": name} if self.is_fifo else {}
        typed = {key: {"DataType": "String", "StringValue": value} for key, value in attributes.items()}
        self._sqs.send_message(QueueUrl=self.url, MessageBody=body, MessageAttributes=typed, **fifo)

    def send_completion(self, job_id: str) -> None:
        """Send the completion message of a batch job."""
        self.send("job_complete", job_complete="true", api_name="api", job_id=job_id)

    def count(self) -> int:
        """Return how many messages are neither deleted nor moved."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        attributes = self._sqs.get_queue_attributes(QueueUrl=self.url, AttributeNames=names)["Attributes"]
        return sum(int(attributes[name]) for name in names)

    def is_empty(self) -> bool:
        """Return whether no message is left."""
        return self.count() == 0

    def take(self) -> tuple[str, int] | None:
        """Receive one message now: its body and how often it was received, this time included."""
        answer = self._sqs.receive_message(
            QueueUrl=self.url, MessageSystemAttributeNames=["ApproximateReceiveCount"], VisibilityTimeout=1
        )
        for message in answer.get("Messages", ()):
            return message["Body"], int(message["Attributes"]["ApproximateReceiveCount"])
        return None


class Cloud:
    """A server of SQS and S3."""

    def __init__(self, name: str, url: str) -> None:
        self.name = name
        self.url = url
        options = {
            "endpoint_url": url,
            "region_name": REGION,
            "aws_access_key_id": "test",
            "aws_secret_access_key": "test",
            "config": Config(s3={"addressing_style": "path"}, max_pool_connections=20, retries={"max_attempts": 5}),
        }
        self.sqs = boto3.client("sqs", **options)
        self.s3 = boto3.client("s3", **options)

    def queue(self, *, fifo: bool = False, max_receives: int | None = None) -> Queue:
        """Create a queue; with `max_receives` it has a dead-letter queue."""
        name = f"q-{uuid.uuid4().hex[:12]}"
        suffix, attributes = ("", {})
        if fifo:
            suffix, attributes = ".fifo", {"FifoQueue": "true"}
        dead_letters = None
        if max_receives is not None:
            url = self.sqs.create_queue(QueueName=f"{name}-dead{suffix}", Attributes=attributes)["QueueUrl"]
            arn = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
            policy = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": str(max_receives)})
            attributes = attributes | {"RedrivePolicy": policy}
            dead_letters = Queue(self.sqs, url)
        url = self.sqs.create_queue(QueueName=f"{name}{suffix}", Attributes=attributes)["QueueUrl"]
        return Queue(self.sqs, url, dead_letters)

    def bucket(self) -> Bucket:
        """Create a bucket."""
        name = f"b-{uuid.uuid4().hex[:12]}"
        self.s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
        return Bucket(self.s3, name)


class Bucket:
    """A bucket with the requests of one API."""

    def __init__(self, s3: Any, name: str) -> None:
        self.s3 = s3
        self.name = name

    def key(self, request_id: str, name: str) -> str:
        """Return the key of an object of a request."""
        return f"{CLUSTER}/workloads/api/{request_id}/{name}"

    def put(self, request_id: str, name: str, body: bytes, content_type: str = "text/plain") -> None:
        """Write an object of a request."""
        self.s3.put_object(Bucket=self.name, Key=self.key(request_id, name), Body=body, ContentType=content_type)

    def submit(
        self,
        queue: Queue,
        payload: bytes | None = b"payload",
        headers: Mapping[str, list[str]] | bytes | None = None,
        request_id: str | None = None,
    ) -> str:
        """Submit a request as Cortex's gateway does. `payload` None leaves it out."""
        request_id = request_id or str(uuid.uuid4())
        raw = (
            headers if isinstance(headers, bytes) else json.dumps(headers or {"Content-Type": ["text/plain"]}).encode()
        )
        self.put(request_id, "headers.json", raw, "application/json")
        if payload is not None:
            self.put(request_id, "payload", payload)
        self.put(request_id, "status/in_queue", b"")
        queue.send(request_id)
        return request_id

    def get(self, request_id: str, name: str) -> tuple[bytes, str] | None:
        """Read an object of a request: content and type."""
        try:
            found = self.s3.get_object(Bucket=self.name, Key=self.key(request_id, name))
        except ClientError as error:
            if error.response["Error"]["Code"] in {"NoSuchKey", "404"}:
                return None
            raise
        return found["Body"].read(), found["ContentType"]

    def names(self, request_id: str) -> set[str]:
        """Return the objects of a request."""
        prefix = self.key(request_id, "")
        listed = self.s3.list_objects_v2(Bucket=self.name, Prefix=prefix).get("Contents", ())
        return {entry["Key"].removeprefix(prefix) for entry in listed}

    def ended(self, request_id: str) -> str | None:
        """Return `completed` or `failed`, once it is one of them and the input is tidied up."""
        names = self.names(request_id)
        if "status/completed" in names and not names & {"payload", "headers.json"}:
            return "completed"
        return "failed" if "status/failed" in names and "headers.json" not in names else None

    def failure(self, request_id: str) -> dict[str, Any]:
        """Return the content of `status/failed`."""
        found = self.get(request_id, "status/failed")
        assert found is not None
        loaded: dict[str, Any] = json.loads(found[0])
        return loaded

    def completed(self) -> int:
        """Count the requests that were completed."""
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.name)
        return sum(entry["Key"].endswith("/status/completed") for page in pages for entry in page.get("Contents", ()))
