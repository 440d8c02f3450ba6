"""The state at the end of a run: the messages in the queues, and the objects of each request."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import Any

from tests.faults.wire_formats import ref_of
from tests.history.records import Final
from tests.integration.cloud import Bucket, Cloud, Queue
from tests.integration.waiting import eventually

_KEY = re.compile(r"cluster-uid/workloads/api/(?P<ref>[^/]+)/(?P<name>.+)\Z")
READ_TIMEOUT_S = 40.0


def snapshot(cloud: Cloud, queue: Queue, bucket: Bucket | None) -> Final:
    """Read and delete all messages, and list all objects. Call it when all sidecars have ended."""
    return Final(
        queued=_refs(cloud, queue),
        dead=_refs(cloud, queue.dead_letters) if queue.dead_letters else frozenset(),
        objects=_objects(bucket) if bucket else {},
    )


def _refs(cloud: Cloud, queue: Queue) -> frozenset[str]:
    refs: set[str] = set()

    def read_all() -> bool:
        entries: list[dict[str, Any]] = cloud.sqs.receive_message(
            QueueUrl=queue.url, MaxNumberOfMessages=10, VisibilityTimeout=60
        ).get("Messages", [])
        for message in entries:
            refs.add(ref_of(message["Body"]))
            cloud.sqs.delete_message(QueueUrl=queue.url, ReceiptHandle=message["ReceiptHandle"])
        return not entries and queue.is_empty()

    eventually(read_all, "the remaining messages to be visible", READ_TIMEOUT_S)
    return frozenset(refs)


def _objects(bucket: Bucket) -> dict[str, dict[str, str]]:
    found: defaultdict[str, dict[str, str]] = defaultdict(dict)
    for page in bucket.s3.get_paginator("list_objects_v2").paginate(Bucket=bucket.name):
        for entry in page.get("Contents", ()):
            match = _KEY.fullmatch(entry["Key"])
            if match is not None:
                # The ETag of a simple object is the digest of its content.
                found[match["ref"]][match["name"]] = entry["ETag"].strip('"')
    return dict(found)


def delete_all(cloud: Cloud, queue: Queue, bucket: Bucket | None) -> None:
    """Delete queues and bucket. In a run of two hours the servers would otherwise fill the memory."""
    if bucket is not None:
        for page in bucket.s3.get_paginator("list_objects_v2").paginate(Bucket=bucket.name):
            if keys := [{"Key": entry["Key"]} for entry in page.get("Contents", ())]:
                bucket.s3.delete_objects(Bucket=bucket.name, Delete={"Objects": keys})
        bucket.s3.delete_bucket(Bucket=bucket.name)
    for old in filter(None, (queue, queue.dead_letters)):
        cloud.sqs.delete_queue(QueueUrl=old.url)
