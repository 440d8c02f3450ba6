"""The rows of the table that both commands read."""

from __future__ import annotations

from dequeuer.settings.model import AwsClient, LogFormat, LogLevel
from dequeuer.settings.option import Command, Option
from dequeuer.settings.parsers import choice
from dequeuer.settings.places import ACCOUNT, KMS_KEY, NAME, REGION, URL
from dequeuer.sinks.protection import Sse

_BOTH: tuple[Command, ...] = ("sidecar", "gateway")
_LEVELS: dict[str, LogLevel] = {
    "debug": "debug",
    "info": "info",
    "warning": "warning",
    "warn": "warning",
    "error": "error",
}
_CLIENTS: dict[str, AwsClient] = {"auto": "auto", "slim": "slim", "sdk": "sdk"}
_SSE: dict[str, Sse] = {"aes256": "AES256", "aws:kms": "aws:kms", "aws:kms:dsse": "aws:kms:dsse"}
_FORMATS: dict[str, LogFormat] = {"json": "json", "console": "console"}

CLUSTER_UID = Option(
    name="cluster_uid",
    flag="cluster-uid",
    env=("DEQUEUER_CLUSTER_UID",),
    parser=NAME,
    commands=_BOTH,
    required_for=("async", "gateway"),
    help="Id of the cluster: the first part of the key of every object of an async API.",
)
REGION_NAME = Option(
    name="region",
    env=("AWS_REGION", "AWS_DEFAULT_REGION"),
    parser=REGION,
    default_note="`region` of the cluster configuration (sidecar), else of the queue's URL, else the SDK's",
    commands=_BOTH,
    file_key="region",
    help="AWS region of queue and bucket.",
)
ENDPOINT_URL = Option(
    name="endpoint_url",
    env=("AWS_ENDPOINT_URL",),
    parser=URL,
    default_note="the one of AWS",
    commands=_BOTH,
    help="Endpoint of SQS and S3, for local servers and private endpoints.",
)
ENDPOINT_URL_SQS = Option(
    name="endpoint_url_sqs",
    env=("AWS_ENDPOINT_URL_SQS",),
    parser=URL,
    default_note="`AWS_ENDPOINT_URL`",
    commands=_BOTH,
    help="Endpoint of SQS alone.",
)
ENDPOINT_URL_S3 = Option(
    name="endpoint_url_s3",
    env=("AWS_ENDPOINT_URL_S3",),
    parser=URL,
    default_note="`AWS_ENDPOINT_URL`",
    commands=_BOTH,
    help="Endpoint of S3 alone.",
)
AWS_CLIENT: Option[AwsClient] = Option(
    name="aws_client",
    env=("DEQUEUER_AWS_CLIENT",),
    parser=choice(_CLIENTS, "auto, slim or sdk"),
    default="auto",
    commands=_BOTH,
    help="Clients of SQS and S3: slim ones, which cost a fraction of the CPU and memory, or those of AWS's SDK. "
    "auto: slim, unless only the SDK's can serve: a proxy, FIPS or dual-stack endpoints, an access point's ARN or a "
    "directory bucket as `DEQUEUER_BUCKET`, an endpoint URL with a path. slim is refused with those.",
)
S3_SSE: Option[Sse] = Option(
    name="sse",
    env=("DEQUEUER_S3_SSE",),
    parser=choice(_SSE, "AES256, aws:kms or aws:kms:dsse"),
    default_note="the bucket's default encryption",
    commands=_BOTH,
    help="Server-side encryption that is asked for with every object written to S3.",
)
S3_SSE_KMS_KEY_ID = Option(
    name="sse_kms_key_id",
    env=("DEQUEUER_S3_SSE_KMS_KEY_ID",),
    parser=KMS_KEY,
    default_note="the key of the bucket, else the one that AWS manages",
    commands=_BOTH,
    help="KMS key that encrypts the objects; only with `DEQUEUER_S3_SSE` `aws:kms` or `aws:kms:dsse`.",
)
S3_BUCKET_OWNER = Option(
    name="bucket_owner",
    env=("DEQUEUER_S3_BUCKET_OWNER",),
    parser=ACCOUNT,
    default_note="not checked",
    commands=_BOTH,
    help="AWS account that must own the bucket: S3 refuses every request if another account does.",
)
LOG_LEVEL: Option[LogLevel] = Option(
    name="level",
    env=("CORTEX_LOG_LEVEL", "DEQUEUER_LOG_LEVEL"),
    parser=choice(_LEVELS, "debug, info, warning (or warn) or error"),
    default="info",
    commands=_BOTH,
    help="Least important lines that are logged.",
)
LOG_FORMAT: Option[LogFormat] = Option(
    name="format",
    env=("DEQUEUER_LOG_FORMAT",),
    parser=choice(_FORMATS, "json or console"),
    default_note="json; console when standard output is a terminal",
    commands=_BOTH,
    help="Form of the log: one JSON object a line, or text for people.",
)
