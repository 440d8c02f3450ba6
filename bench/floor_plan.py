"""The requests of the floor: ready-made, with the length of signed ones."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Final, Literal, TypeAlias

from bench.canned.queue import RECEIPT
from bench.wire_format import API, BUCKET, CLUSTER, HEADERS, JOB, KEYS, QUEUE_PATH, json_text, key

Step: TypeAlias = tuple[Literal["s3", "container"], bytes]

WIRE_FORMAT: Final[dict[str, dict[str, float]]] = {
    # Cortex's requests for one message, in its order. Queue calls are for ten messages.
    "async": {"GetObject": 2, "POST": 1, "PutObject": 3, "DeleteObject": 1},
    "batch": {"POST": 1},
}
ORDER: Final = (
    "ListObjectsV2",
    "GetObject",
    "POST",
    "PutObject",
    "DeleteObject",
    "DeleteObjects",
)
TENS: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One run of the floor.

    Attributes:
        kind: the kind of API.
        sqs_port: the port of the queue.
        s3_port: the port of the store.
        container_port: the port of the container.
        authority: the file of the certificate authority of queue and store; empty means HTTP.
        workers: the number of messages at a time.
        messages: the number of all messages.
        requests: requests per message by operation. With 0.1 a request is sent for every tenth message.
        receive_limit: the maximum number of messages per ReceiveMessage.
        delete_batch: the number of messages per DeleteMessageBatch.
    """

    kind: Literal["async", "batch"]
    sqs_port: int
    s3_port: int
    container_port: int
    authority: str
    workers: int
    messages: int
    requests: Mapping[str, float]
    receive_limit: int = TENS
    delete_batch: int = TENS


def same_requests(counted: Mapping[str, int], messages: int) -> tuple[dict[str, float], int, int]:
    """Return the requests per message, the messages per receive, and the messages per deletion, as counted."""
    requests = {name: counted[name] / messages for name in ORDER if counted.get(name)}
    return requests, _per_call(counted, "ReceiveMessage", messages), _per_call(counted, "DeleteMessageBatch", messages)


def _per_call(counted: Mapping[str, int], operation: str, messages: int) -> int:
    calls = counted.get(operation, 0)
    return min(TENS, max(1, round(messages / calls))) if calls else TENS


def due(requests: Mapping[str, float]) -> Iterator[list[str]]:
    """Yield the operations of each message. Over many messages, each operation has the rate in `requests`."""
    owed = dict.fromkeys(requests, 0.0)
    order = [name for name in ORDER if name in requests]
    while True:
        now: list[str] = []
        for name in order:
            owed[name] += requests[name]
            # In floating point, ten times 0.1 is a little less than 1.
            times = int(owed[name] + 1e-9)
            owed[name] -= times
            now += [name] * times
        yield now


def steps(plan: Plan) -> Iterator[deque[Step]]:
    """Yield the requests of each message."""
    templates = _templates(plan)
    for names in due(plan.requests):
        gets = 0
        row: deque[Step] = deque()
        for name in names:
            variants = templates[name]
            row.append(variants[gets % len(variants)])
            gets += name == "GetObject"
        yield row


def receive(plan: Plan) -> bytes:
    """Return a ReceiveMessage request."""
    asked = {
        "QueueUrl": f"http://127.0.0.1:{plan.sqs_port}{QUEUE_PATH}",
        "MaxNumberOfMessages": plan.receive_limit,
        "VisibilityTimeout": 30,
        "WaitTimeSeconds": 20,
        "MessageSystemAttributeNames": ["ApproximateReceiveCount", "SentTimestamp"],
        "MessageAttributeNames": ["All"],
    }
    return _sqs("ReceiveMessage", json.dumps(asked).encode())


@cache
def _deletion(port: int, count: int) -> bytes:
    entries = [{"Id": str(at), "ReceiptHandle": RECEIPT} for at in range(count)]
    body = json.dumps({"QueueUrl": f"http://127.0.0.1:{port}{QUEUE_PATH}", "Entries": entries}).encode()
    return _sqs("DeleteMessageBatch", body)


def status() -> bytes:
    """Return the PUT of a status."""
    name = "0000abcd-5b1e-4c8a-9d2f-6a7b8c9d0e1f"
    return _signed("PUT", key(name, "status/in_queue"), more={"Content-Type": "text/plain"})


def send(sqs_port: int) -> bytes:
    """Return a SendMessage with a payload of 1 KB in it."""
    url = f"http://127.0.0.1:{sqs_port}{QUEUE_PATH}"
    body = json.dumps({"QueueUrl": url, "MessageBody": "x" * 1800})
    return _sqs("SendMessage", body.encode())


def delete_batch(plan: Plan, count: int) -> bytes:
    """Return a DeleteMessageBatch request with `count` entries."""
    return _deletion(plan.sqs_port, count)


def _templates(plan: Plan) -> dict[str, tuple[Step, ...]]:
    name = "0000abcd-5b1e-4c8a-9d2f-6a7b8c9d0e1f"
    body = json_text(1024)
    deletion = f"<Delete><Quiet>true</Quiet><Object><Key>{key(name, 'payload')}</Key></Object></Delete>".encode()
    reads: tuple[Step, ...] = tuple(("s3", _signed("GET", key(name, part))) for part in ("payload", "headers.json"))
    return {
        "ListObjectsV2": (("s3", _signed("GET", f"/{BUCKET}?list-type=2&prefix={CLUSTER}")),),
        "GetObject": reads,
        "POST": (("container", _post(plan, body)),),
        "PutObject": (("s3", _signed("PUT", key(name, "result.json"), body)),),
        "DeleteObject": (("s3", _signed("DELETE", key(name, "payload"))),),
        "DeleteObjects": (("s3", _signed("POST", f"/{BUCKET}?delete=", deletion)),),
    }


def _post(plan: Plan, body: bytes) -> bytes:
    fields = {name: values[0] for name, values in HEADERS.items()} | {"X-Cortex-Request-ID": API}
    if plan.kind == "batch":
        fields = {"Content-Type": "application/json", "X-Cortex-Job-ID": JOB}
    return _request("POST", "/", fields, body)


def _sqs(action: str, body: bytes) -> bytes:
    more = {"Content-Type": "application/x-amz-json-1.0", "X-Amz-Target": f"AmazonSQS.{action}"}
    return _signed("POST", "/", body, more)


def _signed(method: str, target: str, body: bytes = b"", more: Mapping[str, str] | None = None) -> bytes:
    scope = f"{KEYS['AWS_ACCESS_KEY_ID']}/20261120/us-west-2/s3/aws4_request"
    names = "host;x-amz-content-sha256;x-amz-date;x-amz-security-token"
    fields = {
        "x-amz-content-sha256": "e" * 64,
        "x-amz-date": "20261120T100000Z",
        "x-amz-security-token": KEYS["AWS_SESSION_TOKEN"],
        "Authorization": f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders={names}, Signature={'a' * 64}",
    }
    return _request(method, target, fields | dict(more or {}), body)


def _request(method: str, target: str, fields: Mapping[str, str], body: bytes) -> bytes:
    lines = [f"{method} {target} HTTP/1.1", "Host: 127.0.0.1"]
    lines += [f"{name}: {value}" for name, value in fields.items()]
    if method in ("PUT", "POST"):
        lines.append(f"Content-Length: {len(body)}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + body
