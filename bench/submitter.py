"""Submits requests to a queue and a store, as Cortex's gateway does."""

from __future__ import annotations

import http.client
import json
import uuid
from collections.abc import Mapping, Sequence

from bench.child import BenchError
from bench.wire_format import BUCKET, HEADERS_JSON, KEYS, REGION, json_text, key


class Submitter:
    """SQS and S3 at one port of 127.0.0.1."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        scope = f"{KEYS['AWS_ACCESS_KEY_ID']}/20261120/{REGION}/{{}}/aws4_request"
        self._authorization = f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature={'a' * 64}"

    def queue(self) -> str:
        """Create a queue and the bucket; return the queue URL."""
        self._ask("s3", "PUT", f"/{BUCKET}", b"", {})
        url: str = json.loads(self._sqs("CreateQueue", {"QueueName": f"q-{uuid.uuid4().hex}"}))["QueueUrl"]
        return url

    def submit(self, queue_url: str, messages: int) -> None:
        """Submit requests; their messages are sent in batches of ten."""
        payload, json_type = json_text(1024), {"Content-Type": "application/json"}
        ids = [str(uuid.uuid4()) for _ in range(messages)]
        for request_id in ids:
            self._ask("s3", "PUT", key(request_id, "headers.json"), HEADERS_JSON, json_type)
            self._ask("s3", "PUT", key(request_id, "payload"), payload, json_type)
            self._ask("s3", "PUT", key(request_id, "status/in_queue"), b"", {"Content-Type": "text/plain"})
        for at in range(0, messages, 10):
            self._send(queue_url, ids[at : at + 10])

    def _send(self, queue_url: str, ids: Sequence[str]) -> None:
        entries = [{"Id": str(at), "MessageBody": request_id} for at, request_id in enumerate(ids)]
        self._sqs("SendMessageBatch", {"QueueUrl": queue_url, "Entries": entries})

    def is_empty(self, queue_url: str) -> bool:
        """Return whether the queue has no messages, neither visible nor in flight."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        asked = {"QueueUrl": queue_url, "AttributeNames": names}
        attributes = json.loads(self._sqs("GetQueueAttributes", asked))["Attributes"]
        return not sum(int(attributes[name]) for name in names)

    def _sqs(self, action: str, asked: Mapping[str, object]) -> bytes:
        fields = {"Content-Type": "application/x-amz-json-1.0", "X-Amz-Target": f"AmazonSQS.{action}"}
        return self._ask("sqs", "POST", "/", json.dumps(asked).encode(), fields)

    def _ask(self, service: str, method: str, target: str, body: bytes, fields: dict[str, str]) -> bytes:
        more = {"Authorization": self._authorization.format(service), "X-Amz-Date": "20261120T100000Z"}
        self._connection.request(method, target, body, fields | more)
        answer = self._connection.getresponse()
        text = answer.read()
        if answer.status >= 300:
            said = text[:300].decode(errors="replace")
            raise BenchError(f"fauxqs answered {answer.status} to {method} {target}: {said}")
        return text
