"""The options that all programs share."""

from __future__ import annotations

from typing import Literal

from dequeuer.settings.option import group, option, settings_class
from dequeuer.settings.parsers import choice
from dequeuer.settings.text_parsers import ACCOUNT, KMS_KEY, NAME, REGION, URL, VERSION
from dequeuer.sinks.protection import ObjectProtection, Sse

LogLevel = Literal["debug", "info", "warning", "error"]
LogFormat = Literal["json", "console"]
AwsClient = Literal["auto", "slim", "sdk"]


@settings_class
class AwsSettings:
    """Where AWS is, and how it is called. Credentials are no settings."""

    region: str | None = option(
        REGION,
        "AWS_REGION",
        "AWS_DEFAULT_REGION",
        default=None,
        unset="`region` of the cluster configuration (sidecar), else of the queue's URL, else the SDK's",
        file_key="region",
    )
    """AWS region of queue and bucket."""
    endpoint_url: str | None = option(URL, "AWS_ENDPOINT_URL", default=None, unset="the one of AWS")
    """Endpoint of SQS and S3, for local servers and private endpoints."""
    endpoint_url_sqs: str | None = option(URL, "AWS_ENDPOINT_URL_SQS", default=None, unset="`AWS_ENDPOINT_URL`")
    """Endpoint of SQS alone."""
    endpoint_url_s3: str | None = option(URL, "AWS_ENDPOINT_URL_S3", default=None, unset="`AWS_ENDPOINT_URL`")
    """Endpoint of S3 alone."""
    endpoint_url_sns: str | None = option(URL, "AWS_ENDPOINT_URL_SNS", default=None, unset="`AWS_ENDPOINT_URL`")
    """Endpoint of SNS alone, for `DEQUEUER_EVENTS_TARGET` of the sidecar."""
    endpoint_url_event_bridge: str | None = option(
        URL, "AWS_ENDPOINT_URL_EVENTBRIDGE", default=None, unset="`AWS_ENDPOINT_URL`"
    )
    """Endpoint of EventBridge alone, for `DEQUEUER_EVENTS_TARGET` of the sidecar."""
    client: AwsClient = option(choice("auto", "slim", "sdk"), "DEQUEUER_AWS_CLIENT", default="auto")
    """Clients of SQS and S3: slim ones, which cost a fraction of the CPU and memory, or those of AWS's SDK. auto: slim,
    unless only the SDK's can be used: with a proxy, FIPS or dual-stack endpoints, an access point's ARN or a directory
    bucket as `DEQUEUER_BUCKET`, an endpoint URL with a path. With those slim is an error."""
    s3_sse: Sse | None = option(
        choice("AES256", "aws:kms", "aws:kms:dsse"),
        "DEQUEUER_S3_SSE",
        default=None,
        unset="the bucket's default encryption",
    )
    """Server-side encryption that every write to S3 asks for."""
    s3_sse_kms_key_id: str | None = option(
        KMS_KEY,
        "DEQUEUER_S3_SSE_KMS_KEY_ID",
        default=None,
        unset="the key of the bucket, else the one that AWS manages",
    )
    """KMS key that encrypts the objects; only with `DEQUEUER_S3_SSE` `aws:kms` or `aws:kms:dsse`."""
    s3_bucket_owner: str | None = option(ACCOUNT, "DEQUEUER_S3_BUCKET_OWNER", default=None, unset="not checked")
    """AWS account that must own the bucket; if another account owns it, S3 refuses every request."""

    @property
    def sqs_endpoint(self) -> str | None:
        """The endpoint of SQS; None: the one of AWS."""
        return self.endpoint_url_sqs or self.endpoint_url

    @property
    def s3_endpoint(self) -> str | None:
        """The endpoint of S3; None: the one of AWS."""
        return self.endpoint_url_s3 or self.endpoint_url

    @property
    def sns_endpoint(self) -> str | None:
        """The endpoint of SNS; None: the one of AWS."""
        return self.endpoint_url_sns or self.endpoint_url

    @property
    def event_bridge_endpoint(self) -> str | None:
        """The endpoint of EventBridge; None: the one of AWS."""
        return self.endpoint_url_event_bridge or self.endpoint_url

    @property
    def protection(self) -> ObjectProtection:
        """Encryption of written objects, and the account that must own the bucket."""
        return ObjectProtection(
            sse=self.s3_sse, sse_kms_key_id=self.s3_sse_kms_key_id, bucket_owner=self.s3_bucket_owner
        )


@settings_class
class LogSettings:
    """How much is logged, and in which form."""

    level: LogLevel = option(
        choice("debug", "info", "warning", "error", warn="warning", allowed="debug, info, warning (or warn) or error"),
        "CORTEX_LOG_LEVEL",
        "DEQUEUER_LOG_LEVEL",
        default="info",
    )
    """Lowest level of lines that are logged."""
    format: LogFormat = option(
        choice("json", "console"), "DEQUEUER_LOG_FORMAT", unset="json; console when standard output is a terminal"
    )
    """Format of the log: one JSON object a line, or text for a terminal."""


@settings_class
class SharedSettings:
    """The options of every program; the settings of each program inherit them."""

    cluster_uid: str = option(
        NAME,
        "DEQUEUER_CLUSTER_UID",
        "CORTEX_CLUSTER_UID",
        flag="cluster-uid",
        required_for=("async", "gateway", "enqueuer", "controller"),
    )
    """Id of the cluster: the first part of the key of every object."""
    cortex_version: str = option(VERSION, "CORTEX_VERSION", default="0.42.1")
    """Version of Cortex whose jobs these are: part of the keys of their objects in S3."""
    aws: AwsSettings = group(AwsSettings)
    log: LogSettings = group(LogSettings)
