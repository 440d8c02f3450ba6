"""The queues and the bucket that settings ask for."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from dequeuer.policies.arns import account_of_queue
from dequeuer.settings.provision import ProvisionSettings
from dequeuer.sinks.bucket_settings import BucketSetting, Facts
from dequeuer.sinks.layout import workloads_prefix

DEAD_LETTER_RETENTION_S: Final = 14 * 86_400
"""The longest that SQS has: a message keeps its age when it moves, so it must be longer than that of the queue."""
API_TAG: Final = "apiName"
SOURCE_TAG: Final = "deadLettersOf"
"""Names the queue of a dead-letter queue that this program created. It is set when the queue is created, not later."""
SSE_SQS: Final = "SqsManagedSseEnabled"
KMS_KEY: Final = "KmsMasterKeyId"
ANY_ACCOUNT: Final = "*"
TLS_SID: Final = "RefuseRequestsWithoutTls"


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedQueue:
    """A queue.

    Attributes:
        name: ends with .fifo if it is a FIFO queue.
        attributes: as SQS names them, without policies.
        tags: all of them.
        dead_letters: name of its dead-letter queue; "": none.
        max_receives: after which a message moves there.
        source: of a dead-letter queue: the only queue whose messages it takes; "": those of any.
        account: that it must belong to; `*`: that of the credentials.
    """

    name: str
    attributes: Mapping[str, str]
    tags: Mapping[str, str]
    dead_letters: str = ""
    max_receives: int = 0
    source: str = ""
    account: str = ANY_ACCOUNT

    @property
    def is_fifo(self) -> bool:
        """Whether it is a FIFO queue."""
        return self.name.endswith(".fifo")


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedBucket:
    """A bucket.

    Attributes:
        name: of the bucket.
        settings: each setting with its facts, in the order in which they are written.
        is_tls_only: whether its policy refuses requests without TLS.
        expiry_prefix: the lifecycle rule is about keys that begin with it.
        expiry_days: of the rule; 0: there is none.
    """

    name: str
    settings: Mapping[BucketSetting, Facts]
    is_tls_only: bool
    expiry_prefix: str = ""
    expiry_days: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """All of it. `queues`: a dead-letter queue comes before the queue that names it."""

    queues: Sequence[WantedQueue] = field(default=())
    bucket: WantedBucket | None = None

    def queue(self, name: str) -> WantedQueue | None:
        """Return the queue of a name; None when there is none."""
        return next((queue for queue in self.queues if queue.name == name), None)


def wanted_by(settings: ProvisionSettings) -> Wanted:
    """Return what settings ask for."""
    return Wanted(queues=tuple(_queues(settings)), bucket=_bucket(settings) if settings.bucket_name else None)


def _queues(settings: ProvisionSettings) -> Sequence[WantedQueue]:
    tags = {API_TAG: settings.api_name, **settings.tags}
    queue, dead_letters, webhooks = settings.queue_name, settings.dead_letter_name, settings.webhook_queue_name
    account = account_of_queue(settings.queue) if "://" in settings.queue else ANY_ACCOUNT
    found = []
    if dead_letters:
        of_queue = {SOURCE_TAG: queue} if queue else {}
        found.append(
            WantedQueue(
                name=dead_letters,
                attributes=_attributes(settings, dead_letters, DEAD_LETTER_RETENTION_S),
                tags=tags | of_queue,
                source=queue,
                account=account,
            )
        )
    if queue:
        found.append(
            WantedQueue(
                name=queue,
                attributes=_attributes(settings, queue, settings.retention_s),
                tags=tags,
                dead_letters=dead_letters,
                max_receives=settings.receives,
                account=account,
            )
        )
    if webhooks:  # webhooks are given up after DEQUEUER_WEBHOOK_MAX_AGE, so they need no dead-letter queue
        attributes = _attributes(settings, webhooks, DEAD_LETTER_RETENTION_S)
        of_url = account_of_queue(settings.webhook_queue) if "://" in settings.webhook_queue else ANY_ACCOUNT
        found.append(WantedQueue(name=webhooks, attributes=attributes, tags=tags, account=of_url))
    return found


def _attributes(settings: ProvisionSettings, name: str, retention_s: int) -> Mapping[str, str]:
    return {
        **({"FifoQueue": "true"} if name.endswith(".fifo") else {}),
        "VisibilityTimeout": str(settings.visibility_timeout_s),
        "MessageRetentionPeriod": str(retention_s),
        "ReceiveMessageWaitTimeSeconds": str(settings.poll_wait_s),
        **({KMS_KEY: settings.kms_key} if settings.kms_key else {SSE_SQS: "true"}),
    }


def _bucket(settings: ProvisionSettings) -> WantedBucket:
    blocked = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
    key = settings.kms_key
    # Without a bucket key each object would be a call to KMS, which costs money and is limited.
    encryption = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key, "BucketKeyEnabled": "true"} if key else None
    has_requests = settings.api_kind != "queue"
    return WantedBucket(
        name=settings.bucket_name,
        settings={
            "publicAccessBlock": dict.fromkeys(blocked, "true"),
            "ownershipControls": {"ObjectOwnership": "BucketOwnerEnforced"},
            "encryption": encryption or {"SSEAlgorithm": "AES256"},
        },
        is_tls_only=settings.tls_only,
        expiry_prefix=workloads_prefix(settings.cluster_uid) if has_requests else "",
        expiry_days=settings.result_retention_days if has_requests else 0,
    )


def tls_statement(bucket_arn: object, objects_arn: object) -> Mapping[str, object]:
    """Return the statement of a bucket's policy that refuses requests without TLS."""
    return {
        "Sid": TLS_SID,
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [bucket_arn, objects_arn],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }


def redrive_policy(dead_letters_arn: str, max_receives: int) -> str:
    """Return the attribute `RedrivePolicy`."""
    policy = {"deadLetterTargetArn": dead_letters_arn, "maxReceiveCount": str(max_receives)}
    return json.dumps(policy, separators=(",", ":"))


def redrive_allow_policy(source_arns: Sequence[str]) -> str:
    """Return the attribute `RedriveAllowPolicy`, by which only some queues may use a dead-letter queue."""
    policy = {"redrivePermission": "byQueue", "sourceQueueArns": list(source_arns)}
    return json.dumps(policy, separators=(",", ":"))
