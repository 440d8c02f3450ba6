"""The options of the program that creates queues and buckets."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final, Literal

from dequeuer.core.queue_limits import MAX_RECEIVES, MAX_VISIBILITY_TIMEOUT_S
from dequeuer.core.queue_names import queue_name
from dequeuer.formats.events_target import EventsTarget
from dequeuer.jobs.s3_path import S3Path
from dequeuer.settings.option import group, option, settings_class
from dequeuer.settings.parsers import (
    BOOLEAN,
    RETENTION_DAYS,
    InvalidValueError,
    Parser,
    choice,
    listed,
    matching,
    whole,
    whole_seconds,
)
from dequeuer.settings.queue_kind import BUCKETS
from dequeuer.settings.shared import AwsSettings
from dequeuer.settings.sidecar import API_KIND, ApiKind
from dequeuer.settings.text_parsers import BUCKET_NAME, EVENTS_TARGET, KMS_KEY, NAME, QUEUE_URL, S3_PATH

Format = Literal["plan", "terraform", "cloudformation"]

NO_QUEUE: Final = "none"
_QUEUE_NAME: Final = r"(?=.{1,80}\Z)[A-Za-z0-9_-]+(?:\.fifo)?"
_TAG: Final = r"([A-Za-z0-9 _.:/=+@-]{1,128}?)\s*=\s*([A-Za-z0-9 _.:/=+@-]{0,256})"


def _queue(match: re.Match[str]) -> str:
    given = match[0]
    name = queue_name(QUEUE_URL.read(given)) if "://" in given else given
    if re.fullmatch(_QUEUE_NAME, name) is None:
        raise InvalidValueError("its name is not one of SQS")
    return given


def _tag(match: re.Match[str]) -> tuple[str, str]:
    if match[1].lower().startswith("aws:"):
        raise InvalidValueError("names that begin with aws: belong to AWS")
    return match[1], match[2]


def _tags(tags: Sequence[tuple[str, str]]) -> Mapping[str, str]:
    if len({name for name, _ in tags}) < len(tags):
        raise InvalidValueError("a name is there twice")
    return MappingProxyType(dict(tags))


QUEUE: Final = Parser(
    'the URL of a queue, or its name (1 to 80 of a-z, A-Z, 0-9, "-" and "_"; .fifo at the end)', _queue
)
DEAD_LETTERS: Final = matching(rf"none|{_QUEUE_NAME}", "none, or the name of a queue")
TAGS: Final = listed(
    Parser("name=value", _tag, _TAG), _tags, "name=value of each tag, separated by commas; no name twice"
)


@settings_class
class ProvisionSettings:
    """Creates what an API needs of AWS: queues with dead-letter queues, a bucket and its rule; or prints it.

    Usage:
      dequeuer provision [flags]                    creates what is missing; deletes and replaces nothing
      dequeuer provision policies [PROGRAM] [flags] prints the least-privilege IAM policies, as JSON

    Exit status 0: everything is as asked for. 1: AWS refuses a call, or does not answer. 3: something that is there
    is different, and was left as it is.
    """

    api_kind: ApiKind = option(API_KIND, "DEQUEUER_API_KIND", flag="api-kind", required_for=("provision",))
    """Kind of the API. async: queue and bucket. batch: bucket and dead-letter queue; the controller creates the queues
    of jobs. queue: the queue, and the bucket of the results, if one is named."""
    api_name: str = option(NAME, "DEQUEUER_API_NAME", flag="api-name", required_for=("provision",))
    """Name of the API: a tag of the queues, and part of the keys that its policies allow."""
    cluster_uid: str = option(NAME, "DEQUEUER_CLUSTER_UID", "CORTEX_CLUSTER_UID", flag="cluster-uid", unset="none")
    """Id of the cluster, for async and batch: the first part of the keys that rule and policies are about."""
    queue: str = option(QUEUE, "DEQUEUER_QUEUE_URL", flag="queue", unset="none")
    """Queue of an async API or of any queue. A name that ends with .fifo is that of a FIFO queue."""
    is_fifo: bool = option(BOOLEAN, "DEQUEUER_PROVISION_FIFO", flag="fifo", default="false", is_switch=True)
    """Whether .fifo is appended to the name of the queue, where it does not end with it."""
    dead_letters: str | None = option(
        DEAD_LETTERS,
        "DEQUEUER_PROVISION_DEAD_LETTERS",
        flag="dead-letters",
        default=None,
        unset="the name of the queue with -dead-letters; for batch the cluster's id with -dead-letters.fifo",
    )
    """Dead-letter queue; none: the queue gets none."""
    max_receives: int | None = option(
        whole(3, MAX_RECEIVES),
        "DEQUEUER_PROVISION_MAX_RECEIVES",
        flag="max-receives",
        default=None,
        unset="DEQUEUER_MAX_ATTEMPTS + 5",
    )
    """Receives after which SQS moves a message to the dead-letter queue (`maxReceiveCount`). For async more than
    `DEQUEUER_MAX_ATTEMPTS`."""
    max_attempts: int = option(whole(1, MAX_RECEIVES), "DEQUEUER_MAX_ATTEMPTS", default="5")
    """Number of receives after which the sidecar fails a request."""
    visibility_timeout_s: int = option(
        whole_seconds(2, MAX_VISIBILITY_TIMEOUT_S), "DEQUEUER_VISIBILITY_TIMEOUT", default="30"
    )
    """Visibility timeout of the queues."""
    poll_wait_s: int = option(whole_seconds(1, 20), "DEQUEUER_POLL_WAIT", default="20")
    """How long a receive waits at SQS while a queue is empty."""
    retention_s: int = option(
        whole_seconds(60, 1_209_600), "DEQUEUER_PROVISION_RETENTION", flag="retention", default="345600"
    )
    """How long the queues keep messages. Dead-letter queues keep them 14 days: the time in the queue counts there."""
    kms_key: str | None = option(
        KMS_KEY, "DEQUEUER_PROVISION_KMS_KEY", flag="kms-key", default=None, unset="the keys of SQS and S3"
    )
    """KMS key that encrypts queues and bucket. Its own policy must allow the roles, too."""
    bucket: str = option(BUCKET_NAME, "DEQUEUER_BUCKET", flag="bucket", unset="none")
    """Bucket; required for async and batch."""
    tls_only: bool = option(BOOLEAN, "DEQUEUER_PROVISION_TLS_ONLY", flag="tls-only", default="false", is_switch=True)
    """Whether the policy of the bucket refuses requests without TLS."""
    result_retention_days: int = option(RETENTION_DAYS, "DEQUEUER_RESULT_RETENTION_DAYS", default="7")
    """After how many days the lifecycle rule of the bucket deletes requests; 0: no rule is written."""
    webhook_queue: str = option(QUEUE, "DEQUEUER_WEBHOOK_QUEUE", flag="webhook-queue", unset="none")
    """Queue of webhooks, a standard queue; it is created, too."""
    events_target: EventsTarget | None = option(EVENTS_TARGET, "DEQUEUER_EVENTS_TARGET", default=None)
    """Queue, topic or bus for events, for the policies; it is not created."""
    output: S3Path | None = option(S3_PATH, "DEQUEUER_OUTPUT", default=None)
    """Where jobs keep results, for the policies."""
    queue_results: S3Path | None = option(S3_PATH, "DEQUEUER_QUEUE_RESULTS", default=None)
    """Any queue: where responses are stored. Its bucket is created."""
    payload_buckets: tuple[str, ...] = option(BUCKETS, "DEQUEUER_QUEUE_PAYLOAD_BUCKETS", default="")
    """Any queue: buckets that pointers name, for the policies; they are not created."""
    deletes_payloads: bool = option(BOOLEAN, "DEQUEUER_QUEUE_DELETE_PAYLOADS", default="false")
    """Any queue: whether its payloads are deleted, for the policies."""
    file_buckets: tuple[str, ...] = option(BUCKETS, "DEQUEUER_PROVISION_FILE_BUCKETS", flag="file-buckets", default="")
    """Buckets whose files jobs read, for the policies; they are not created."""
    tags: Mapping[str, str] = option(TAGS, "DEQUEUER_PROVISION_TAGS", flag="tags", unset="none besides the API's name")
    """More tags of the queues."""
    is_dry_run: bool = option(BOOLEAN, "DEQUEUER_PROVISION_DRY_RUN", flag="dry-run", default="false", is_switch=True)
    """Whether it is only printed what would be done."""
    may_change: bool = option(BOOLEAN, "DEQUEUER_PROVISION_CHANGE", flag="change", default="false", is_switch=True)
    """Whether settings that are there and different are replaced. A KMS key that is there is never removed."""
    format: Format = option(
        choice("plan", "terraform", "cloudformation"), "DEQUEUER_PROVISION_FORMAT", flag="format", default="plan"
    )
    """plan: AWS is asked, and what is missing is created. terraform (`.tf.json`) and cloudformation (JSON): the same
    resources and the policies are printed, and AWS is not asked."""
    aws: AwsSettings = group(AwsSettings)

    @property
    def queue_name(self) -> str:
        """Name of the queue; "" when there is none."""
        name = queue_name(self.queue)
        return f"{name}.fifo" if name and self.is_fifo and not name.endswith(".fifo") else name

    @property
    def receives(self) -> int:
        """Receives after which SQS moves a message: drains cost receives, too, besides those of the sidecar."""
        return min(MAX_RECEIVES, self.max_attempts + 5) if self.max_receives is None else self.max_receives

    @property
    def dead_letter_name(self) -> str:
        """Name of the dead-letter queue; "" when there is none."""
        if self.dead_letters is not None:
            return "" if self.dead_letters == NO_QUEUE else self.dead_letters
        start, is_fifo, _ = (self.queue_name or f"{self.cluster_uid}.fifo").rpartition(".fifo")
        return f"{start}-dead-letters.fifo" if is_fifo else f"{self.queue_name}-dead-letters"

    @property
    def webhook_queue_name(self) -> str:
        """Name of the queue of webhooks; "" when there is none."""
        return queue_name(self.webhook_queue)

    @property
    def bucket_name(self) -> str:
        """The bucket that is created; "": none."""
        return self.queue_results.bucket if self.queue_results is not None else self.bucket
