"""The table of settings. Reading, checking, `--help` and docs/configuration.md all come from here."""

from __future__ import annotations

from typing import Any

from dequeuer.settings import options_gateway as gateway
from dequeuer.settings import options_shared as shared
from dequeuer.settings import options_sidecar as sidecar
from dequeuer.settings.option import Command, Option

OPTIONS: tuple[Option[Any], ...] = (
    sidecar.API_KIND,
    sidecar.API_NAME,
    sidecar.QUEUE,
    sidecar.SIDECAR_BUCKET,
    gateway.GATEWAY_BUCKET,
    shared.CLUSTER_UID,
    sidecar.JOB_ID,
    gateway.GATEWAY_HOST,
    gateway.GATEWAY_PORT,
    gateway.SHUTDOWN_DELAY,
    gateway.GATEWAY_QUEUES,
    gateway.MAX_PAYLOAD_BYTES,
    gateway.INLINE_BYTES,
    sidecar.USER_HOST,
    sidecar.USER_PORT,
    sidecar.CONTAINER_KEEPALIVE,
    sidecar.ADMIN_HOST,
    sidecar.ADMIN_PORT,
    sidecar.WORKERS,
    sidecar.PROBES_PATH,
    sidecar.CLUSTER_CONFIG,
    sidecar.STATSD_ADDRESS,
    sidecar.REQUEST_TIMEOUT,
    sidecar.MAX_ATTEMPTS,
    sidecar.RETRY_STATUSES,
    sidecar.VISIBILITY_TIMEOUT,
    sidecar.POLL_WAIT,
    sidecar.SHUTDOWN_GRACE,
    sidecar.RESULT_RETENTION,
    sidecar.MAX_RESULT_BYTES,
    sidecar.IN_PROGRESS_AFTER,
    sidecar.COMPLETION_DELAY,
    shared.REGION_NAME,
    shared.ENDPOINT_URL,
    shared.ENDPOINT_URL_SQS,
    shared.ENDPOINT_URL_S3,
    shared.AWS_CLIENT,
    shared.S3_SSE,
    shared.S3_SSE_KMS_KEY_ID,
    shared.S3_BUCKET_OWNER,
    shared.LOG_LEVEL,
    shared.LOG_FORMAT,
)
"""In the order in which a person is told of them."""


def options_of(command: Command) -> tuple[Option[Any], ...]:
    """Return the rows that a command reads."""
    return tuple(option for option in OPTIONS if command in option.commands)
