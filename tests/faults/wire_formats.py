"""What a request of the sidecar asks for, read off the wire: SQS's JSON protocol and S3 by path."""

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
"""What a history calls the message that ends a job, and all copies of it."""
_KEY = re.compile(r"cluster-uid/workloads/api/(?P<ref>[^/]+)/(?P<name>.+)\Z")
_DELETED_KEY = re.compile(rb"<Key>([^<]+)</Key>")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """One thing that a request asks for; `entry` is its id within a batch of SQS."""

    op: Op
    ref: str = ""
    delivery: str = ""
    name: str = ""
    digest: str = ""
    seconds: float = 0.0
    entry: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """One message in the answer to a receive."""

    ref: str
    delivery: str
    message_id: str
    seconds: float
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Wire:
    """A request as it came: `op` is what faults are aimed at."""

    service: Service
    op: str
    asks: Sequence[Ask] = ()
    lease_s: float = 0.0


def digest_of(content: bytes) -> str:
    """Return the digest of a history: what S3 answers as the ETag of a simple object."""
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def delivery_of(receipt: str) -> str:
    """Return a short name for a receipt handle."""
    return hashlib.sha256(receipt.encode()).hexdigest()[:10]


def ref_of(body: str) -> str:
    """Return what a history calls a message: the request id, or the number of the batch."""
    if body == "job_complete":
        return COMPLETION
    return f"batch-{json.loads(body)[0]['n']}" if body.startswith("[") else body


def read_request(method: str, raw_path: str, headers: Mapping[str, str], body: bytes) -> Wire:
    """Tell what a request asks for."""
    target = headers.get("X-Amz-Target", "")
    return _read_sqs(target.rpartition(".")[2], json.loads(body)) if target else _read_s3(method, raw_path, body)


def _read_sqs(op: str, request: Mapping[str, Any]) -> Wire:
    lease_s = float(request.get("VisibilityTimeout", 0))
    entries = request.get("Entries", ())
    asks: list[Ask] = []
    if op == "DeleteMessageBatch":
        asks = [Ask(op="ack", delivery=delivery_of(entry["ReceiptHandle"]), entry=entry["Id"]) for entry in entries]
    elif op == "ChangeMessageVisibilityBatch":
        asks = [
            Ask(
                op="extend",
                delivery=delivery_of(entry["ReceiptHandle"]),
                entry=entry["Id"],
                seconds=float(entry["VisibilityTimeout"]),
            )
            for entry in entries
        ]
    return Wire(service="sqs", op=op, asks=asks, lease_s=lease_s)


def _read_s3(method: str, raw_path: str, body: bytes) -> Wire:
    parts = urlsplit(raw_path)
    _, _, key = unquote(parts.path).removeprefix("/").partition("/")
    if method == "POST" and parts.query.startswith("delete"):
        asks = [_object_ask("delete", unquote(found.decode())) for found in _DELETED_KEY.findall(body)]
        return Wire(service="s3", op="DELETE", asks=asks)
    if not key:
        return Wire(service="s3", op="LIST" if "prefix=" in parts.query else "BUCKET")
    if method == "PUT":
        return Wire(service="s3", op="PUT", asks=[_object_ask("write", key, digest_of(body))])
    return Wire(service="s3", op=method, asks=[_object_ask("delete", key)] if method == "DELETE" else ())


def _object_ask(op: Op, key: str, digest: str = "") -> Ask:
    found = _KEY.fullmatch(key)
    if found is None:
        return Ask(op=op, name=key, digest=digest)
    return Ask(op=op, ref=found["ref"], name=found["name"], digest=digest)


def messages_in(answer: bytes, lease_s: float) -> list[Given]:
    """Return the messages that the answer to a receive hands out."""
    return [
        Given(
            ref=ref_of(message["Body"]),
            delivery=delivery_of(message["ReceiptHandle"]),
            message_id=message["MessageId"],
            seconds=lease_s,
            count=int(message["Attributes"]["ApproximateReceiveCount"]),
        )
        for message in json.loads(answer).get("Messages") or ()
    ]


def granted(wire: Wire, status: int, answer: bytes) -> list[Ask]:
    """Return what took effect, by the answer."""
    if status >= 300:
        return []
    if wire.service == "s3" or not wire.asks:
        return list(wire.asks)
    successful = {entry["Id"] for entry in json.loads(answer).get("Successful") or ()}
    return [ask for ask in wire.asks if ask.entry in successful]
