"""Parses requests and responses of the sidecar: the JSON protocol of SQS, and S3 with the bucket in the path."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import unquote, urlsplit

from tests.history.records import Op

Service = Literal["sqs", "s3"]
COMPLETION = "completion"
"""The ref of the completion message of a job, and of all its copies."""
_KEY = re.compile(r"cluster-uid/workloads/api/(?P<ref>[^/]+)/(?P<name>.+)\Z")
_DELETED_KEY = re.compile(rb"<Key>([^<]+)</Key>")


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One operation of a request. `entry`: its id within a batch request of SQS."""

    op: Op
    ref: str = ""
    delivery: str = ""
    name: str = ""
    digest: str = ""
    seconds: float = 0.0
    entry: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivered:
    """One message in the response to a receive."""

    ref: str
    delivery: str
    message_id: str
    seconds: float
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WireRequest:
    """A parsed request. Faults are selected by `op`, the name of the operation."""

    service: Service
    op: str
    operations: Sequence[Operation] = ()
    lease_s: float = 0.0


def digest_of(content: bytes) -> str:
    """Return the digest that the history has: the ETag of S3 for an object that was not uploaded in parts."""
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def delivery_of(receipt: str) -> str:
    """Return a short name of a receipt handle."""
    return hashlib.sha256(receipt.encode()).hexdigest()[:10]


def ref_of(body: str) -> str:
    """Return the ref of a message in the history: the request id, or the number of the batch."""
    if body == "job_complete":
        return COMPLETION
    return f"batch-{json.loads(body)[0]['n']}" if body.startswith("[") else body


def read_request(method: str, raw_path: str, headers: Mapping[str, str], body: bytes) -> WireRequest:
    """Return the operations of a request."""
    target = headers.get("X-Amz-Target", "")
    return _read_sqs(target.rpartition(".")[2], json.loads(body)) if target else _read_s3(method, raw_path, body)


def _read_sqs(op: str, request: Mapping[str, Any]) -> WireRequest:
    lease_s = float(request.get("VisibilityTimeout", 0))
    entries = request.get("Entries", ())
    operations: list[Operation] = []
    if op == "DeleteMessageBatch":
        operations = [
            Operation(op="ack", delivery=delivery_of(entry["ReceiptHandle"]), entry=entry["Id"]) for entry in entries
        ]
    elif op == "ChangeMessageVisibilityBatch":
        operations = [
            Operation(
                op="extend",
                delivery=delivery_of(entry["ReceiptHandle"]),
                entry=entry["Id"],
                seconds=float(entry["VisibilityTimeout"]),
            )
            for entry in entries
        ]
    elif op == "SendMessage":
        operations = [Operation(op="send", ref=ref_of(request["MessageBody"]))]
    return WireRequest(service="sqs", op=op, operations=operations, lease_s=lease_s)


def _read_s3(method: str, raw_path: str, body: bytes) -> WireRequest:
    parts = urlsplit(raw_path)
    _, _, key = unquote(parts.path).removeprefix("/").partition("/")
    if method == "POST" and parts.query.startswith("delete"):
        operations = [_object_operation("delete", unquote(found.decode())) for found in _DELETED_KEY.findall(body)]
        return WireRequest(service="s3", op="DELETE", operations=operations)
    if not key:
        return WireRequest(service="s3", op="LIST" if "prefix=" in parts.query else "BUCKET")
    if method == "PUT":
        return WireRequest(service="s3", op="PUT", operations=[_object_operation("write", key, digest_of(body))])
    return WireRequest(
        service="s3", op=method, operations=[_object_operation("delete", key)] if method == "DELETE" else ()
    )


def _object_operation(op: Op, key: str, digest: str = "") -> Operation:
    found = _KEY.fullmatch(key)
    if found is None:
        return Operation(op=op, name=key, digest=digest)
    return Operation(op=op, ref=found["ref"], name=found["name"], digest=digest)


def messages_in(answer: bytes, lease_s: float) -> list[Delivered]:
    """Return the messages in the response to a receive."""
    return [
        Delivered(
            ref=ref_of(message["Body"]),
            delivery=delivery_of(message["ReceiptHandle"]),
            message_id=message["MessageId"],
            seconds=lease_s,
            count=int(message["Attributes"]["ApproximateReceiveCount"]),
        )
        for message in json.loads(answer).get("Messages") or ()
    ]


def successful(wire: WireRequest, status: int, answer: bytes) -> list[Operation]:
    """Return the operations that had an effect, according to the response."""
    if status >= 300:
        return []
    if wire.service == "s3" or not wire.operations or wire.op == "SendMessage":
        return list(wire.operations)
    successful = {entry["Id"] for entry in json.loads(answer).get("Successful") or ()}
    return [operation for operation in wire.operations if operation.entry in successful]
