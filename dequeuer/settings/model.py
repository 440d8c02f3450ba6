"""What the settings are once they have been read and found good: plain frozen values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from dequeuer.sinks.protection import UNPROTECTED, ObjectProtection

ApiKind = Literal["async", "batch"]
LogLevel = Literal["debug", "info", "warning", "error"]
LogFormat = Literal["json", "console"]
AwsClient = Literal["auto", "slim", "sdk"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AwsSettings:
    """Where AWS is. Credentials are none of these: the SDK finds them by itself.

    Attributes:
        region: None lets the SDK decide.
        endpoint_url: for both services; None: the one of AWS.
        endpoint_url_sqs: wins over `endpoint_url` for SQS.
        endpoint_url_s3: wins over `endpoint_url` for S3.
        protection: encryption of written objects, and the account that owns the bucket.
    """

    region: str | None
    endpoint_url: str | None
    endpoint_url_sqs: str | None
    endpoint_url_s3: str | None
    protection: ObjectProtection = UNPROTECTED

    @property
    def sqs_endpoint(self) -> str | None:
        """The endpoint of SQS; None: the one of AWS."""
        return self.endpoint_url_sqs or self.endpoint_url

    @property
    def s3_endpoint(self) -> str | None:
        """The endpoint of S3; None: the one of AWS."""
        return self.endpoint_url_s3 or self.endpoint_url


@dataclass(frozen=True, slots=True, kw_only=True)
class LogSettings:
    """How much is logged, and in which form."""

    level: LogLevel
    format: LogFormat


@dataclass(frozen=True, slots=True, kw_only=True)
class AutoWorkers:
    """Concurrency is to find itself, between 1 and `maximum`."""

    maximum: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SidecarSettings:
    """The settings of the sidecar.

    Attributes:
        api_kind: which kind of API is served.
        api_name: the API's name; part of keys and labels.
        queue_url: the SQS queue.
        cluster_uid: first part of every key of an async API; may be "" for batch.
        bucket: where an async API's objects are; may be "" for batch.
        job_id: of a batch job; "" for async.
        user_host: where the container listens; None: at 127.0.0.1, or at ::1 where nobody listens there.
        user_port: where the container listens.
        container_keepalive: whether a connection to the container is used for more than one request.
        admin_hosts: the addresses that the admin server listens on.
        admin_port: the admin server's port; never `user_port`.
        workers: requests in flight at most, or that the sidecar is to find out.
        probes_path: the readiness probes; the file may be absent.
        statsd_address: host and port; None: no statsd. An IPv6 host keeps its brackets.
        request_timeout_s: for one whole answer; below the 12 hours that a receipt lasts.
        max_attempts: receives after which a message is not released any more.
        retry_statuses: statuses of the container that mean "later"; never 200.
        visibility_timeout_s: length of a lease; renewed at half.
        shutdown_grace_s: how long running work may go on after SIGTERM.
        result_retention_days: of the bucket's lifecycle rule.
        max_result_bytes: a larger answer is a failed request.
        poll_wait_s: SQS's long poll; a longer one costs less.
        in_progress_after_s: `status/in_progress` is written only for work that still runs after this; 0: at once.
        completion_delay_s: between the two looks at the queue before a batch job is taken as complete.
        aws: where AWS is.
        aws_client: which clients speak to it.
        log: how to log.
    """

    api_kind: ApiKind
    api_name: str
    queue_url: str
    cluster_uid: str
    bucket: str
    job_id: str
    user_host: str | None
    user_port: int
    container_keepalive: bool
    admin_hosts: tuple[str, ...]
    admin_port: int
    workers: int | AutoWorkers
    probes_path: str
    statsd_address: tuple[str, int] | None
    request_timeout_s: float
    max_attempts: int
    retry_statuses: frozenset[int]
    visibility_timeout_s: int
    shutdown_grace_s: float
    result_retention_days: int
    max_result_bytes: int
    poll_wait_s: int
    in_progress_after_s: float
    completion_delay_s: float
    aws: AwsSettings
    aws_client: AwsClient
    log: LogSettings

    @property
    def most_workers(self) -> int:
        """The most requests that can be in flight."""
        return self.workers if isinstance(self.workers, int) else self.workers.maximum


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewaySettings:
    """The settings of `dequeuer gateway`.

    Attributes:
        bucket: where the objects of all async APIs are.
        cluster_uid: first part of every key.
        hosts: the addresses that the gateway listens on.
        port: the gateway's port.
        shutdown_delay_s: how long the gateway goes on serving after SIGTERM, while `/healthz` says 503.
        queues: queue URLs by API name; may be empty.
        max_payload_bytes: a larger submission is refused.
        inline_bytes: payloads up to this size ride in the queue message; 0: none does.
        aws: where AWS is.
        aws_client: which clients speak to it.
        log: how to log.
    """

    bucket: str
    cluster_uid: str
    hosts: tuple[str, ...]
    port: int
    shutdown_delay_s: float
    queues: Mapping[str, str]
    max_payload_bytes: int
    inline_bytes: int
    aws: AwsSettings
    aws_client: AwsClient
    log: LogSettings
