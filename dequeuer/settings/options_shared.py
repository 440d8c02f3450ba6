"""The rows of the table that both commands read."""

from __future__ import annotations

from dequeuer.settings.model import LogFormat, LogLevel
from dequeuer.settings.option import Command, Option
from dequeuer.settings.parsers import choice
from dequeuer.settings.places import NAME, REGION, URL

_BOTH: tuple[Command, ...] = ("sidecar", "gateway")
_LEVELS: dict[str, LogLevel] = {
    "debug": "debug",
    "info": "info",
    "warning": "warning",
    "warn": "warning",
    "error": "error",
}
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
