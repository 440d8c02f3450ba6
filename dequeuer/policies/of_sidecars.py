"""What the sidecars need: of an async API, of any queue, of a batch job."""

from __future__ import annotations

from typing import Final

from dequeuer.policies.needs import Actions, needs_of
from dequeuer.policies.patterns import (
    BUCKET,
    BUS,
    EVENTS_QUEUE,
    JOBS,
    KEY,
    OUTPUT,
    OUTPUT_OBJECTS,
    PAYLOADS,
    QUEUE,
    QUEUE_RESULTS,
    REQUESTS,
    TOPIC,
    WEBHOOK_QUEUE,
)

RECEIVING: Final = ("sqs:GetQueueAttributes", "sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility")
OWN_KEY: Final = Actions(actions=("kms:Decrypt", "kms:GenerateDataKey"), resources=(KEY,), case="own_key")

_NO_START: Final = "exit 1 at start-up"
_NOT_DELETED: Final = (
    "the first requests are done and stored, and kept in flight until their deletion is allowed; "
    "nothing more is received"
)
_WITHOUT_RECEIVING: Final[dict[str, str]] = {
    "sqs:GetQueueAttributes": _NO_START,
    "sqs:ReceiveMessage": ("nothing is received; /healthz is 500; the call is tried again every few seconds"),
    "sqs:DeleteMessage": _NOT_DELETED,
    "sqs:ChangeMessageVisibility": (
        "requests shorter than half of DEQUEUER_VISIBILITY_TIMEOUT are done; "
        "a longer one is cancelled when its lease is over"
    ),
}
_PARTS_STAY: Final = "work continues; parts of aborted uploads stay"
_NOT_SENT_AGAIN: Final = (
    "a message that would be released at its last receive, although nothing has failed, moves to the dead-letter "
    "queue; work continues"
)
_EARLY_COMPLETION: Final = (
    "a completion message that came too early is released instead of sent again, which costs a receive each time"
)

ASYNC: Final = needs_of(
    "async",
    "async",
    (
        Actions(actions=RECEIVING, resources=(QUEUE,)),
        Actions(actions=("s3:ListBucket",), resources=(BUCKET,)),
        Actions(
            actions=("s3:GetLifecycleConfiguration", "s3:PutLifecycleConfiguration"),
            resources=(BUCKET,),
            case="expiry",
        ),
        Actions(
            actions=("s3:GetObject", "s3:PutObject", "s3:AbortMultipartUpload", "s3:DeleteObject"),
            resources=(REQUESTS,),
        ),
        OWN_KEY,
    ),
    _WITHOUT_RECEIVING
    | {
        "s3:ListBucket": _NO_START,
        "s3:PutObject": _NO_START,
        "kms:GenerateDataKey": _NO_START,
        "s3:GetObject": (
            "messages are released, nothing more is received; after DEQUEUER_MAX_ATTEMPTS receives a request is failed"
        ),
        "kms:Decrypt": (
            "for the queue the same as without sqs:ReceiveMessage, for the bucket the same as without s3:GetObject; "
            "results above 5 MiB cannot be written"
        ),
        "s3:DeleteObject": (
            "work continues; payload and headers, which may hold credentials, stay until the lifecycle rule deletes "
            "them"
        ),
        "s3:AbortMultipartUpload": f"{_PARTS_STAY} until the lifecycle rule deletes them",
        "s3:GetLifecycleConfiguration": "work continues, with one warning; the lifecycle rule is not written",
        "s3:PutLifecycleConfiguration": "work continues, with one warning; the lifecycle rule is not written",
    },
    optional=(
        "s3:AbortMultipartUpload",
        "s3:DeleteObject",
        "s3:GetLifecycleConfiguration",
        "s3:PutLifecycleConfiguration",
    ),
)
ASYNC_REDRIVE: Final = needs_of(
    "async-redrive",
    "async",
    (Actions(actions=("sqs:SendMessage",), resources=(QUEUE,), case="redrive"),),
    {"sqs:SendMessage": _NOT_SENT_AGAIN},
    optional=("sqs:SendMessage",),
)
ASYNC_ENDS: Final = needs_of(
    "async-ends",
    "async",
    (
        Actions(actions=("sqs:SendMessage",), resources=(WEBHOOK_QUEUE,), case="webhooks"),
        Actions(actions=("sqs:SendMessage",), resources=(EVENTS_QUEUE,), case="events_queue"),
        Actions(actions=("sns:Publish",), resources=(TOPIC,), case="events_topic"),
        Actions(actions=("events:PutEvents",), resources=(BUS,), case="events_bus"),
    ),
    {},
    otherwise="finished requests are kept in flight",
)

QUEUE_KIND: Final = needs_of("queue", "queue", (Actions(actions=RECEIVING, resources=(QUEUE,)),), _WITHOUT_RECEIVING)
QUEUE_REDRIVE: Final = needs_of(
    "queue-redrive",
    "queue",
    (Actions(actions=("sqs:SendMessage",), resources=(QUEUE,), case="redrive"),),
    {"sqs:SendMessage": _NOT_SENT_AGAIN},
    optional=("sqs:SendMessage",),
)
QUEUE_OBJECTS: Final = needs_of(
    "queue-objects",
    "queue",
    (
        Actions(actions=("s3:ListBucket",), resources=(BUCKET,), case="results"),
        Actions(actions=("s3:ListBucket",), resources=(PAYLOADS,), case="payloads"),
        Actions(actions=("s3:PutObject", "s3:AbortMultipartUpload"), resources=(QUEUE_RESULTS,), case="results"),
        Actions(actions=("s3:GetObject",), resources=(PAYLOADS + "/*",), case="payloads"),
        Actions(actions=("s3:DeleteObject",), resources=(PAYLOADS + "/*",), case="payload_deletion"),
        OWN_KEY,
    ),
    {
        "s3:ListBucket": (
            f"on the bucket of the results: {_NO_START}. On the other: a read of a missing object counts as refused"
        ),
        "s3:PutObject": _NO_START,
        "s3:GetObject": (
            "messages with pointers are released, and are failed attempts from receive DEQUEUER_MAX_ATTEMPTS on. "
            "After each, nothing is received for 6 to 60 s"
        ),
        "s3:DeleteObject": "work continues; the payloads stay",
        "s3:AbortMultipartUpload": _PARTS_STAY,
    },
    otherwise=(
        "nothing is received from a queue with this key; objects with it cannot be read, and results not be written"
    ),
    optional=("s3:AbortMultipartUpload", "s3:DeleteObject"),
)

BATCH: Final = needs_of(
    "batch",
    "batch",
    (Actions(actions=(*RECEIVING, "sqs:SendMessage"), resources=(QUEUE,)), OWN_KEY),
    _WITHOUT_RECEIVING
    | {
        "sqs:SendMessage": _EARLY_COMPLETION,
        "kms:Decrypt": "the same as without sqs:ReceiveMessage",
        "kms:GenerateDataKey": _EARLY_COMPLETION,
    },
)
BATCH_OUTPUT: Final = needs_of(
    "batch-output",
    "batch",
    (
        Actions(actions=("s3:PutObject", "s3:AbortMultipartUpload"), resources=(JOBS,), case="job_objects"),
        Actions(actions=("s3:ListBucket",), resources=(OUTPUT,), case="results"),
        Actions(
            actions=("s3:GetObject", "s3:PutObject", "s3:AbortMultipartUpload"),
            resources=(OUTPUT_OBJECTS,),
            case="results",
        ),
    ),
    {
        "s3:PutObject": _NO_START,
        "s3:ListBucket": _NO_START,
        "s3:GetObject": (
            "a batch that is delivered twice, or has items that failed, waits in its message, and nothing more is "
            "received; others are done"
        ),
        "s3:AbortMultipartUpload": f"{_PARTS_STAY} until a lifecycle rule deletes them",
    },
    optional=("s3:AbortMultipartUpload",),
)
