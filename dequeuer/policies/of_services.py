"""What the programs beside the sidecars need: enqueuer, gateway, controller, `dequeuer webhooks`."""

from __future__ import annotations

from typing import Final

from dequeuer.policies.needs import Actions, needs_of
from dequeuer.policies.of_sidecars import OWN_KEY, RECEIVING
from dequeuer.policies.patterns import (
    ALL_REQUESTS,
    BUCKET,
    DEAD_LETTERS,
    FILES,
    JOB_QUEUES,
    JOBS,
    OUTPUT,
    OUTPUT_OBJECTS,
    QUEUE,
    WEBHOOK_RECORDS,
)

_UNAVAILABLE: Final = "the calls that need it are answered with 503"
_PENDING: Final = "jobs stay pending"
_QUEUES_STAY: Final = "jobs end, but their queues, and what is read again and again of a job that runs, stay"
_NOT_READ: Final = "the status of a completed request is answered with 503, unless its result is left out"
_NOT_SUBMITTED: Final = "a submission is answered with 503"
_LEFTOVERS: Final = "objects that a failed submission has written stay until the lifecycle rule deletes them"
_UNKNOWN_REFUSALS: Final = (
    "webhooks are delivered, and a receiver that answers 410 is asked again and again, as after any other failure"
)

ENQUEUER: Final = needs_of(
    "enqueuer",
    "enqueuer",
    (
        Actions(actions=("sqs:GetQueueAttributes", "sqs:SendMessage"), resources=(QUEUE,)),
        Actions(actions=("s3:ListBucket",), resources=(BUCKET,)),
        Actions(actions=("s3:ListBucket",), resources=(FILES,), case="files"),
        Actions(actions=("s3:GetObject", "s3:PutObject", "s3:DeleteObject"), resources=(JOBS,)),
        Actions(actions=("s3:GetObject",), resources=(FILES + "/*",), case="files"),
        OWN_KEY,
    ),
    {},
    otherwise="the enqueuer ends with status 1, and the controller ends the job as enqueue_failed",
)

GATEWAY: Final = needs_of(
    "gateway",
    "gateway",
    (
        Actions(actions=("sqs:SendMessage",), resources=(QUEUE,)),
        Actions(actions=("s3:ListBucket",), resources=(BUCKET,)),
        Actions(
            actions=("s3:GetObject", "s3:PutObject", "s3:AbortMultipartUpload", "s3:DeleteObject"),
            resources=(ALL_REQUESTS,),
        ),
        OWN_KEY,
    ),
    {
        "s3:PutObject": _NOT_SUBMITTED,
        "sqs:SendMessage": _NOT_SUBMITTED,
        "kms:GenerateDataKey": _NOT_SUBMITTED,
        "s3:ListBucket": "a status is answered with 503",
        "s3:GetObject": _NOT_READ,
        "kms:Decrypt": (
            "the same as without s3:GetObject; submissions to an encrypted queue and uploads above 5 MiB are answered "
            "with 503"
        ),
        "s3:DeleteObject": _LEFTOVERS,
        "s3:AbortMultipartUpload": _LEFTOVERS,
    },
    optional=("s3:AbortMultipartUpload", "s3:DeleteObject"),
)
GATEWAY_JOBS: Final = needs_of(
    "gateway-jobs",
    "gateway",
    (
        Actions(actions=("sqs:GetQueueAttributes",), resources=(JOB_QUEUES,), case="jobs"),
        Actions(actions=("s3:ListBucket",), resources=(BUCKET,), case="jobs"),
        Actions(actions=("s3:ListBucket",), resources=(FILES,), case="files"),
        Actions(actions=("s3:ListBucket",), resources=(OUTPUT,), case="results"),
        Actions(actions=("s3:GetObject", "s3:PutObject", "s3:DeleteObject"), resources=(JOBS,), case="jobs"),
        Actions(actions=("s3:GetObject",), resources=(OUTPUT_OBJECTS,), case="results"),
    ),
    {"s3:ListBucket": f"{_UNAVAILABLE}; a submission whose files may not be listed is refused"},
    otherwise=_UNAVAILABLE,
)
GATEWAY_DEAD_LETTERS: Final = needs_of(
    "gateway-dead-letters",
    "gateway",
    (
        Actions(actions=("sqs:GetQueueAttributes",), resources=(QUEUE, DEAD_LETTERS), case="dead_letters"),
        Actions(
            actions=("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility"),
            resources=(DEAD_LETTERS,),
            case="dead_letters",
        ),
    ),
    {"sqs:ChangeMessageVisibility": "a look hides dead letters for 30 s"},
    otherwise=f"{_UNAVAILABLE}, queue_refused",
    optional=("sqs:ChangeMessageVisibility",),
)

CONTROLLER: Final = needs_of(
    "controller",
    "controller",
    (
        Actions(
            actions=(
                "sqs:CreateQueue",
                "sqs:TagQueue",
                "sqs:GetQueueUrl",
                "sqs:GetQueueAttributes",
                "sqs:PurgeQueue",
                "sqs:DeleteQueue",
                "sqs:SendMessage",
                "sqs:ReceiveMessage",
                "sqs:DeleteMessage",
                "sqs:ChangeMessageVisibility",
            ),
            resources=(JOB_QUEUES,),
        ),
        Actions(actions=("s3:ListBucket",), resources=(BUCKET,)),
        Actions(
            actions=("s3:GetObject", "s3:PutObject", "s3:AbortMultipartUpload", "s3:DeleteObject"),
            resources=(JOBS,),
        ),
        OWN_KEY,
    ),
    {
        "s3:ListBucket": "no job is found; /healthz is 500",
        **dict.fromkeys(("s3:GetObject", "s3:PutObject", "sqs:CreateQueue", "sqs:TagQueue"), _PENDING),
        **dict.fromkeys(
            ("kms:Decrypt", "kms:GenerateDataKey"),
            f"{_PENDING} when it is the key of the bucket, and end as enqueue_failed when it is that of the queues",
        ),
        "sqs:GetQueueAttributes": "jobs stay enqueuing",
        "sqs:SendMessage": "jobs end as enqueue_failed",
        "sqs:ReceiveMessage": "jobs stay running",
        "sqs:DeleteMessage": "jobs stay running",
        "sqs:ChangeMessageVisibility": (
            "batches that take longer than the visibility timeout (30 s) are cancelled and delivered again: such jobs "
            "stay running"
        ),
        "sqs:PurgeQueue": _QUEUES_STAY,
        "sqs:DeleteQueue": _QUEUES_STAY,
        "sqs:GetQueueUrl": "the same for a job that was stopped before it had a queue",
        "s3:DeleteObject": (
            "jobs end as enqueue_failed, and their queues are gone; their objects stay, and are read again and again"
        ),
        "s3:AbortMultipartUpload": "work continues; parts of aborted uploads stay",
    },
    optional=("s3:AbortMultipartUpload",),
)
CONTROLLER_FILES: Final = needs_of(
    "controller-files",
    "controller",
    (
        Actions(actions=("s3:ListBucket",), resources=(FILES,), case="files"),
        Actions(actions=("s3:GetObject",), resources=(FILES + "/*",), case="files"),
        Actions(actions=("s3:ListBucket",), resources=(OUTPUT,), case="results"),
        Actions(
            actions=("s3:GetObject", "s3:PutObject", "s3:AbortMultipartUpload"),
            resources=(OUTPUT_OBJECTS,),
            case="results",
        ),
    ),
    {},
    otherwise="jobs that read or write there end as enqueue_failed, or without a manifest, or do not start",
)

WEBHOOKS: Final = needs_of(
    "webhooks",
    "webhooks",
    (
        Actions(actions=RECEIVING, resources=(QUEUE,)),
        Actions(actions=("s3:ListBucket",), resources=(BUCKET,)),
        Actions(actions=("s3:GetObject", "s3:PutObject"), resources=(WEBHOOK_RECORDS,)),
        OWN_KEY,
    ),
    {
        "sqs:GetQueueAttributes": "exit 1 at start-up",
        "sqs:ReceiveMessage": "nothing is delivered",
        "sqs:DeleteMessage": "the first webhooks are delivered, and kept in flight; nothing more is received",
        "sqs:ChangeMessageVisibility": "webhooks that failed are delivered again after the visibility timeout",
        "kms:Decrypt": "nothing is delivered when it is the key of the queue",
    },
    otherwise=_UNKNOWN_REFUSALS,
)
